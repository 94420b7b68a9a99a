package io.taskrole.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.demo.Issuer;
import io.taskrole.demo.VerifyingSts;
import io.taskrole.testing.AgentProcess;
import io.taskrole.testing.RawHttp;
import io.taskrole.testing.Reply;
import io.taskrole.testing.ScriptedDns;
import io.taskrole.testing.ScriptedDns.Answer;
import io.taskrole.testing.TestDaemon;
import io.taskrole.time.TimeSource;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.opentest4j.TestAbortedException;

/**
 * What the name server does wrong, for a daemon that knows STS by a name: the C library's own
 * resolver, with an {@code /etc/resolv.conf} that this process alone sees. Needs root.
 */
class DnsFaultsTest {

  private final TimeSource time = TimeSource.system();
  @TempDir private Path directory;
  private ScriptedDns dns;
  private Issuer issuer;
  private VerifyingSts sts;
  private Relay relay;
  private AgentProcess agent;
  private Starvation starvation;
  private InetSocketAddress credentials;
  private InetSocketAddress admin;

  @BeforeEach
  void start() throws Exception {
    if (!System.getProperty("user.name").equals("root")) {
      String missing = "NOT PROVEN HERE: faults of DNS need root";
      System.err.println(missing);
      throw new TestAbortedException(missing);
    }
    dns = ScriptedDns.start();
    issuer = Issuer.start(time);
    sts = VerifyingSts.start(issuer, time);
    relay = Relay.before(sts.endpoint());
    sts.trust(TestDaemon.ROLE, task().subject());
    Files.writeString(directory.resolve("roles.yaml"), TestDaemon.ROLES);
    Path config =
        Files.writeString(
            directory.resolve("taskrole.yaml"),
            String.format(
                Locale.ROOT,
                """
                listen: {credentials: ["127.0.0.1:0"], admin: "127.0.0.1:0"}
                nomad: {address: "%s"}
                sts: {region: eu-west-1, endpoint: "http://sts.example:%d", rate: 1000}
                audit: {file: audit.jsonl}
                """,
                issuer.issuer(),
                relay.endpoint().getPort()));
    Path resolvConf = Files.writeString(directory.resolve("resolv.conf"), dns.resolvConf());
    dns.answer(Answer.NO_SUCH_NAME, Answer.NO_SUCH_NAME);
    agent =
        AgentProcess.startUnder(
            List.of(
                "unshare",
                "--mount",
                "sh",
                "-c",
                "mount --bind " + resolvConf + " /etc/resolv.conf && exec \"$@\"",
                "sh"),
            config,
            // Asked again each second, not each half minute.
            List.of("-Dsun.net.inetaddr.ttl=1"));
    starvation = new Starvation(agent.id());
    String ready = agent.awaitLine("ready ");
    credentials = address(ready, "credentials");
    admin = address(ready, "admin");
  }

  @AfterEach
  void stop() {
    if (agent != null) {
      agent.close();
      relay.close();
      sts.close();
      issuer.close();
      dns.close();
    }
  }

  /** In one life of the daemon, so that every fault finds what the one before it left. */
  @Test
  void everyFault_isToldOrNotNoticed_andNoneNeedsARestart() throws Exception {
    // A name that was never known.
    assertThat(told(task())).contains("StsUnavailable");
    String mend =
        "Operator: mend this node's DNS, or sts.endpoint; the name sts.example is not known.";
    assertThat(ask(task()).message()).isEqualTo(mend);
    assertThat(readyz()).contains(mend);
    agent.awaitText("exchanges fail: " + mend);
    dns.answer(Answer.ADDRESS, Answer.NONE);
    Issuer.Token warm = task();
    untilServed(warm);
    agent.awaitText("STS answers again");
    assertThat(readyz()).doesNotContain("StsUnavailable");

    // A name that was known is known on, whatever becomes of the name server.
    for (Answer fault : List.of(Answer.FAILURE, Answer.SILENCE)) {
      dns.answer(fault, fault);
      time.sleep(Duration.ofMillis(1_100));
      assertThat(ask(warm).status()).as(fault + ", warm").isEqualTo(200);
      assertThat(told(task())).as(fault + ", cold").isSubsetOf(Set.of("200", "ExchangePending"));
      assertThat(ask(warm).status()).as(fault + ", warm").isEqualTo(200);
      untilServed(task());
    }

    // Nobody answers for IPv6, as behind many a broken forwarder.
    dns.answer(Answer.ADDRESS, Answer.FAILURE);
    time.sleep(Duration.ofMillis(1_100));
    untilServed(task());

    // The name moves to where nobody is, and back; connections that are kept would not notice.
    dns.answer(Answer.ADDRESS, Answer.NONE);
    dns.know("127.0.0.9");
    relay.reset("");
    untilTold("Operator: open the way to sts.example; this node cannot connect there.");
    assertThat(ask(warm).status()).isEqualTo(200);
    dns.know("127.0.0.1");
    untilServed(task());
    assertThat(ask(warm).status()).isEqualTo(200);
  }

  private Issuer.Token task() {
    return issuer.token("payments", "billing", "api", "server");
  }

  /** Asks in time, or fails. */
  private Reply ask(Issuer.Token token) {
    String signed = token.sign();
    long begun = time.nanos();
    Reply reply = RawHttp.once(credentials, RawHttp.request(credentials, signed));
    assertThat(Duration.ofNanos(time.nanos() - begun))
        .isLessThan(Watch.ANSWERED.plus(starvation.longest()));
    return reply;
  }

  /** What a task is answered, three times in a row. */
  private Set<String> told(Issuer.Token token) {
    Set<String> told = new TreeSet<>();
    for (int i = 0; i < 3; i++) {
      Reply reply = ask(token);
      told.add(reply.status() == 200 ? "200" : reply.code());
    }
    return told;
  }

  private void untilServed(Issuer.Token token) throws InterruptedException {
    long begun = time.nanos();
    while (ask(token).status() != 200) {
      assertThat(Duration.ofNanos(time.nanos() - begun)).isLessThan(Duration.ofSeconds(8));
      time.sleep(Duration.ofMillis(100));
    }
  }

  private void untilTold(String message) throws InterruptedException {
    long begun = time.nanos();
    while (!ask(task()).message().equals(message)) {
      assertThat(Duration.ofNanos(time.nanos() - begun)).isLessThan(Duration.ofSeconds(8));
      time.sleep(Duration.ofMillis(100));
    }
  }

  private String readyz() {
    return RawHttp.once(
            admin, "GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:" + admin.getPort() + "\r\n\r\n")
        .body();
  }

  private static InetSocketAddress address(String ready, String name) {
    return new InetSocketAddress(
        InetAddress.ofLiteral("127.0.0.1"),
        Integer.parseInt(ready.replaceAll(".*" + name + "=http://[^:]+:(\\d+).*", "$1")));
  }
}
