package io.taskrole.identity;

import io.taskrole.secret.Secret;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * A token as it came, not yet judged. It is a Nomad API credential as well as ours, so it goes to
 * STS and nowhere else: it prints redacted, and what may be logged of it is {@link #fingerprint()}.
 *
 * <p>Safe for concurrent use.
 */
public final class BearerToken {
  private final Secret content;
  private final Digest digest;

  private BearerToken(Secret content, Digest digest) {
    this.content = content;
    this.digest = digest;
  }

  /** Wraps the text of an {@code Authorization} header or a token file, as it is. */
  public static BearerToken of(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
    return new BearerToken(Secret.taking(bytes), Digest.of(bytes));
  }

  /** The token itself, for verification and for STS. */
  public Secret content() {
    return content;
  }

  /** SHA-256 of the token: equal for equal tokens, usable as a map key. */
  public Digest digest() {
    return digest;
  }

  /**
   * The first 8 bytes of the SHA-256 in hex: enough to tell tokens apart in a log, useless to hold.
   */
  public String fingerprint() {
    return digest.fingerprint();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof BearerToken that && content.equals(that.content);
  }

  @Override
  public int hashCode() {
    return digest.hashCode();
  }

  @Override
  public String toString() {
    return "[redacted token " + fingerprint() + "]";
  }

  /** The SHA-256 of a token. */
  public static final class Digest {
    private static final MessageDigest SHA_256 = sha256();

    private final byte[] bytes;

    private Digest(byte[] bytes) {
      this.bytes = bytes;
    }

    private static Digest of(byte[] content) {
      try {
        // Copies one: looking the algorithm up anew costs as much as the hashing.
        return new Digest(((MessageDigest) SHA_256.clone()).digest(content));
      } catch (CloneNotSupportedException e) {
        throw new IllegalStateException("the JDK's SHA-256 can be copied", e);
      }
    }

    private static MessageDigest sha256() {
      try {
        return MessageDigest.getInstance("SHA-256");
      } catch (NoSuchAlgorithmException e) {
        throw new IllegalStateException("every Java platform has SHA-256", e);
      }
    }

    String fingerprint() {
      return HexFormat.of().formatHex(bytes, 0, 8);
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Digest that && MessageDigest.isEqual(bytes, that.bytes);
    }

    @Override
    public int hashCode() {
      return (bytes[0] & 0xff) << 24
          | (bytes[1] & 0xff) << 16
          | (bytes[2] & 0xff) << 8
          | (bytes[3] & 0xff);
    }

    @Override
    public String toString() {
      return fingerprint();
    }
  }
}
