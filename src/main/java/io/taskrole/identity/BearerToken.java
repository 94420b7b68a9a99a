package io.taskrole.identity;

import static java.util.Objects.requireNonNull;

import io.taskrole.secret.Secret;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/**
 * A token as it came, not yet judged. It is a Nomad API credential as well as ours, so it goes to
 * STS and nowhere else: it prints redacted, and what may be logged of it is {@link #fingerprint()}.
 *
 * <p>Safe for concurrent use.
 */
public final class BearerToken {
  private final Digest digest;

  /** As it came, until the content is asked for: most tokens are known by their digest. */
  private @Nullable String text;

  private @Nullable Secret content;

  private BearerToken(String text) {
    this.text = text;
    this.digest = Digest.of(text);
  }

  /** Wraps the text of an {@code Authorization} header or a token file, as it is. */
  public static BearerToken of(String text) {
    return new BearerToken(text);
  }

  /** The token itself, for verification and for STS. */
  public synchronized Secret content() {
    Secret known = content;
    if (known == null) {
      known = Secret.taking(requireNonNull(text).getBytes(StandardCharsets.ISO_8859_1));
      content = known;
      text = null;
    }
    return known;
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
    return other instanceof BearerToken that && digest.equals(that.digest);
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
    /** One for each thread that reads tokens: looking the algorithm up costs as much as hashing. */
    private static final ThreadLocal<Hashing> HASHING = ThreadLocal.withInitial(Hashing::new);

    private final byte[] bytes;

    private Digest(byte[] bytes) {
      this.bytes = bytes;
    }

    private static Digest of(String text) {
      return new Digest(HASHING.get().hash(text));
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

  /** Hashes without a copy of the token on the heap. For one thread. */
  private static final class Hashing {
    private final MessageDigest sha256 = sha256();
    private final byte[] piece = new byte[1024];

    byte[] hash(String text) {
      for (int from = 0; from < text.length(); from += piece.length) {
        int length = Math.min(piece.length, text.length() - from);
        for (int i = 0; i < length; i++) {
          char c = text.charAt(from + i);
          piece[i] = (byte) (c <= 0xff ? c : '?');
        }
        sha256.update(piece, 0, length);
      }
      Arrays.fill(piece, (byte) 0);
      return sha256.digest();
    }

    private static MessageDigest sha256() {
      try {
        return MessageDigest.getInstance("SHA-256");
      } catch (NoSuchAlgorithmException e) {
        throw new IllegalStateException("every Java platform has SHA-256", e);
      }
    }
  }
}
