package io.taskrole.identity;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BearerTokenTest {
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 900, 1023, 1024, 1025, 2048, 8000})
  void digest_isTheSha256OfAllOfIt(int length) throws Exception {
    String text = "e\u00ffy".repeat(length / 3 + 1).substring(0, length);
    byte[] hash =
        MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.ISO_8859_1));
    BearerToken token = BearerToken.of(text);
    assertThat(token.fingerprint()).isEqualTo(HexFormat.of().formatHex(hash, 0, 8));
    assertThat(token.digest()).isEqualTo(BearerToken.of(text).digest());
    assertThat(token.digest()).isNotEqualTo(BearerToken.of(text + "a").digest());
  }

  @Test
  void lettersBeyondLatin_areNoOtherWayToWriteAToken() {
    BearerToken token = BearerToken.of("eyJ");
    BearerToken disguised = BearerToken.of("eyJ".replace('J', (char) ('J' + 0x100)));
    assertThat(disguised).isNotEqualTo(token).isEqualTo(BearerToken.of("ey?"));
    assertThat(disguised.content().revealText()).isEqualTo("ey?");
  }

  @Test
  void content_isOneSecret_andIsNotPrinted() {
    BearerToken token = BearerToken.of("eyJhbGciOiJSUzI1NiJ9");
    assertThat(token.content()).isSameAs(token.content());
    assertThat(token.content().revealText()).isEqualTo("eyJhbGciOiJSUzI1NiJ9");
    assertThat(token.toString()).doesNotContain("eyJ").contains(token.fingerprint());
    token.content().erase();
    assertThat(token.content().revealText()).doesNotContain("eyJ");
  }
}
