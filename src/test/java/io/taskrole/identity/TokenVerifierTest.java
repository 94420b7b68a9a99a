package io.taskrole.identity;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.demo.Issuer;
import io.taskrole.refusal.Reason;
import io.taskrole.testing.FixedKeys;
import io.taskrole.testing.ManualTime;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The attack corpus: every form of token that must not pass, and the exact reason for each. */
class TokenVerifierTest {
  private static final ManualTime TIME = ManualTime.at("2026-11-23T10:00:00Z");
  private static final IdentityConfig CONFIG =
      new IdentityConfig(
          "sts.amazonaws.com",
          Optional.empty(),
          URI.create("http://127.0.0.1/keys"),
          Duration.ofSeconds(5));
  private static Issuer issuer;

  @BeforeAll
  static void startIssuer() {
    issuer = Issuer.start(TIME);
  }

  @AfterAll
  static void stopIssuer() {
    issuer.close();
  }

  private static TokenVerifier verifier() {
    return new TokenVerifier(CONFIG, FixedKeys.of(issuer.keySetJson()), TIME);
  }

  private static Issuer.Token task() {
    return issuer.token("payments", "billing", "api", "server");
  }

  private static String header() {
    return "{\"alg\":\"RS256\",\"kid\":\"" + issuer.activeKeyId() + "\",\"typ\":\"JWT\"}";
  }

  private static void assertRefused(String token, Reason reason) {
    assertThat(verifier().verify(BearerToken.of(token)))
        .isInstanceOfSatisfying(
            Verification.Rejected.class,
            rejected -> {
              assertThat(rejected.refusal().reason()).isEqualTo(reason);
              assertThat(rejected.refusal().message()).doesNotContain(token);
            });
  }

  private static Verification.Verified assertAccepted(TokenVerifier verifier, String token) {
    Verification verification = verifier.verify(BearerToken.of(token));
    assertThat(verification).isInstanceOf(Verification.Verified.class);
    return (Verification.Verified) verification;
  }

  @Test
  void genuineToken_isAccepted_withAllItSays() {
    Issuer.Token task = task();
    WorkloadIdentity identity = assertAccepted(verifier(), task.sign()).identity();
    assertThat(identity.workload()).isEqualTo(new Workload("payments", "billing", "api", "server"));
    assertThat(identity.allocation().value()).isEqualTo(task.allocation());
    assertThat(identity.region()).isEqualTo("global");
    assertThat(identity.identityName()).isEqualTo("aws");
    assertThat(identity.subject()).isEqualTo(task.subject());
    assertThat(identity.keyId()).isEqualTo(issuer.activeKeyId());
    assertThat(identity.tokenId()).isPresent();
    assertThat(identity.issuer()).contains(issuer.issuer());
  }

