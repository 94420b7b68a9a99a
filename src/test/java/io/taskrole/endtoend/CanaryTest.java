package io.taskrole.endtoend;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.broker.Lease;
import io.taskrole.broker.Outcome;
import io.taskrole.broker.SessionCredentials;
import io.taskrole.identity.AllocationId;
import io.taskrole.identity.BearerToken;
import io.taskrole.policy.Grant;
import io.taskrole.policy.RoleArn;
import io.taskrole.policy.SessionName;
import io.taskrole.secret.Secret;
import io.taskrole.testing.RawHttp;
import io.taskrole.testing.Reply;
import io.taskrole.testing.ScriptedHttp;
import io.taskrole.testing.StsAnswers;
import io.taskrole.testing.TestDaemon;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * No token and no secret in logs, metrics, errors, audit or {@code toString}: every path is walked
 * with canaries, at the finest log level that the daemon has, and everything that came out is
 * searched in plain, base64 and hex.
 */
class CanaryTest {
  private static final String SECRET = "CANARYsecretCANARY0123456789abcdefghijkl";
  private static final String SESSION = "CANARYsessionCANARY0123456789" + "x".repeat(300);

  @TempDir Path directory;
  private final Queue<String> logged = new ConcurrentLinkedQueue<>();
  private final Logger root = Logger.getLogger("");
  private final Logger ours = Logger.getLogger("io.taskrole");
  private final Handler capture =
      new Handler() {
        @Override
        public void publish(LogRecord entry) {
          logged.add(String.valueOf(entry.getMessage()));
          for (Throwable thrown = entry.getThrown(); thrown != null; thrown = thrown.getCause()) {
            logged.add(String.valueOf(thrown));
          }
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
      };
  private Level before = Level.INFO;

  @BeforeEach
  void captureEverything() {
    // As with --debug: ours to the finest, third parties from WARNING on.
    before = root.getLevel();
    capture.setLevel(Level.ALL);
    root.setLevel(Level.WARNING);
    ours.setLevel(Level.FINE);
    root.addHandler(capture);
  }

  @AfterEach
  void restore() {
    root.setLevel(before);
    ours.setLevel(null);
    root.removeHandler(capture);
  }

  private static void assertClean(String what, String text, List<String> canaries) {
    for (String canary : canaries) {
      byte[] bytes = canary.getBytes(StandardCharsets.UTF_8);
      String base64 = Base64.getEncoder().withoutPadding().encodeToString(bytes);
      String hex = HexFormat.of().formatHex(bytes);
      for (String form : List.of(canary, base64, hex, hex.toUpperCase(java.util.Locale.ROOT))) {
        // A part of a secret is a leak as well: look for its beginning and its end.
        assertThat(text).as("%s", what).doesNotContain(form.substring(0, 24));
        assertThat(text).as("%s", what).doesNotContain(form.substring(form.length() - 24));
      }
    }
  }

  @Test
  void nothingThatComesOut_holdsATokenOrASecret() {
    StringBuilder answers = new StringBuilder();
    try (ScriptedHttp sts = ScriptedHttp.start();
        TestDaemon test =
            TestDaemon.startWithSts(directory, sts.uri("").toString(), "answer-within: 300ms")) {
      String token = test.billing().sign();
      String signature = token.substring(token.lastIndexOf('.') + 1);
      List<String> canaries = List.of(signature, SECRET, SESSION);
      String good =
          StsAnswers.issued("ASIACANARY", SECRET, SESSION, StsAnswers.in(Duration.ofHours(1)), "");

      // What STS may say, hostile answers that quote the token among it.
      for (String answer :
          List.of(
              StsAnswers.error(400, "Throttling", token),
              StsAnswers.error(403, "AccessDenied", token),
              StsAnswers.error(400, "InvalidIdentityToken", token),
              StsAnswers.error(400, token.substring(0, 60), token),
              "HTTP/1.1 500 " + token + "\r\nContent-Length: 0\r\n\r\n",
              token,
              "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n<" + SECRET.substring(0, 18) + ">",
              StsAnswers.issued(
                  "ASIACANARY", SECRET, SESSION, StsAnswers.in(Duration.ofSeconds(-5)), ""),
              StsAnswers.issued(
                  "ASIACANARY",
                  SECRET,
                  SESSION,
                  StsAnswers.in(Duration.ofHours(1)),
                  "arn:other"))) {
        sts.always(socket -> ScriptedHttp.write(socket, answer));
        answers.append(test.get(test.billing().sign()).body());
      }
      // What callers may send.
      for (String request :
          List.of(
              "GET /v1/credentials?token="
                  + token.substring(0, 700)
                  + " HTTP/1.1\r\nHost: x\r\n\r\n",
              "GET /" + token + " HTTP/1.1\r\n\r\n",
              "POST /v1/credentials HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: "
                  + token
                  + "\r\n\r\n",
              "GET /v1/credentials HTTP/1.1\r\nAuthorization " + token + "\r\n\r\n",
              "GET /v1/credentials HTTP/1.1\r\nAuthorization: \0" + token + "\r\n\r\n",
              "GET /v1/credentials HTTP/1.1\r\nAuthorization: " + token.repeat(9) + "\r\n\r\n",
              RawHttp.request(test.address(), token + "x"),
              RawHttp.request(test.address(), token.substring(0, token.length() - 3)),
              RawHttp.request(test.address(), token + ", " + token))) {
        answers.append(RawHttp.once(test.address(), request).body());
      }
      // The one answer that must hold them.
      sts.always(socket -> ScriptedHttp.write(socket, good));
      Reply issued = test.get(token);
      assertThat(issued.body()).contains(SECRET, SESSION);
      assertThat(issued.body()).doesNotContain(signature);

      assertClean("errors", answers.toString(), canaries);
      assertClean("metrics", test.admin("/metrics").body(), canaries);
      assertClean("readyz", test.admin("/readyz").body(), canaries);
      assertClean("audit", String.join("\n", test.audit(19)), canaries);
      test.daemon().reload();
      assertClean("log", String.join("\n", logged), canaries);
      assertThat(logged).isNotEmpty();
    }
  }

  @Test
  void everySecretBearingType_printsWithoutItsSecret() {
    Secret secret = Secret.of(SECRET);
    SessionCredentials credentials =
        new SessionCredentials(
            "ASIACANARY",
            secret,
            Secret.of(SESSION),
            Instant.EPOCH,
            "123456789012",
            Optional.empty());
    AllocationId allocation = new AllocationId("b3f1c0de-7a4e-4b61-9c2d-5f0a8e6d1b42");
    Lease lease =
        new Lease(
            new Lease.Key(
                allocation,
                "server",
                new Grant(
                    RoleArn.parse("arn:aws:iam::123456789012:role/a").orElseThrow(),
                    Duration.ofHours(1),
                    Optional.empty(),
                    List.of(),
                    Optional.empty())),
            SessionName.of(allocation, "server"),
            credentials,
            Instant.EPOCH);
    lease.document(_ -> Secret.of(SECRET));
    Stream.of(
            secret,
            credentials,
            lease,
            new Outcome.Issued(lease),
            BearerToken.of(SECRET + "." + SESSION + ".x"))
        .forEach(bearer ->
            assertClean(
                bearer.getClass().getSimpleName(),
                String.valueOf(bearer),
                List.of(SECRET, SESSION)));
  }
}
