package io.taskrole.policy;

import io.taskrole.identity.AllocationId;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.regex.Pattern;

/**
 * A legal {@code RoleSessionName}: 2 to 64 characters of {@code [A-Za-z0-9_+=,.@-]} (STS API
 * reference, AssumeRoleWithWebIdentity).
 *
 * @param value the name as CloudTrail shows it
 */
public record SessionName(String value) {
  private static final Pattern LEGAL = Pattern.compile("[A-Za-z0-9_+=,.@-]{2,64}");
  private static final Pattern ILLEGAL_CHARACTER = Pattern.compile("[^A-Za-z0-9_=,.@-]");
  private static final int ALLOCATION = 8;
  private static final int HASH = 16;
  private static final int TASK = 64 - ALLOCATION - HASH - 2;

  /** Throws {@link IllegalArgumentException} when STS would refuse the name. */
  public SessionName {
    if (!LEGAL.matcher(value).matches()) {
      throw new IllegalArgumentException("not a legal RoleSessionName");
    }
  }

  /**
   * The name of a task's sessions, for example {@code b3f1c0de-server-91d0f2a7c4e85b36}: the first
   * 8 characters of the allocation id, as much of the task's name as fits, and 64 bits of a hash
   * over both, so that no two tasks share a name whatever characters theirs are made of.
   */
  public static SessionName of(AllocationId allocation, String task) {
    String legible = ILLEGAL_CHARACTER.matcher(task).replaceAll("_");
    return new SessionName(
        allocation.value().substring(0, ALLOCATION)
            + "-"
            + legible.substring(0, Math.min(TASK, legible.length()))
            + "-"
            + hash(allocation.value() + "\0" + task));
  }

  private static String hash(String text) {
    try {
      // Char by char: every encoder would turn unpaired surrogates into one and the same
      // replacement.
      ByteBuffer chars = ByteBuffer.allocate(2 * text.length());
      chars.asCharBuffer().put(text);
      byte[] digest = MessageDigest.getInstance("SHA-256").digest(chars.array());
      return HexFormat.of().formatHex(digest, 0, HASH / 2);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  @Override
  public String toString() {
    return value;
  }
}
