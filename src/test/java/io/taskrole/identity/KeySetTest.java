package io.taskrole.identity;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.demo.Issuer;
import io.taskrole.time.TimeSource;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KeySetTest {
  private static Issuer issuer;
  private static String good;

  @BeforeAll
  static void startIssuer() {
    issuer = Issuer.start(TimeSource.system());
    String set = issuer.keySetJson();
    good = set.substring(set.indexOf('[') + 1, set.lastIndexOf(']'));
  }

  @AfterAll
  static void stopIssuer() {
    issuer.close();
  }

  private static Optional<KeySet> parse(String document) {
    return KeySet.parse(document.getBytes(StandardCharsets.UTF_8));
  }

  private static KeySet withGood(String other) {
    return parse("{\"keys\":[" + other + "," + good + "]}").orElseThrow();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "<html><body>503</body></html>",
        "{}",
        "{\"keys\":[]}",
        "{\"keys\":{}}",
        "{\"keys\":\"x\"}",
        "[]",
        "{\"keys\":[{\"kty\":\"RSA\"}]}",
        "{\"keys\":[null]}",
        "{\"keys\":[]} trailing"
      })
  void documentWithoutAUsableKey_isNoKeySet(String document) {
    assertThat(parse(document)).isEmpty();
  }

  @Test
  void tooManyKeysOrBytes_isNoKeySet() {
    assertThat(parse("{\"keys\":[" + String.join(",", Collections.nCopies(65, good)) + "]}"))
        .isEmpty();
    assertThat(parse("{\"keys\":[" + good + "]}" + " ".repeat(256 * 1024))).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"kty\":\"RSA\",\"kid\":\"%s\",\"use\":\"sig\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"kid\":\"%s\",\"use\":\"sig\",\"n\":\"\",\"e\":\"AQAB\"}",
        "{\"kty\":\"oct\",\"kid\":\"%s\",\"k\":\"c2VjcmV0\"}",
        "{\"kty\":\"EC\",\"kid\":\"%s\",\"crv\":\"P-384\",\"x\":\"AA\",\"y\":\"AA\"}",
        "{\"kty\":\"nonsense\",\"kid\":\"%s\"}",
        "{\"kty\":\"RSA\",\"kid\":\"../etc/passwd\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
        "7",
        "null"
      })
  void oneBadKey_neverSpoilsTheOthers(String bad) {
    KeySet set = withGood(bad.replace("%s", UUID.randomUUID().toString()));
    assertThat(set.ids()).containsExactly(issuer.activeKeyId());
    assertThat(set.problems()).hasSize(1);
  }

  @Test
  void weakExponent_privateMembers_andEncryptionKeys_areLeftOut() {
    String kid = UUID.randomUUID().toString();
    String other = good.replace(issuer.activeKeyId(), kid);
    assertThat(withGood(other.replace("AQAB", "Aw")).ids()).hasSize(1);
    assertThat(withGood(other.replace("\"e\":\"AQAB\"", "\"e\":\"AQAB\",\"d\":\"AQAB\"")).ids())
        .hasSize(1);
    assertThat(withGood(other.replace("\"use\":\"sig\"", "\"use\":\"enc\"")).ids()).hasSize(1);
    assertThat(withGood(other.replace("RS256", "RS512")).ids()).hasSize(1);
    assertThat(withGood(other).ids()).hasSize(2);
  }

  @Test
  void repeatedKeyId_namesNoKeyAtAll() {
    String kid = UUID.randomUUID().toString();
    String twin = good.replace(issuer.activeKeyId(), kid);
    KeySet set = parse("{\"keys\":[" + twin + "," + good + "," + twin + "]}").orElseThrow();
    assertThat(set.ids()).containsExactly(issuer.activeKeyId());
    assertThat(set.problems()).containsExactly("key 3 repeats a kid");
  }
}
