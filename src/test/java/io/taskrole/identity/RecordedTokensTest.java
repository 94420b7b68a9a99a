package io.taskrole.identity;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.refusal.Reason;
import io.taskrole.testing.FixedKeys;
import io.taskrole.testing.ManualTime;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Judges what a live Nomad agent signed, with the key set that it served. The time is ten seconds
 * after the one that the recording names: its youngest token was signed seven seconds later than
 * that.
 */
class RecordedTokensTest {
  private static final Path FIXTURES = Path.of("src/test/resources/fixtures");
  private static final IdentityConfig CONFIG =
      new IdentityConfig(
          "sts.amazonaws.com",
          Optional.empty(),
          URI.create("http://127.0.0.1:4646/.well-known/jwks.json"),
          Duration.ofSeconds(5));

  private static Verification judge(String keySet, String token, String at) throws IOException {
    return new TokenVerifier(
            CONFIG, FixedKeys.of(Files.readAllBytes(FIXTURES.resolve(keySet))), ManualTime.at(at))
        .verify(BearerToken.of(Files.readString(FIXTURES.resolve(token))));
  }

  private static Verification real(String name) throws IOException {
    return judge("real/jwks.json", "real/tokens/" + name + ".jwt", "2026-11-23T08:31:10Z");
  }

  @ParameterizedTest
  @CsvSource({
    "task",
    "job-with-colon",
    "ambiguous-names",
    "dispatched",
    "periodic",
    "after-rotation"
  })
  void taskToken_isAccepted(String name) throws IOException {
    assertThat(real(name)).isInstanceOf(Verification.Verified.class);
  }

  @ParameterizedTest
  @CsvSource({
    "no-exp, TokenClaimsInvalid",
    "two-audiences, TokenAudienceRefused",
    "no-audience, TokenAudienceRefused",
    "default-identity, TokenNotATask",
    "daemon-default-identity, TokenNotATask",
    "node-identity, TokenNotATask",
    "node-introduction, TokenNotATask"
  })
  void anyOtherToken_isRefusedWithItsReason(String name, String code) throws IOException {
    assertThat(real(name))
        .isInstanceOfSatisfying(
            Verification.Rejected.class,
            rejected -> assertThat(rejected.refusal().reason().code()).isEqualTo(code));
  }

  @Test
  void ambiguousNames_areReadByTheClaims_notBySplittingTheSubject() throws IOException {
    assertThat(real("ambiguous-names"))
        .isInstanceOfSatisfying(
            Verification.Verified.class,
            verified ->
                assertThat(verified.identity().workload())
                    .isEqualTo(new Workload("payments", "team:a/bill(ü)", "x:y", "e.f:g")));
  }

  @Test
  void youngestToken_isNotYetValidAtTheRecordingsOwnTime() throws IOException {
    assertThat(judge("real/jwks.json", "real/tokens/ambiguous-names.jwt", "2026-11-23T08:31:00Z"))
        .isInstanceOfSatisfying(
            Verification.Rejected.class,
            rejected ->
                assertThat(rejected.refusal().reason()).isEqualTo(Reason.TOKEN_NOT_YET_VALID));
  }

  @Test
  void dispatchedChild_carriesItsParentsId() throws IOException {
    assertThat(real("dispatched"))
        .isInstanceOfSatisfying(
            Verification.Verified.class,
            verified ->
                assertThat(verified.identity().workload().job()).doesNotContain("dispatch-"));
  }

  @Test
  void oldClustersKey_isRefusedWithTheMend() throws IOException {
    assertThat(judge("jwks.json", "sample_eddsa.jwt", "2026-09-08T20:45:00Z"))
        .isInstanceOfSatisfying(
            Verification.Rejected.class,
            rejected -> {
              assertThat(rejected.refusal().reason()).isEqualTo(Reason.TOKEN_ALGORITHM_REFUSED);
              assertThat(rejected.refusal().message()).contains("rotate the Nomad keyring");
            });
  }

  @Test
  void handMadeSample_isAccepted() throws IOException {
    assertThat(judge("jwks.json", "sample_rs256.jwt", "2026-09-08T20:45:00Z"))
        .isInstanceOfSatisfying(
            Verification.Verified.class,
            verified -> assertThat(verified.identity().region()).isEqualTo("eu-west"));
  }

  @Test
  void expiredToken_isRefusedToTheSecond() throws IOException {
    assertThat(judge("real/jwks.json", "real/tokens/task.jwt", "2036-11-23T08:31:00Z"))
        .isInstanceOfSatisfying(
            Verification.Expired.class,
            expired -> assertThat(expired.refusal().reason()).isEqualTo(Reason.TOKEN_EXPIRED));
  }
}