  static Stream<Arguments> headers() {
    String kid = issuer.activeKeyId();
    String rest = ",\"kid\":\"" + kid + "\",\"typ\":\"JWT\"}";
    return Stream.of(
        Arguments.of("{\"alg\":\"none\"" + rest, Reason.TOKEN_ALGORITHM_REFUSED),
        Arguments.of("{\"alg\":\"HS256\"" + rest, Reason.TOKEN_ALGORITHM_REFUSED),
        Arguments.of("{\"alg\":\"RS512\"" + rest, Reason.TOKEN_ALGORITHM_REFUSED),
        Arguments.of("{\"alg\":\"PS256\"" + rest, Reason.TOKEN_ALGORITHM_REFUSED),
        Arguments.of("{\"alg\":\"ES256\"" + rest, Reason.TOKEN_ALGORITHM_REFUSED),
        Arguments.of("{\"alg\":\"EdDSA\"" + rest, Reason.TOKEN_ALGORITHM_REFUSED),
        Arguments.of("{\"alg\":\"rs256\"" + rest, Reason.TOKEN_ALGORITHM_REFUSED),
        Arguments.of("{\"alg\":null" + rest, Reason.TOKEN_ALGORITHM_REFUSED),
        Arguments.of("{\"typ\":\"JWT\",\"kid\":\"" + kid + "\"}", Reason.TOKEN_ALGORITHM_REFUSED),
        Arguments.of("{\"alg\":\"RS256\",\"typ\":\"JWT\"}", Reason.TOKEN_HEADER_REFUSED),
        Arguments.of(
            "{\"alg\":\"RS256\",\"kid\":\"../../etc/passwd\"}", Reason.TOKEN_HEADER_REFUSED),
        Arguments.of("{\"alg\":\"RS256\",\"kid\":1}", Reason.TOKEN_HEADER_REFUSED),
        Arguments.of("{\"alg\":\"RS256\",\"crit\":[\"exp\"]" + rest, Reason.TOKEN_HEADER_REFUSED),
        Arguments.of("{\"alg\":\"RS256\",\"jku\":\"http://x\"" + rest, Reason.TOKEN_HEADER_REFUSED),
        Arguments.of("{\"alg\":\"RS256\",\"x5u\":\"http://x\"" + rest, Reason.TOKEN_HEADER_REFUSED),
        Arguments.of("{\"alg\":\"RS256\",\"x5c\":[]" + rest, Reason.TOKEN_HEADER_REFUSED),
        Arguments.of("{\"alg\":\"RS256\",\"jwk\":{}" + rest, Reason.TOKEN_HEADER_REFUSED),
        Arguments.of("{\"alg\":\"RS256\",\"b64\":false" + rest, Reason.TOKEN_HEADER_REFUSED),
        Arguments.of(
            "{\"alg\":\"RS256\",\"kid\":\"" + kid + "\",\"typ\":\"at+jwt\"}",
            Reason.TOKEN_HEADER_REFUSED),
        Arguments.of(
            "{\"alg\":\"RS256\",\"kid\":\"" + UUID.randomUUID() + "\"}", Reason.TOKEN_KEY_UNKNOWN),
        Arguments.of("{\"alg\":\"RS256\",\"alg\":\"none\"" + rest, Reason.TOKEN_MALFORMED),
        Arguments.of("[]", Reason.TOKEN_MALFORMED),
        Arguments.of("{\"alg\":\"RS256\"" + rest + " ", Reason.TOKEN_SIGNATURE_INVALID));
  }

  @ParameterizedTest
  @MethodSource("headers")
  void header_thatIsNotNomads_isRefused(String header, Reason reason) {
    String token = issuer.sign(header, task().payload());
    if (reason == Reason.TOKEN_SIGNATURE_INVALID) {
      // Signed over these very bytes, so genuine: blanks in JSON are no attack.
      assertAccepted(verifier(), token);
    } else {
      assertRefused(token, reason);
    }
  }

