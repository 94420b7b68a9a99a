package io.taskrole.identity;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSVerifier;
import com.nimbusds.jose.crypto.ECDSAVerifier;
import com.nimbusds.jose.crypto.RSASSAVerifier;
import com.nimbusds.jose.util.Base64URL;
import java.security.PublicKey;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPublicKey;

/** A public key of the key set, with the one algorithm it may verify (RFC 8725 section 3.1). */
sealed interface VerificationKey {
  /** A key that STS accepts too. Equal when the public keys are. */
  final class Usable implements VerificationKey {
    private final String algorithm;
    private final PublicKey key;
    private final JWSVerifier verifier;

    private Usable(String algorithm, PublicKey key, JWSVerifier verifier) {
      this.algorithm = algorithm;
      this.key = key;
      this.verifier = verifier;
    }

    static Usable rs256(RSAPublicKey key) {
      return new Usable("RS256", key, new RSASSAVerifier(key));
    }

    static Usable es256(ECPublicKey key) {
      try {
        return new Usable("ES256", key, new ECDSAVerifier(key));
      } catch (JOSEException e) {
        throw new IllegalArgumentException("not a P-256 key", e);
      }
    }

    String algorithm() {
      return algorithm;
    }

    /** Whether the signature over the input is this key's. */
    boolean verifies(byte[] input, String signature) {
      try {
        return verifier.verify(
            new JWSHeader(JWSAlgorithm.parse(algorithm)), input, new Base64URL(signature));
      } catch (JOSEException e) {
        return false;
      }
    }

    @Override
    public boolean equals(Object other) {
      return this == other || (other instanceof Usable that && key.equals(that.key));
    }

    @Override
    public int hashCode() {
      return key.hashCode();
    }
  }

  /** A well-formed key of a kind that STS refuses, such as Nomad's Ed25519 keys. */
  record Unusable(String algorithm) implements VerificationKey {}
}
