package io.taskrole.faults;

import static io.taskrole.testing.StsAnswers.error;
import static io.taskrole.testing.StsAnswers.in;
import static io.taskrole.testing.StsAnswers.issued;
import static io.taskrole.testing.StsAnswers.issuedXml;
import static io.taskrole.testing.StsAnswers.ok;
import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.faults.Relay.Fault;
import io.taskrole.testing.ScriptedHttp;
import io.taskrole.testing.TestDaemon;
import io.taskrole.time.TimeSource;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Everything that STS and the network before it do wrong, under traffic: warm tasks never notice,
 * cold ones are told in time, and all is well afterwards.
 */
class StsFaultsTest {
  private static final Duration LASTS = Duration.ofMillis(600);
  private static final String ARN = "arn:aws:sts::123456789012:assumed-role/payments-billing/x";
  private static final String[] TRANSIENT = {"StsUnavailable", "ExchangePending"};

  @TempDir private Path directory;
  private Relay relay;
  private TestDaemon taskrole;

  @BeforeEach
  void start() {
    taskrole =
        TestDaemon.startBehind(
            directory,
            sts -> {
              relay = Relay.before(sts);
              return relay.endpoint();
            });
  }

  @AfterEach
  void stop() {
    taskrole.close();
    relay.close();
  }

  /**
   * One row of the table.
   *
   * @param told what cold callers may be answered; "200" for credentials
   */
  record Row(String name, Fault fault, Set<String> told) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static Row row(String name, Fault fault, String... told) {
    return new Row(name, fault, Set.of(told));
  }

  /** Answers so, whole. */
  private static Fault says(String answer) {
    return (daemon, upstream) -> {
      ScriptedHttp.write(daemon, answer);
      return false;
    };
  }

  static Stream<Row> rows() {
    return Stream.of(errors(), broken(), wrong(), network()).flatMap(rows -> rows);
  }

  private static Stream<Row> errors() {
    return Stream.of(
        row("AccessDenied", says(error(403, "AccessDenied", "no")), "RoleRefused"),
        row(
            "MalformedPolicyDocument",
            says(error(400, "MalformedPolicyDocument", "no")),
            "RoleRefused"),
        row("PackedPolicyTooLarge", says(error(400, "PackedPolicyTooLarge", "no")), "RoleRefused"),
        row(
            "RegionDisabledException",
            says(error(403, "RegionDisabledException", "no")),
            "RoleRefused"),
        row("ValidationError", says(error(400, "ValidationError", "no")), "RoleRefused"),
        row(
            "ExpiredTokenException",
            says(error(400, "ExpiredTokenException", "no")),
            "TokenRefusedBySts"),
        row(
            "InvalidIdentityToken",
            says(error(400, "InvalidIdentityToken", "Incorrect token audience")),
            "TokenRefusedBySts"),
        row("IDPRejectedClaim", says(error(403, "IDPRejectedClaim", "no")), "TokenRefusedBySts"),
        row(
            "no verification key",
            says(
                error(
                    400,
                    "InvalidIdentityToken",
                    "Couldn't retrieve verification key from your identity provider")),
            TRANSIENT),
        row("IDPCommunicationError", says(error(400, "IDPCommunicationError", "no")), TRANSIENT),
        row("Throttling", says(error(400, "Throttling", "Rate exceeded")), TRANSIENT),
        row("InternalFailure", says(error(500, "InternalFailure", "no")), TRANSIENT),
        row("ServiceUnavailable", says(error(503, "ServiceUnavailable", "no")), TRANSIENT));
  }

  /** Answers that are no answers. */
  private static Stream<Row> broken() {
    return Stream.of(
        row("cut body", says("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n<Assume"), TRANSIENT),
        row(
            "Content-Length too small",
            says("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + good()),
            TRANSIENT),
        row(
            "Content-Length negative",
            says("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n<a/>"),
            TRANSIENT),
        row(
            "broken chunks",
            says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n<Assume\r\n"),
            TRANSIENT),
        row("empty body", says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), TRANSIENT),
        row("no HTTP", says("SSH-2.0-OpenSSH_9.2\r\n"), TRANSIENT),
        row("HTML", says(ok("<!doctype html><html><body>Welcome</body></html>")), TRANSIENT),
        row(
            "an entity that doubles",
            says(
                ok(
                    "<!DOCTYPE a [<!ENTITY b \"bbbbbbbbbb\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;\">]>"
                        + good().replace("the-secret", "&c;"))),
            TRANSIENT),
        row(
            "an entity that reads a file",
            says(
                ok(
                    "<!DOCTYPE a [<!ENTITY f SYSTEM \"file:///etc/passwd\">]>"
                        + good().replace("the-secret", "&f;"))),
            TRANSIENT),
        row("10 MB", StsFaultsTest::huge, TRANSIENT),
        row("a bomb of gzip", StsFaultsTest::bomb, TRANSIENT));
  }