  static Stream<Arguments> payloads() {
    String good = task().payload();
    long now = TIME.instant().getEpochSecond();
    return Stream.of(
        Arguments.of(good.replaceFirst("\"exp\":\\d+,", ""), Reason.TOKEN_CLAIMS_INVALID),
        Arguments.of(
            good.replaceFirst("\"exp\":\\d+", "\"exp\":null"), Reason.TOKEN_CLAIMS_INVALID),
        Arguments.of(
            good.replaceFirst("\"exp\":(\\d+)", "\"exp\":\"$1\""), Reason.TOKEN_CLAIMS_INVALID),
        Arguments.of(
            good.replaceFirst("\"exp\":(\\d+)", "\"exp\":$1.5"), Reason.TOKEN_CLAIMS_INVALID),
        Arguments.of(
            good.replaceFirst("\"exp\":(\\d+)", "\"exp\":9223372036854775807"),
            Reason.TOKEN_CLAIMS_INVALID),
        Arguments.of(
            good.replaceFirst("\"exp\":(\\d+)", "\"exp\":99999999999999999999999"),
            Reason.TOKEN_CLAIMS_INVALID),
        Arguments.of(
            good.replaceFirst("\"exp\":(\\d+)", "\"exp\":1e400"), Reason.TOKEN_CLAIMS_INVALID),
        Arguments.of(
            good.replaceFirst("\"exp\":(\\d+)", "\"exp\":-1"), Reason.TOKEN_CLAIMS_INVALID),
        Arguments.of(
            good.replaceFirst("\"exp\":(\\d+)", "\"exp\":" + (now - 9_000)),
            Reason.TOKEN_CLAIMS_INVALID),
        Arguments.of(good.replaceFirst("\"iat\":\\d+,", ""), Reason.TOKEN_CLAIMS_INVALID),
        Arguments.of(good.replaceFirst("\"nbf\":\\d+,", ""), Reason.TOKEN_CLAIMS_INVALID),
        Arguments.of(
            good.replaceFirst("\"nbf\":\\d+", "\"nbf\":" + (now + 6)), Reason.TOKEN_NOT_YET_VALID),
        Arguments.of(
            good.replaceFirst("\"iat\":\\d+", "\"iat\":" + (now + 6)), Reason.TOKEN_NOT_YET_VALID),
        Arguments.of(
            good.replace("\"sts.amazonaws.com\"", "\"vault.io\""), Reason.TOKEN_AUDIENCE_REFUSED),
        Arguments.of(
            good.replace("\"sts.amazonaws.com\"", "[\"sts.amazonaws.com\"]"),
            Reason.TOKEN_AUDIENCE_REFUSED),
        Arguments.of(
            good.replace("\"sts.amazonaws.com\"", "[null,\"sts.amazonaws.com\"]"),
            Reason.TOKEN_AUDIENCE_REFUSED),
        Arguments.of(good.replace("\"sts.amazonaws.com\"", "\"\""), Reason.TOKEN_AUDIENCE_REFUSED),
        Arguments.of(
            good.replace("\"sts.amazonaws.com\"", "\"nomadproject.io\""), Reason.TOKEN_NOT_A_TASK),
        Arguments.of(
            good.replace("\"nomad_task\":\"server\"", "\"nomad_service\":\"server\""),
            Reason.TOKEN_NOT_A_TASK),
        Arguments.of(
            good.replace("\"nomad_task\":", "\"nomad_service\":\"s\",\"nomad_task\":"),
            Reason.TOKEN_NOT_A_TASK),
        Arguments.of(
            good.replaceFirst("\"nomad_allocation_id\":\"[^\"]+\",", ""), Reason.TOKEN_NOT_A_TASK),
        Arguments.of(
            good.replaceFirst(
                "\"nomad_allocation_id\":\"[^\"]+\"", "\"nomad_allocation_id\":\"../x\""),
            Reason.TOKEN_CLAIMS_INVALID),
        Arguments.of(
            good.replace("\"nomad_job_id\":\"billing\"", "\"nomad_job_id\":\"other\""),
            Reason.TOKEN_CLAIMS_INVALID),
        Arguments.of(
            good.replace("\"nomad_job_id\":\"billing\"", "\"nomad_job_id\":7"),
            Reason.TOKEN_CLAIMS_INVALID),
        Arguments.of(
            good.replace("\"nomad_namespace\":\"payments\"", "\"nomad_namespace\":\"default\""),
            Reason.TOKEN_CLAIMS_INVALID),
        Arguments.of(
            good.replace("\"nomad_task\":\"server\"", "\"nomad_task\":\"\""),
            Reason.TOKEN_CLAIMS_INVALID),
        Arguments.of(good.replace("server", "ser\\u202ever"), Reason.TOKEN_CLAIMS_INVALID),
        Arguments.of(good.replace("server", "ser\\nver"), Reason.TOKEN_CLAIMS_INVALID),
        Arguments.of(good.replace("server", "ser\\ud800ver"), Reason.TOKEN_MALFORMED),
        Arguments.of(good.replace("{\"aud\"", "{\"aud\":\"x\",\"aud\""), Reason.TOKEN_MALFORMED),
        Arguments.of(
            good.replace("}", ",\"extra_claims\":{\"a\":1,\"a\":2}}"), Reason.TOKEN_MALFORMED),
        Arguments.of("\ufeff" + good, Reason.TOKEN_MALFORMED),
        Arguments.of(good + "x", Reason.TOKEN_MALFORMED),
        Arguments.of("[" + good + "]", Reason.TOKEN_MALFORMED),
        Arguments.of("null", Reason.TOKEN_MALFORMED));
  }

  @ParameterizedTest
  @MethodSource("payloads")
  void genuinelySignedClaims_thatAreNotATasks_areRefused(String payload, Reason reason) {
    assertRefused(issuer.sign(header(), payload), reason);
  }

