package io.taskrole.sts;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.broker.CredentialSource.Exchange;
import io.taskrole.broker.SessionCredentials;
import io.taskrole.identity.AllocationId;
import io.taskrole.identity.BearerToken;
import io.taskrole.policy.Grant;
import io.taskrole.policy.Region;
import io.taskrole.policy.RoleArn;
import io.taskrole.policy.SessionName;
import io.taskrole.refusal.Reason;
import io.taskrole.refusal.Refusal;
import io.taskrole.testing.ScriptedHttp;
import io.taskrole.testing.StsAnswers;
import io.taskrole.time.TimeSource;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The real SDK against a server that answers every error and every fault byte by byte. */
class StsSourceTest {
  private static final RoleArn ROLE =
      RoleArn.parse("arn:aws:iam::123456789012:role/team/billing").orElseThrow();
  private static final Grant GRANT =
      new Grant(ROLE, Duration.ofHours(1), Optional.empty(), List.of(), Optional.empty());
  private static final SessionName SESSION =
      SessionName.of(new AllocationId("b3f1c0de-7a4e-4b61-9c2d-5f0a8e6d1b42"), "server");
  private static final BearerToken TOKEN = BearerToken.of("header.payload.signature");

  private ScriptedHttp server;
  private StsSource source;

  @BeforeEach
  void start() {
    server = ScriptedHttp.start();
    source =
        new StsSource(
            new StsConfig(
                new Region("eu-west-1"),
                Optional.of(server.uri("")),
                Optional.empty(),
                Duration.ofSeconds(1),
                4,
                50),
            TimeSource.system());
  }

  @AfterEach
  void stop() {
    source.close();
    server.close();
  }

  private Exchange exchange(Grant grant) {
    // As in the daemon: on a virtual thread, whose blocked read a timeout can end.
    try (ExecutorService virtual = Executors.newVirtualThreadPerTaskExecutor()) {
      return CompletableFuture.supplyAsync(() -> source.exchange(grant, SESSION, TOKEN), virtual)
          .join();
    }
  }

  private static Refusal refusal(Exchange exchange) {
    return switch (exchange) {
      case Exchange.Failed(var refusal) -> refusal;
      case Exchange.Denied(var refusal) -> refusal;
      case Exchange.Obtained _ -> throw new AssertionError("obtained");
    };
  }

  @Test
  void goodAnswer_isTakenWhole() {
    Instant expiration = Instant.parse(StsAnswers.in(Duration.ofHours(1)));
    server.next(
        StsAnswers.issued(
            "ASIA1234567890ABCDEF",
            "the/secret+key",
            "the-session-token==",
            expiration.toString(),
            "arn:aws:sts::123456789012:assumed-role/billing/" + SESSION));
    assertThat(exchange(GRANT))
        .isInstanceOfSatisfying(
            Exchange.Obtained.class,
            obtained -> {
              SessionCredentials credentials = obtained.credentials();
              assertThat(credentials.accessKeyId()).isEqualTo("ASIA1234567890ABCDEF");
              assertThat(credentials.secretAccessKey().revealText()).isEqualTo("the/secret+key");
              assertThat(credentials.sessionToken().revealText()).isEqualTo("the-session-token==");
              assertThat(credentials.expiration()).isEqualTo(expiration);
              assertThat(credentials.account()).isEqualTo("123456789012");
              assertThat(credentials.stsRequestId()).contains("request-1");
            });
  }

  @Test
  void warmUp_rehearsesAnExchange_andCallsNobody() {
    source.warmUp();
    assertThat(server.requests()).isEmpty();
  }