  /** Well-formed answers that are not what was asked for. */
  private static Stream<Row> wrong() {
    return Stream.of(
        row("empty keys", says(issued("", "", "", in(Duration.ofHours(1)), ARN)), TRANSIENT),
        row(
            "no session token",
            says(issued("ASIA1", "the-secret", "", in(Duration.ofHours(1)), ARN)),
            TRANSIENT),
        row(
            "expired already",
            says(issued("ASIA1", "the-secret", "t", in(Duration.ofHours(-1)), ARN)),
            TRANSIENT),
        row(
            "ten years to live",
            says(issued("ASIA1", "the-secret", "t", in(Duration.ofDays(3650)), ARN)),
            TRANSIENT),
        row("no expiry", says(issued("ASIA1", "the-secret", "t", "", ARN)), TRANSIENT),
        row(
            "another role's credentials",
            says(
                issued(
                    "ASIA1",
                    "the-secret",
                    "t",
                    in(Duration.ofHours(1)),
                    "arn:aws:sts::123456789012:assumed-role/admin/x")),
            TRANSIENT),
        row(
            "another account's credentials",
            says(
                issued(
                    "ASIA1",
                    "the-secret",
                    "t",
                    in(Duration.ofHours(1)),
                    "arn:aws:sts::999999999999:assumed-role/payments-billing/x")),
            TRANSIENT),
        row(
            "sent elsewhere",
            says(
                "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"),
            TRANSIENT));
  }

  private static Stream<Row> network() {
    return Stream.of(
        row(
            "reset",
            (daemon, upstream) -> {
              daemon.setSoLinger(true, 0);
              return false;
            },
            TRANSIENT),
        row("silence", (daemon, upstream) -> sleep(60_000), TRANSIENT),
        row(
            "a byte each 20 ms",
            (daemon, upstream) -> slices(daemon.getOutputStream(), upstream.ask(), 1, 20),
            TRANSIENT),
        row(
            "cut in the midst",
            (daemon, upstream) -> {
              byte[] answer = upstream.ask();
              daemon.getOutputStream().write(answer, 0, answer.length / 2);
              daemon.setSoLinger(true, 0);
              return false;
            },
            TRANSIENT),
        row(
            "latency of 300 ms",
            (daemon, upstream) -> {
              sleep(300);
              daemon.getOutputStream().write(upstream.ask());
              return true;
            },
            "200"),
        row(
            "latency of 3 s",
            (daemon, upstream) -> {
              sleep(3_000);
              daemon.getOutputStream().write(upstream.ask());
              return true;
            },
            TRANSIENT),
        row(
            "jitter",
            (daemon, upstream) -> {
              sleep(new Random().nextInt(250));
              daemon.getOutputStream().write(upstream.ask());
              return true;
            },
            "200"),
        row(
            "slices",
            (daemon, upstream) -> slices(daemon.getOutputStream(), upstream.ask(), 16, 1),
            "200"));
  }

  @ParameterizedTest
  @MethodSource("rows")
  void fault_isNeverNoticedByWarmTasks_andToldToColdOnes(Row row) throws Exception {
    try (Watch watch = new Watch(taskrole, relay::keptBack)) {
      relay.begin(row.fault());
      watch.begin();
      watch.during(LASTS);
      watch.end();
      relay.end();
      assertThat(watch.cold()).isNotEmpty().isSubsetOf(row.told());
      watch.assertInvariants();
    }
    assertThat(relay.mostPerSession()).as("calls in flight for one task").isEqualTo(1);
    assertThat(relay.most()).as("calls in flight").isLessThanOrEqualTo(16);
  }

  @Test
  void connectionsRefused_areNeverNoticedByWarmTasks_andToldToColdOnes() throws Exception {
    try (Watch watch = new Watch(taskrole, relay::keptBack)) {
      relay.refuse();
      watch.begin();
      watch.during(LASTS);
      watch.end();
      relay.accept();
      assertThat(watch.cold()).isNotEmpty().isSubsetOf(TRANSIENT);
      watch.assertInvariants();
    }
  }

  private static String good() {
    return issuedXml("ASIA1", "the-secret", "token", in(Duration.ofHours(1)), ARN);
  }

  private static boolean huge(Socket daemon, Relay.Upstream upstream) throws IOException {
    OutputStream out = daemon.getOutputStream();
    ScriptedHttp.write(daemon, "HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n");
    byte[] piece = "<Assume>".repeat(1024).getBytes(StandardCharsets.US_ASCII);
    for (int i = 0; i < 1280; i++) {
      out.write(piece);
    }
    return false;
  }

  private static boolean bomb(Socket daemon, Relay.Upstream upstream) throws IOException {
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (GZIPOutputStream gzip = new GZIPOutputStream(packed)) {
      byte[] noughts = new byte[1 << 20];
      for (int i = 0; i < 64; i++) {
        gzip.write(noughts);
      }
    }
    ScriptedHttp.write(
        daemon,
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: "
            + packed.size()
            + "\r\n\r\n");
    packed.writeTo(daemon.getOutputStream());
    return false;
  }

  private static boolean slices(OutputStream out, byte[] answer, int size, long pauseMillis)
      throws IOException, InterruptedException {
    for (int at = 0; at < answer.length; at += size) {
      out.write(answer, at, Math.min(size, answer.length - at));
      out.flush();
      sleep(pauseMillis);
    }
    return true;
  }

  private static boolean sleep(long millis) throws InterruptedException {
    TimeSource.system().sleep(Duration.ofMillis(millis));
    return false;
  }
}
