package io.taskrole.identity;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.KeyUse;
import com.nimbusds.jose.jwk.OctetKeyPair;
import com.nimbusds.jose.jwk.RSAKey;
import io.taskrole.json.StrictJson;
import java.math.BigInteger;
import java.security.interfaces.RSAPublicKey;
import java.text.ParseException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The public keys of an issuer (RFC 7517), as far as they are fit for use. Immutable.
 *
 * <p>A key that is malformed, weak, ambiguous or private is left out and named in {@link
 * #problems()}; it never spoils the others.
 */
public final class KeySet {
  /** The most bytes of a key set document. */
  static final int MAXIMUM_BYTES = 256 * 1024;

  private static final int MAXIMUM_KEYS = 64;
  private static final int LEAST_RSA_BITS = 2048;
  private static final BigInteger LEAST_EXPONENT = BigInteger.valueOf(65537);
  static final Pattern KEY_ID =
      Pattern.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}");

  private final Map<String, VerificationKey> keys;
  private final List<String> problems;

  private KeySet(Map<String, VerificationKey> keys, List<String> problems) {
    this.keys = Map.copyOf(keys);
    this.problems = List.copyOf(problems);
  }

  /**
   * Reads a key set document; empty when it is not one, is too large, or holds no key that could be
   * used: such a document must not replace a good set.
   */
  public static Optional<KeySet> parse(byte[] document) {
    if (document.length > MAXIMUM_BYTES) {
      return Optional.empty();
    }
    if (!(StrictJson.parse(document).map(object -> object.get("keys")).orElse(null)
        instanceof List<?> entries)) {
      return Optional.empty();
    }
    if (entries.isEmpty() || entries.size() > MAXIMUM_KEYS) {
      return Optional.empty();
    }
    KeySet set = read(entries);
    return set.keys.isEmpty() ? Optional.empty() : Optional.of(set);
  }

  private static KeySet read(List<?> entries) {
    Map<String, VerificationKey> keys = new LinkedHashMap<>();
    List<String> problems = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    for (int i = 0; i < entries.size(); i++) {
      String id = keyId(entries.get(i));
      if (id == null) {
        problems.add("key " + (i + 1) + " has no UUID as kid");
      } else if (!seen.add(id)) {
        keys.remove(id);
        problems.add("key " + (i + 1) + " repeats a kid");
      } else {
        try {
          keys.put(id, key(JWK.parse(asJson(entries.get(i)))));
        } catch (ParseException | JOSEException | IllegalArgumentException e) {
          problems.add("key " + (i + 1) + " cannot be used");
        }
      }
    }
    return new KeySet(keys, problems);
  }

  /** The key of that id, null when the set has none. */
  @Nullable VerificationKey key(String id) {
    return keys.get(id);
  }

  /** The ids of the keys, in no order. */
  public Set<String> ids() {
    return keys.keySet();
  }

  /** What was left out and why, in our words. */
  public List<String> problems() {
    return problems;
  }

  private static @Nullable String keyId(@Nullable Object entry) {
    return entry instanceof Map<?, ?> map
            && map.get("kid") instanceof String id
            && KEY_ID.matcher(id).matches()
        ? id
        : null;
  }

  @SuppressWarnings("unchecked") // StrictJson makes objects with String keys
  private static Map<String, Object> asJson(Object entry) {
    return (Map<String, Object>) entry;
  }

  private static VerificationKey key(JWK jwk) throws JOSEException {
    if (jwk.isPrivate()) {
      throw new IllegalArgumentException("a private key in a public set");
    }
    if (jwk.getKeyUse() != null && !jwk.getKeyUse().equals(KeyUse.SIGNATURE)) {
      throw new IllegalArgumentException("not a signing key");
    }
    String algorithm = jwk.getAlgorithm() == null ? null : jwk.getAlgorithm().getName();
    return switch (jwk) {
      case RSAKey rsa when algorithm == null || algorithm.equals("RS256") ->
          VerificationKey.Usable.rs256(strong(rsa.toRSAPublicKey()));
      case ECKey ec
          when Curve.P_256.equals(ec.getCurve())
              && (algorithm == null || algorithm.equals("ES256")) ->
          VerificationKey.Usable.es256(ec.toECPublicKey());
      case OctetKeyPair pair when Curve.Ed25519.equals(pair.getCurve()) ->
          new VerificationKey.Unusable("EdDSA");
      default -> throw new IllegalArgumentException("another kind of key");
    };
  }

  private static RSAPublicKey strong(RSAPublicKey key) {
    BigInteger exponent = key.getPublicExponent();
    if (key.getModulus().bitLength() < LEAST_RSA_BITS
        || exponent.compareTo(LEAST_EXPONENT) < 0
        || exponent.bitLength() > 32
        || !exponent.testBit(0)) {
      throw new IllegalArgumentException("a weak RSA key");
    }
    return key;
  }
}
