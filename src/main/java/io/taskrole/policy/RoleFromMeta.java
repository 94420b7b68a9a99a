package io.taskrole.policy;

import java.util.Optional;

/**
 * A role that the job names itself, in a {@code meta} block, inside what the operator allows: one
 * ARN, or all that begin with a text that reaches into the role's path or name.
 */
final class RoleFromMeta implements RoleChoice {
  private final String key;
  private final RoleTemplate allowed;
  private final boolean isPrefix;

  private RoleFromMeta(String key, RoleTemplate allowed, boolean isPrefix) {
    this.key = key;
    this.allowed = allowed;
    this.isPrefix = isPrefix;
  }

  /**
   * Returns the choice, or empty when the pattern is not one of role ARNs.
   *
   * @param key the name in {@code meta}
   * @param pattern an ARN, its path and name as in {@link RoleTemplate}; a {@code *} at the end
   *     stands for any rest
   */
  static Optional<RoleFromMeta> parse(String key, String pattern) {
    boolean isPrefix = pattern.endsWith("*");
    // The star's place is held by a letter, so that the ARN's form can be checked.
    String text = isPrefix ? pattern.substring(0, pattern.length() - 1) + "x" : pattern;
    return RoleTemplate.parse(text).map(allowed -> new RoleFromMeta(key, allowed, isPrefix));
  }

  @Override
  public RoleArn example() {
    return allowed.example();
  }

  @Override
  public Choice choose(Applicant applicant, int line) {
    return switch (allowed.choose(applicant, line)) {
      case Choice.None none -> none;
      case Choice.Chosen(var limit) -> named(applicant, limit, line);
    };
  }

  private Choice named(Applicant applicant, RoleArn limit, int line) {
    String wanted = applicant.meta().get(key);
    if (wanted == null) {
      return RoleChoice.none(
          "Job author: name the role in meta { "
              + key
              + " = \"arn:aws:iam::...\" }; the rule in line "
              + line
              + " of the roles file takes it from there.");
    }
    Optional<RoleArn> role = RoleArn.parse(wanted);
    String value = limit.value();
    boolean isAllowed =
        isPrefix ? wanted.startsWith(value.substring(0, value.length() - 1)) : wanted.equals(value);
    if (role.isPresent() && isAllowed) {
      return new Choice.Chosen(role.get());
    }
    return RoleChoice.none(
        "Job author: choose another role in meta "
            + key
            + "; "
            + RoleChoice.shown(wanted)
            + (role.isEmpty() ? " is no role ARN" : " is not allowed")
            + " by the rule in line "
            + line
            + " of the roles file.");
  }
}
