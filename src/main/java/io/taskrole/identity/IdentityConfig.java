package io.taskrole.identity;

import java.net.URI;
import java.time.Duration;
import java.util.Optional;

/**
 * Which tokens are ours.
 *
 * @param audience the one audience that a token must carry
 * @param issuer when present, {@code iss} must equal it
 * @param keySet where the key set is served, http or https
 * @param clockSkew tolerated on {@code nbf} and {@code iat}, never on {@code exp}; at most 60 s
 */
public record IdentityConfig(
    String audience, Optional<String> issuer, URI keySet, Duration clockSkew) {
  /** Throws {@link IllegalArgumentException} when a value is out of range. */
  public IdentityConfig {
    if (audience.isBlank()) {
      throw new IllegalArgumentException("the audience is empty");
    }
    if (clockSkew.isNegative() || clockSkew.compareTo(Duration.ofSeconds(60)) > 0) {
      throw new IllegalArgumentException("clock-skew must be 0s to 60s");
    }
  }
}
