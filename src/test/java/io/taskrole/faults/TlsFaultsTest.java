package io.taskrole.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.faults.TlsDoor.Fault;
import io.taskrole.testing.TestAuthority;
import io.taskrole.testing.TestAuthority.Life;
import io.taskrole.testing.TestDaemon;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What is wrong with TLS at STS, under traffic: warm tasks never notice, cold ones are told in
 * time, the operator reads what to mend, and all is well when it is mended.
 */
class TlsFaultsTest {
  private static final TestAuthority AUTHORITY = new TestAuthority("CN=trusted");
  private static final TestAuthority OTHER = new TestAuthority("CN=other");
  private static final Life HOUR = new Life(Duration.ofMinutes(-1), Duration.ofHours(1));
  private static final Duration LASTS = Duration.ofMillis(400);
  private static final String[] TRANSIENT = {"StsUnavailable", "ExchangePending"};
  private static final String TRUST = "javax.net.ssl.trustStore";

  @TempDir private Path directory;
  private TlsDoor door;
  private TestDaemon taskrole;

  @BeforeEach
  void start() throws Exception {
    KeyStore trusted = KeyStore.getInstance("PKCS12");
    trusted.load(null, null);
    trusted.setCertificateEntry("ca", AUTHORITY.certificate());
    Path store = directory.resolve("trusted.p12");
    try (OutputStream out = Files.newOutputStream(store)) {
      trusted.store(out, "changeit".toCharArray());
    }
    // The daemon trusts whom Java trusts; its STS client looks there once, when it is made.
    System.setProperty(TRUST, store.toString());
    System.setProperty(TRUST + "Password", "changeit");
    taskrole =
        TestDaemon.startBehind(
            directory,
            sts -> {
              door = new TlsDoor(sts, AUTHORITY.issue("CN=sts", "EC"));
              return door.endpoint();
            });
  }

  @AfterEach
  void stop() {
    System.clearProperty(TRUST);
    System.clearProperty(TRUST + "Password");
    taskrole.close();
    door.close();
  }

  /**
   * One row of the table.
   *
   * @param told what the operator reads in {@code /readyz} and in the log
   */
  record Row(String name, Fault fault, String told) {
    @Override
    public String toString() {
      return name;
    }
  }

  static Stream<Row> rows() {
    return Stream.of(
        new Row(
            "expired",
            TlsDoor.presents(
                AUTHORITY.issue(
                    "CN=sts",
                    "EC",
                    "127.0.0.1",
                    new Life(Duration.ofDays(-2), Duration.ofDays(-1)))),
            "Operator: renew the certificate of 127.0.0.1, or set this node's clock; it has"
                + " expired."),
        new Row(
            "not valid yet",
            TlsDoor.presents(
                AUTHORITY.issue(
                    "CN=sts", "EC", "127.0.0.1", new Life(Duration.ofDays(1), Duration.ofDays(2)))),
            "Operator: set this node's clock; the certificate of 127.0.0.1 is not valid yet."),
        new Row(
            "another host's name",
            TlsDoor.presents(AUTHORITY.issue("CN=127.0.0.1", "EC", "sts.example.com", HOUR)),
            "Operator: check sts.endpoint; the certificate there does not name 127.0.0.1."),
        new Row(
            "self-signed",
            TlsDoor.presents(OTHER.own()),
            "Operator: see what answers as 127.0.0.1; its certificate is of an authority that Java"
                + " does not trust."),
        new Row(
            "another authority, as when it is rotated",
            TlsDoor.presents(OTHER.issue("CN=sts", "RSA")),
            "Operator: see what answers as 127.0.0.1; its certificate is of an authority that Java"
                + " does not trust."),
        new Row(
            "TLS 1.1",
            TlsDoor.answers(tls11()),
            "Operator: see what answers as 127.0.0.1; it does not speak TLS 1.2 or 1.3."),
        new Row(
            "no TLS",
            TlsDoor.answers("HTTP/1.1 400 Bad Request\r\n\r\n".getBytes(StandardCharsets.US_ASCII)),
            "Operator: see what answers as 127.0.0.1; it does not speak TLS 1.2 or 1.3."),
        new Row(
            "reset in the handshake",
            TlsDoor.reset(),
            "Wait and ask again: STS could not be reached, or not in time."));
  }

  @ParameterizedTest
  @MethodSource("rows")
  void fault_isNeverNoticedByWarmTasks_andToldToWhoCanMendIt(Row row) throws Exception {
    try (Watch watch = new Watch(taskrole)) {
      door.begin(row.fault());
      watch.begin();
      watch.during(LASTS);
      watch.end();
      assertThat(watch.cold()).isNotEmpty().isSubsetOf(TRANSIENT);
      assertThat(taskrole.admin("/readyz").body()).contains('"' + row.told() + '"');
      assertThat(watch.logged()).contains("exchanges fail: " + row.told());
      door.end();
      watch.assertInvariants();
      assertThat(taskrole.admin("/readyz").body()).doesNotContain("StsUnavailable");
    }
  }

  @Test
  void silenceInTheHandshake_isNeverNoticedByWarmTasks_andEndsWithTheConnection() throws Exception {
    try (Watch watch = new Watch(taskrole)) {
      door.begin(TlsDoor.silence());
      watch.begin();
      watch.during(LASTS);
      watch.end();
      assertThat(watch.cold()).containsOnly("ExchangePending");
      door.end();
      watch.assertInvariants();
      assertThat(taskrole.admin("/readyz").body()).doesNotContain("StsUnavailable");
    }
  }

  /** What a proxy presents that looks into TLS is refused, and no token goes there. */
  @Test
  void tokens_goToNobodyWhoseCertificateIsNotTrusted() throws Exception {
    int before = taskrole.sts().exchanges();
    door.begin(TlsDoor.presents(OTHER.issue("CN=sts", "EC")));

    assertThat(taskrole.get(taskrole.billing().sign()).code()).isEqualTo("StsUnavailable");
    assertThat(taskrole.sts().exchanges()).isEqualTo(before);
  }

  /** The ServerHello of a server that speaks TLS 1.1 (RFC 4346, 7.4.1.3). */
  private static byte[] tls11() {
    byte[] hello = new byte[5 + 4 + 38];
    byte[] head = {0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2};
    System.arraycopy(head, 0, hello, 0, head.length);
    // random and an empty session id are noughts; TLS_RSA_WITH_AES_128_CBC_SHA, no compression
    hello[5 + 4 + 2 + 32 + 1 + 1] = 0x2f;
    return hello;
  }
}
