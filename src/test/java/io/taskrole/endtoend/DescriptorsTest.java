package io.taskrole.endtoend;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.demo.Issuer;
import io.taskrole.demo.VerifyingSts;
import io.taskrole.testing.AgentProcess;
import io.taskrole.testing.RawHttp;
import io.taskrole.testing.Reply;
import io.taskrole.testing.TestDaemon;
import io.taskrole.time.TimeSource;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A daemon of its own process that runs out of file descriptors, and gets them back. */
class DescriptorsTest {
  private static final String ROLES =
      """
      roles:
        - match: {namespace: payments}
          role: arn:aws:iam::123456789012:role/payments-billing
      """;

  private final TimeSource time = TimeSource.system();
  @TempDir private Path directory;

  @Test
  void noDescriptors_waitersAreServedOnceThereAreSome_andNothingHasDied() throws Exception {
    try (Issuer issuer = Issuer.start(time);
        VerifyingSts sts = VerifyingSts.start(issuer, time)) {
      Issuer.Token warm = issuer.token("payments", "billing", "api", "server");
      Issuer.Token cold = issuer.token("payments", "ledger", "api", "server");
      sts.trust(TestDaemon.ROLE, warm.subject());
      sts.trust(TestDaemon.ROLE, cold.subject());
      try (AgentProcess agent = AgentProcess.startFromJars(config(issuer, sts), directory)) {
        String ready = agent.awaitLine("ready ");
        InetSocketAddress address = address(ready, "credentials");
        InetSocketAddress admin = address(ready, "admin");
        try (RawHttp first = RawHttp.connect(address)) {
          assertThat(first.send(RawHttp.request(address, warm.sign())).reply().status())
              .isEqualTo(200);

          limit(agent, openFiles(agent));
          List<RawHttp> waiting = new ArrayList<>();
          for (int i = 0; i < 40; i++) {
            waiting.add(RawHttp.connect(address).send(RawHttp.request(address, warm.sign())));
          }
          agent.awaitText("a connection could not be accepted");

          // Who is connected is served; a call to STS, where it needs a descriptor, is refused in
          // time.
          assertThat(first.send(RawHttp.request(address, warm.sign())).reply().status())
              .isEqualTo(200);
          long asked = time.nanos();
          Reply answer = first.send(RawHttp.request(address, cold.sign())).reply();
          assertThat(answer.status()).isIn(200, 503);
          assertThat(answer.code()).isIn("", "StsUnavailable", "ExchangePending");
          assertThat(Duration.ofNanos(time.nanos() - asked)).isLessThan(Duration.ofSeconds(1));

          long freed = time.nanos();
          limit(agent, 4096);
          for (RawHttp waiter : waiting) {
            assertThat(waiter.reply().status()).isEqualTo(200);
            waiter.close();
          }
          assertThat(Duration.ofNanos(time.nanos() - freed)).isLessThan(Duration.ofSeconds(2));
          assertThat(eventually(address, cold)).isEqualTo(200);
          Reply metrics =
              RawHttp.once(
                  admin,
                  "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:" + admin.getPort() + "\r\n\r\n");
          assertThat(metrics.body())
              .containsPattern("taskrole_accept_failures_total(\\{\\})? [1-9]");
        }
        agent.signal("TERM");
        assertThat(agent.exitCode()).isZero();
        assertThat(agent.output()).doesNotContain("Exception:", "\tat ");
      }
    }
  }

  /** A cold task's answer once STS can be reached again: the refusal stands for a moment. */
  private int eventually(InetSocketAddress address, Issuer.Token token) throws Exception {
    int status = 0;
    for (int i = 0; i < 100 && status != 200; i++) {
      status = RawHttp.once(address, RawHttp.request(address, token.sign())).status();
      time.sleep(Duration.ofMillis(status == 200 ? 0 : 100));
    }
    return status;
  }

  private Path config(Issuer issuer, VerifyingSts sts) throws IOException {
    Files.writeString(directory.resolve("roles.yaml"), ROLES);
    return Files.writeString(
        directory.resolve("taskrole.yaml"),
        String.format(
            Locale.ROOT,
            """
            listen: {credentials: ["127.0.0.1:0"], admin: "127.0.0.1:0"}
            nomad: {address: "%s"}
            sts: {region: eu-west-1, endpoint: "%s"}
            audit: {file: audit.jsonl}
            """,
            issuer.issuer(),
            sts.endpoint()));
  }

  private static long openFiles(AgentProcess agent) throws IOException {
    try (Stream<Path> files = Files.list(Path.of("/proc", Long.toString(agent.id()), "fd"))) {
      return files.count();
    }
  }

  /** Sets how many files the process may have open from now on. */
  private static void limit(AgentProcess agent, long files) throws Exception {
    Process set =
        new ProcessBuilder(
                "prlimit", "--pid", Long.toString(agent.id()), "--nofile=" + files + ":8192")
            .redirectErrorStream(true)
            .start();
    String said =
        new String(set.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
    assertThat(set.waitFor()).as(said).isZero();
  }

  private static InetSocketAddress address(String ready, String which) {
    return new InetSocketAddress(
        InetAddress.ofLiteral("127.0.0.1"),
        Integer.parseInt(ready.replaceAll(".*" + which + "=http://[^:]+:(\\d+).*", "$1")));
  }
}
