package io.taskrole.identity;

import io.taskrole.json.StrictJson;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A token in JWS compact serialisation (RFC 7515 section 7.1), taken apart but <em>not yet
 * verified</em>: nothing in it may be believed.
 *
 * @param header the JOSE header
 * @param claims the payload, from the very bytes that the signature covers
 * @param input what the signature covers
 * @param signature the third part as it came
 */
record SignedToken(
    Map<String, Object> header, Map<String, Object> claims, byte[] input, String signature) {
  /** An Authorization header may hold no more, and STS takes 20 000. */
  private static final int MAXIMUM_LENGTH = 8192;

  /**
   * Takes the token apart. Empty when it is not three non-empty parts, a part is not canonical
   * unpadded base64url, or header or payload are not one strict JSON object: of such a token
   * nothing can be said, not even that it is refused, since Nomad rewrites the token file in place.
   */
  static Optional<SignedToken> parse(String text) {
    if (text.length() > MAXIMUM_LENGTH) {
      return Optional.empty();
    }
    String[] parts = text.split("\\.", -1);
    if (parts.length != 3) {
      return Optional.empty();
    }
    byte[] header = decode(parts[0]);
    byte[] payload = decode(parts[1]);
    if (header == null || payload == null || decode(parts[2]) == null) {
      return Optional.empty();
    }
    Optional<Map<String, Object>> claims = StrictJson.parse(payload);
    byte[] input =
        text.substring(0, text.length() - parts[2].length() - 1)
            .getBytes(StandardCharsets.US_ASCII);
    return StrictJson.parse(header)
        .flatMap(json -> claims.map(body -> new SignedToken(json, body, input, parts[2])));
  }

  /** Decodes only what encodes to the same text again: one signature has one form. */
  private static byte @Nullable [] decode(String part) {
    if (part.isEmpty()) {
      return null;
    }
    try {
      byte[] bytes = Base64.getUrlDecoder().decode(part);
      return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes).equals(part)
          ? bytes
          : null;
    } catch (IllegalArgumentException e) {
      return null;
    }
  }

  /** A claim that is a string, null otherwise. */
  @Nullable String text(String claim) {
    return claims.get(claim) instanceof String text ? text : null;
  }

  boolean has(String claim) {
    return claims.containsKey(claim);
  }
}
