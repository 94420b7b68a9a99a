package io.taskrole.policy;

/**
 * A legal {@code RoleSessionName}: 2 to 64 characters of {@code [A-Za-z0-9_+=,.@-]} (STS API
 * reference, AssumeRoleWithWebIdentity).
 *
 * @param value the name as CloudTrail shows it
 */
public record SessionName(String value) {
  /** Throws {@link IllegalArgumentException} when STS would refuse the name. */
  public SessionName {
    if (!value.matches("[A-Za-z0-9_+=,.@-]{2,64}")) {
      throw new IllegalArgumentException("not a legal RoleSessionName");
    }
  }

  /** TEMP until the policy branch is merged. */
  public static SessionName of(io.taskrole.identity.AllocationId allocation, String task) {
    return new SessionName(allocation.value());
  }

  @Override
  public String toString() {
    return value;
  }
}
