package io.taskrole.secret;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.function.Function;

/**
 * Secret bytes in memory: prints as {@code [redacted]}, compares in constant time, and can be
 * erased. Reading them takes {@link #reveal} or {@link #revealText()}, names that can be searched
 * for.
 *
 * <p>Safe for concurrent use; after {@link #erase()} the content is zeros.
 */
public final class Secret {
  private final byte[] bytes;

  private Secret(byte[] bytes) {
    this.bytes = bytes;
  }

  /** Takes the array over: the caller keeps no reference to it. */
  public static Secret taking(byte[] bytes) {
    return new Secret(bytes);
  }

  /** Takes the text as UTF-8. */
  public static Secret of(String text) {
    return new Secret(text.getBytes(StandardCharsets.UTF_8));
  }

  /**
   * Shows the bytes themselves, for the length of the call.
   *
   * @param reader copies what it needs; keeps and changes nothing
   */
  public <T> T reveal(Function<byte[], T> reader) {
    return reader.apply(bytes);
  }

  /** Returns the content as text, for interfaces that take nothing but a {@code String}. */
  public String revealText() {
    return new String(bytes, StandardCharsets.UTF_8);
  }

  /** Returns the number of bytes. */
  public int length() {
    return bytes.length;
  }

  /** Overwrites the content with zeros. */
  public void erase() {
    Arrays.fill(bytes, (byte) 0);
  }

  /** Compares in time that does not depend on the content ({@link MessageDigest#isEqual}). */
  @Override
  public boolean equals(Object other) {
    return other instanceof Secret that && MessageDigest.isEqual(bytes, that.bytes);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(bytes);
  }

  @Override
  public String toString() {
    return "[redacted]";
  }
}