  @Test
  void anyOneCharacterChanged_isRefused() {
    String token = task().sign();
    TokenVerifier verifier = verifier();
    Random random = new Random(42);
    String alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/. \n";
    for (int i = 0; i < token.length(); i++) {
      char other = alphabet.charAt(random.nextInt(alphabet.length()));
      if (other != token.charAt(i)) {
        String changed = token.substring(0, i) + other + token.substring(i + 1);
        assertThat(verifier.verify(BearerToken.of(changed)))
            .as("position %d", i)
            .isInstanceOf(Verification.Rejected.class);
      }
    }
  }

  @Test
  void lastCharacterOfTheSignature_hasOneForm() {
    String token = task().sign();
    int accepted = 0;
    for (char c :
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".toCharArray()) {
      String form = token.substring(0, token.length() - 1) + c;
      accepted += verifier().verify(BearerToken.of(form)) instanceof Verification.Verified ? 1 : 0;
    }
    assertThat(accepted).isEqualTo(1);
  }

  @ParameterizedTest
  @CsvSource({"0", "1", "200", "-1", "-40"})
  void cutToken_isMalformed_notRefusedForGood(int end) {
    String token = task().sign();
    String cut = token.substring(0, end < 0 ? token.length() + end : end);
    Verification verification = verifier().verify(BearerToken.of(cut));
    assertThat(verification).isInstanceOf(Verification.Rejected.class);
    Reason reason = ((Verification.Rejected) verification).refusal().reason();
    // A cut that happens to be canonical base64url is a wrong signature; every other is malformed.
    assertThat(reason).isIn(Reason.TOKEN_MALFORMED, Reason.TOKEN_SIGNATURE_INVALID);
  }

  @ParameterizedTest
  @CsvSource({"' %s'", "'%s '", "'%s.'", "'.%s'", "'%s.x'", "'a.%s'"})
  void anythingAroundTheToken_isMalformed(String form) {
    assertRefused(
        String.format(java.util.Locale.ROOT, form, task().sign()), Reason.TOKEN_MALFORMED);
  }

  @Test
  void unsignedToken_isRefused() {
    String payload =
        Base64.getUrlEncoder()
            .withoutPadding()
            .encodeToString(task().payload().getBytes(StandardCharsets.UTF_8));
    String none =
        Base64.getUrlEncoder()
            .withoutPadding()
            .encodeToString("{\"alg\":\"none\"}".getBytes(StandardCharsets.UTF_8));
    assertRefused(none + "." + payload + ".", Reason.TOKEN_MALFORMED);
    assertRefused(none + "." + payload + ".AA", Reason.TOKEN_ALGORITHM_REFUSED);
  }

  @Test
  void anotherIssuersSignatureUnderOurKeyId_isRefused() {
    try (Issuer other = Issuer.start(TIME)) {
      assertRefused(other.sign(header(), task().payload()), Reason.TOKEN_SIGNATURE_INVALID);
    }
  }

  @Test
  void issuer_mustBeTheOneConfigured() {
    IdentityConfig pinned =
        new IdentityConfig(
            CONFIG.audience(),
            Optional.of("https://oidc.example.com"),
            CONFIG.keySet(),
            CONFIG.clockSkew());
    Verification verification =
        new TokenVerifier(pinned, FixedKeys.of(issuer.keySetJson()), TIME)
            .verify(BearerToken.of(task().sign()));
    assertThat(verification)
        .isInstanceOfSatisfying(
            Verification.Rejected.class,
            rejected ->
                assertThat(rejected.refusal().reason()).isEqualTo(Reason.TOKEN_ISSUER_REFUSED));
  }

  @Test
  void noKeySet_meansNothingCanBeJudged() {
    Verification verification =
        new TokenVerifier(CONFIG, FixedKeys.none(), TIME).verify(BearerToken.of(task().sign()));
    assertThat(verification)
        .isInstanceOfSatisfying(
            Verification.Rejected.class,
            rejected ->
                assertThat(rejected.refusal().reason()).isEqualTo(Reason.KEY_SET_UNAVAILABLE));
  }