  @Test
  void request_isUnsigned_andSaysWhatTheGrantSays() {
    server.always(socket -> ScriptedHttp.write(socket, StsAnswers.error(403, "AccessDenied", "")));
    exchange(
        new Grant(
            ROLE,
            Duration.ofMinutes(90),
            Optional.of("us-east-1"),
            List.of("arn:aws:iam::aws:policy/ReadOnlyAccess"),
            Optional.of("{\"Statement\":[]}")));
    assertThat(server.requests()).hasSize(1);
    assertThat(server.requests().getFirst())
        .startsWith("POST / HTTP/1.1")
        .containsIgnoringCase("content-type: application/x-www-form-urlencoded")
        .doesNotContainIgnoringCase("authorization:")
        .contains("Action=AssumeRoleWithWebIdentity")
        .contains("RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fteam%2Fbilling")
        .contains("RoleSessionName=" + SESSION)
        .contains("WebIdentityToken=header.payload.signature")
        .contains("DurationSeconds=5400")
        .contains("PolicyArns.member.1.arn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2FReadOnlyAccess")
        .contains("Policy=%7B%22Statement%22%3A%5B%5D%7D");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "400 | ExpiredTokenException | Token expired | TokenRefusedBySts",
        "400 | InvalidIdentityToken | Incorrect token audience | TokenRefusedBySts",
        "400 | InvalidIdentityToken | Couldn't retrieve verification key from your identity provider | StsUnavailable",
        "403 | IDPRejectedClaim | no | TokenRefusedBySts",
        "400 | IDPCommunicationError | no | StsUnavailable",
        "403 | RegionDisabledException | no | RoleRefused",
        "400 | MalformedPolicyDocument | no | RoleRefused",
        "400 | PackedPolicyTooLarge | no | RoleRefused",
        "400 | ValidationError | DurationSeconds exceeds | RoleRefused",
        "400 | MissingParameter | no | RoleRefused",
        "400 | InvalidParameterValue | no | RoleRefused",
        "400 | Throttling | Rate exceeded | StsUnavailable",
        "400 | ThrottlingException | Rate exceeded | StsUnavailable",
        "429 | TooManyRequestsException | no | StsUnavailable",
        "500 | InternalFailure | no | StsUnavailable",
        "503 | ServiceUnavailable | no | StsUnavailable",
        "400 | SomethingNew | no | RoleRefused"
      })
  void errorOfSts_becomesAReason_inOneCall(int status, String code, String message, String reason) {
    server.always(
        socket -> ScriptedHttp.write(socket, StsAnswers.error(status, code, message + " tok-3n")));
    Exchange exchange = exchange(GRANT);
    assertThat(exchange).isInstanceOf(Exchange.Failed.class);
    assertThat(refusal(exchange).reason().code()).isEqualTo(reason);
    assertThat(refusal(exchange).message()).doesNotContain("tok-3n");
    assertThat(server.requests()).hasSize(1);
  }

  @Test
  void accessDenied_isAWordAgainstWhatIsHeld() {
    server.next(StsAnswers.error(403, "AccessDenied", "Not authorized"));
    Exchange exchange = exchange(GRANT);
    assertThat(exchange).isInstanceOf(Exchange.Denied.class);
    assertThat(refusal(exchange).reason()).isEqualTo(Reason.ROLE_REFUSED);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      nullValues = "-",
      value = {
        "'' | secret | session | 3600 | -",
        "ASIAX | '' | session | 3600 | -",
        "ASIAX | secret | '' | 3600 | -",
        "ASIAX | secret | session | -5 | -",
        "ASIAX | secret | session | 20 | -",
        "ASIAX | secret | session | 500000 | -",
        "ASIAX | secret | session | 3600 | arn:aws:sts::123456789012:assumed-role/other/SESSION",
        "ASIAX | secret | session | 3600 | arn:aws:sts::999999999999:assumed-role/billing/SESSION",
        "ASIAX | secret | session | 3600 | arn:aws-cn:sts::123456789012:assumed-role/billing/SESSION",
        "ASIAX | secret | session | 3600 | arn:aws:sts::123456789012:assumed-role/billing/other",
        "ASIAX | secret | session | 3600 | arn:aws:iam::123456789012:user/root"
      })
  void answerThatIsNotWhatWasAskedFor_isAnError(
      String key, String secret, String session, long seconds, String arn) {
    server.next(
        StsAnswers.issued(
            key,
            secret,
            session,
            StsAnswers.in(Duration.ofSeconds(seconds)),
            arn == null ? "" : arn.replace("SESSION", SESSION.value())));
    Exchange exchange = exchange(GRANT);
    assertThat(exchange).isInstanceOf(Exchange.Failed.class);
    assertThat(refusal(exchange).reason()).isEqualTo(Reason.STS_UNAVAILABLE);
  }

  @Test
  void answerWithoutTheAssumedRole_asSeaweedFsGivesIt_isTaken() {
    server.next(
        StsAnswers.issued("ASIAX", "secret", "session", StsAnswers.in(Duration.ofHours(1)), ""));
    assertThat(exchange(GRANT)).isInstanceOf(Exchange.Obtained.class);
  }

  @Test
  void everyFaultOfTheNetwork_isUnavailable_inOneCall() {
    String good =
        StsAnswers.issued("ASIAX", "secret", "session", StsAnswers.in(Duration.ofHours(1)), "");
    int half = good.length() / 2;
    List<ScriptedHttp.Act> faults =
        List.of(
            _ -> {},
            ScriptedHttp.reset(),
            socket -> ScriptedHttp.write(socket, good.substring(0, half)),
            socket -> ScriptedHttp.write(socket, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
            socket ->
                ScriptedHttp.write(
                    socket, "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>"),
            socket -> ScriptedHttp.write(socket, "not HTTP at all\r\n\r\n"),
            socket ->
                ScriptedHttp.write(
                    socket,
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nbroken\r\n"),
            socket ->
                ScriptedHttp.write(
                    socket,
                    "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
            socket ->
                ScriptedHttp.write(
                    socket,
                    "HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n"
                        + "<a>".repeat(3_333_333)),
            server.silence(),
            server.drip(good, Duration.ofMillis(100)));
    for (int i = 0; i < faults.size(); i++) {
      int before = server.requests().size();
      server.next(faults.get(i));
      Exchange exchange = exchange(GRANT);
      assertThat(exchange).as("fault %d", i).isInstanceOf(Exchange.Failed.class);
      assertThat(refusal(exchange).reason()).as("fault %d", i).isEqualTo(Reason.STS_UNAVAILABLE);
      assertThat(server.requests()).as("calls of fault %d", i).hasSize(before + 1);
    }
  }

  @Test
  void entityInTheXml_isNotExpanded() {
    server.next(
        StsAnswers.ok(
            "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/hostname\">]>"
                + StsAnswers.issuedXml(
                    "ASIA&x;", "secret", "session", StsAnswers.in(Duration.ofHours(1)), "")));
    if (exchange(GRANT) instanceof Exchange.Obtained(var credentials)) {
      assertThat(credentials.accessKeyId()).isEqualTo("ASIA");
    }
    server.next(
        StsAnswers.ok(
            "<!DOCTYPE a [<!ENTITY x \"boom\">]>"
                + StsAnswers.issuedXml(
                    "ASIA", "sec&x;ret", "session", StsAnswers.in(Duration.ofHours(1)), "")));
    if (exchange(GRANT) instanceof Exchange.Obtained(var credentials)) {
      assertThat(credentials.secretAccessKey().revealText()).doesNotContain("boom");
    }
  }

  @Test
  void noServer_isUnavailable() {
    server.close();
    assertThat(refusal(exchange(GRANT)).reason()).isEqualTo(Reason.STS_UNAVAILABLE);
  }
}
