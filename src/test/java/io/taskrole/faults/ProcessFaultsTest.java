package io.taskrole.faults;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.taskrole.demo.Issuer;
import io.taskrole.demo.VerifyingSts;
import io.taskrole.testing.AgentProcess;
import io.taskrole.testing.RawHttp;
import io.taskrole.testing.TestDaemon;
import io.taskrole.time.TimeSource;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/**
 * What befalls the daemon's process: killed, frozen, out of memory. {@code -Dfaults.kills=100}
 * kills it more often.
 */
@Execution(ExecutionMode.CONCURRENT)
class ProcessFaultsTest {
  private static final int KILLS = Integer.getInteger("faults.kills", 6);
  private static final Duration FROZEN = Duration.ofSeconds(30);

  private final TimeSource time = TimeSource.system();
  @TempDir private Path directory;
  private Issuer issuer;
  private VerifyingSts sts;
  private Issuer.Token task;
  private Path config;

  @BeforeEach
  void start() throws IOException {
    issuer = Issuer.start(time);
    sts = VerifyingSts.start(issuer, time);
    task = issuer.token("payments", "billing", "api", "server");
    sts.trust(TestDaemon.ROLE, task.subject());
    Files.writeString(
        directory.resolve("roles.yaml"),
        """
        roles:
          - match: {namespace: payments}
            role: arn:aws:iam::123456789012:role/payments-billing
        """);
    config =
        Files.writeString(
            directory.resolve("taskrole.yaml"),
            String.format(
                Locale.ROOT,
                """
                listen: {credentials: ["127.0.0.1:0"], admin: "127.0.0.1:0"}
                nomad: {address: "%s"}
                sts: {region: eu-west-1, endpoint: "%s", rate: 1000}
                audit: {file: audit.jsonl}
                """,
                issuer.issuer(),
                sts.endpoint()));
  }

  @AfterEach
  void stop() {
    sts.close();
    issuer.close();
  }

  /**
   * Whatever it was doing: the next start serves, and no record but the one being written is torn.
   */
  @Test
  void killedAtRandom_startsAgain_andTheAuditLogStaysReadable() throws Exception {
    Random random = new Random(9);
    int starts = 0;
    for (int kill = 0; kill < KILLS; kill++) {
      try (AgentProcess agent = AgentProcess.start(config);
          Traffic traffic = new Traffic(address(agent.awaitLine("ready ")))) {
        assertThat(traffic.status()).isEqualTo(200);
        starts++;
        traffic.begin();
        time.sleep(Duration.ofMillis(random.nextInt(300)));
        agent.signal("KILL");
        assertThat(agent.exitCode()).isEqualTo(128 + 9);
      }
    }

    assertThat(starts).isEqualTo(KILLS);
    List<String> lines = Files.readAllLines(directory.resolve("audit.jsonl"));
    long torn = lines.stream().filter(line -> !isJson(line)).count();
    assertThat(lines).hasSizeGreaterThan(KILLS);
    assertThat(torn).isLessThanOrEqualTo(KILLS);
  }

  @Test
  void frozen_servesWhoWaited_andGoesOn() throws Exception {
    try (AgentProcess agent = AgentProcess.start(config)) {
      InetSocketAddress address = address(agent.awaitLine("ready "));
      try (RawHttp kept = RawHttp.connect(address)) {
        assertThat(kept.send(RawHttp.request(address, task.sign())).reply().status())
            .isEqualTo(200);
        agent.signal("STOP");
        time.sleep(FROZEN);
        List<RawHttp> waiting = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
          waiting.add(RawHttp.connect(address).send(RawHttp.request(address, task.sign())));
        }
        long thawed = time.nanos();
        agent.signal("CONT");
        for (RawHttp waiter : waiting) {
          assertThat(waiter.reply().status()).isEqualTo(200);
          waiter.close();
        }
        assertThat(kept.send(RawHttp.request(address, task.sign())).reply().status())
            .isEqualTo(200);
        assertThat(Duration.ofNanos(time.nanos() - thawed)).isLessThan(Duration.ofSeconds(2));
      }
      Issuer.Token cold = issuer.token("payments", "billing", "api", "server");
      int status = 0;
      for (int i = 0; i < 20 && status != 200; i++) {
        status = RawHttp.once(address, RawHttp.request(address, cold.sign())).status();
      }
      assertThat(status).isEqualTo(200);
      assertThat(agent.output()).doesNotContain("wall clock", "Exception");
      agent.signal("TERM");
      assertThat(agent.exitCode()).isZero();
    }
  }

  /** It ends at once and says so, rather than go on with half of its threads. */
  @Test
  void outOfMemory_ends_andStartsAgain() throws Exception {
    List<RawHttp> open = new ArrayList<>();
    try (AgentProcess agent =
        AgentProcess.start(
            config, List.of("-Xmx24m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError"))) {
      InetSocketAddress address = address(agent.awaitLine("ready "));
      assertThat(new Traffic(address).status()).isEqualTo(200);
      for (int i = 0; i < 6_000 && agent.isAlive(); i++) {
        try {
          open.add(RawHttp.connect(address).send("GET /v1/credentials HTTP/1.1\r\nX: "));
        } catch (UncheckedIOException e) {
          break;
        }
      }
      assertThat(agent.exitCode()).isEqualTo(3);
      assertThat(agent.output()).contains("OutOfMemoryError");
    } finally {
      open.forEach(RawHttp::close);
    }
    try (AgentProcess agent = AgentProcess.start(config)) {
      assertThat(new Traffic(address(agent.awaitLine("ready "))).status()).isEqualTo(200);
    }
  }

  private static boolean isJson(String line) {
    try {
      return new ObjectMapper().readTree(line).isObject();
    } catch (IOException e) {
      return false;
    }
  }

  private static InetSocketAddress address(String ready) {
    return new InetSocketAddress(
        InetAddress.ofLiteral("127.0.0.1"),
        Integer.parseInt(ready.replaceAll(".*credentials=http://[^:]+:(\\d+).*", "$1")));
  }

  /** Requests of a task, until the daemon is gone. */
  private final class Traffic implements AutoCloseable {
    private final InetSocketAddress address;
    private final AtomicBoolean over = new AtomicBoolean();
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();

    Traffic(InetSocketAddress address) {
      this.address = address;
    }

    int status() {
      return RawHttp.once(address, RawHttp.request(address, task.sign())).status();
    }

    void begin() {
      for (int i = 0; i < 4; i++) {
        Future<?> _ =
            threads.submit(() -> {
              while (!over.get()) {
                status();
              }
            });
      }
    }

    @Override
    public void close() {
      over.set(true);
      threads.shutdownNow();
    }
  }
}