  @Test
  void unknownKey_isReloadedOnce_andThenJudged() {
    try (Issuer rotating = Issuer.start(TIME)) {
      FixedKeys keys = FixedKeys.of(rotating.keySetJson());
      rotating.rotate();
      keys.upstream(rotating.keySetJson());
      TokenVerifier verifier = new TokenVerifier(CONFIG, keys, TIME);
      assertAccepted(verifier, rotating.token("n", "j", "g", "t").sign());
      assertThat(keys.reloads()).isEqualTo(1);
    }
  }

  @Test
  void verifiedToken_isRememberedUntilItExpires() {
    ManualTime time = ManualTime.at("2026-11-23T10:00:00Z");
    try (Issuer own = Issuer.start(time)) {
      TokenVerifier verifier = new TokenVerifier(CONFIG, FixedKeys.of(own.keySetJson()), time);
      BearerToken token =
          BearerToken.of(own.token("n", "j", "g", "t").life(Duration.ofMinutes(10)).sign());
      assertThat(verifier.recall(token)).isNull();
      assertThat(verifier.verify(token)).isInstanceOf(Verification.Verified.class);
      assertThat(verifier.recall(token)).isNotNull();
      time.advance(Duration.ofSeconds(599));
      assertThat(verifier.recall(token)).isNotNull();
      time.advance(Duration.ofSeconds(1));
      assertThat(verifier.recall(token)).isNull();
      assertThat(verifier.verify(token)).isInstanceOf(Verification.Expired.class);
    }
  }

  @Test
  void renewedTokens_doNotPileUp() {
    ManualTime time = ManualTime.at("2026-11-23T10:00:00Z");
    try (Issuer own = Issuer.start(time)) {
      TokenVerifier verifier = new TokenVerifier(CONFIG, FixedKeys.of(own.keySetJson()), time);
      for (int renewal = 0; renewal < 20; renewal++) {
        verifier.verify(BearerToken.of(own.token("n", "j", "g", "t").sign()));
        time.advance(Duration.ofMinutes(30));
        verifier.tend();
      }

      // Tokens live an hour: the newest two, of which one has just expired.
      assertThat(verifier.remembered()).isEqualTo(1);
    }
  }

  @Test
  void forgottenToken_isJudgedByTheClockAsItIsNow() {
    ManualTime time = ManualTime.at("2026-11-23T10:00:00Z");
    try (Issuer own = Issuer.start(time)) {
      TokenVerifier verifier = new TokenVerifier(CONFIG, FixedKeys.of(own.keySetJson()), time);
      BearerToken token = BearerToken.of(own.token("n", "j", "g", "t").sign());
      assertThat(verifier.verify(token)).isInstanceOf(Verification.Verified.class);
      time.jumpWallClock(Duration.ofHours(-1));
      assertThat(verifier.recall(token)).isNotNull();

      verifier.forget();

      assertThat(verifier.recall(token)).isNull();
      assertThat(verifier.verify(token))
          .isInstanceOfSatisfying(
              Verification.Rejected.class,
              rejected ->
                  assertThat(rejected.refusal().reason()).isEqualTo(Reason.TOKEN_NOT_YET_VALID));
    }
  }

  @Test
  void verifiedToken_isForgottenWhenItsKeyLeavesTheSet() {
    try (Issuer own = Issuer.start(TIME)) {
      FixedKeys keys = FixedKeys.of(own.keySetJson());
      TokenVerifier verifier = new TokenVerifier(CONFIG, keys, TIME);
      BearerToken token = BearerToken.of(own.token("n", "j", "g", "t").sign());
      verifier.verify(token);
      own.rotate();
      keys.replace(own.keySetJson());
      assertThat(verifier.recall(token)).isNotNull();
      own.dropOldKeys();
      keys.replace(own.keySetJson());
      assertThat(verifier.recall(token)).isNull();
      assertThat(verifier.verify(token))
          .isInstanceOfSatisfying(
              Verification.Rejected.class,
              rejected ->
                  assertThat(rejected.refusal().reason()).isEqualTo(Reason.TOKEN_KEY_UNKNOWN));
    }
  }

  @Test
  void token_neverPrintsItself() {
    String text = task().sign();
    assertThat(BearerToken.of(text).toString()).contains("redacted").doesNotContain(text);
    assertThat(BearerToken.of(text).fingerprint()).hasSize(16);
  }
}
