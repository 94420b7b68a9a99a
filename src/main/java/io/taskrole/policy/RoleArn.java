package io.taskrole.policy;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The ARN of an IAM role, for example {@code arn:aws:iam::123456789012:role/nomad/billing} (IAM
 * User Guide, "IAM identifiers").
 *
 * @param value the whole ARN, 20 to 2048 characters
 * @param partition {@code aws}, {@code aws-cn}, {@code aws-us-gov}, …
 * @param account 12 digits
 * @param path begins and ends with a slash; {@code /} when there is none
 * @param name 1 to 64 characters of {@code [A-Za-z0-9_+=,.@-]}
 */
public record RoleArn(String value, String partition, String account, String path, String name) {
  private static final Pattern FORM =
      Pattern.compile(
          "arn:(aws(?:-[a-z]+)*):iam::([0-9]{12}):role(/(?:[!-.0-~]+/)*)([A-Za-z0-9_+=,.@-]{1,64})");

  /** Returns the ARN, or empty when the text is not one of an IAM role. */
  public static Optional<RoleArn> parse(String text) {
    Matcher matcher = FORM.matcher(text);
    if (text.length() > 2048 || !matcher.matches()) {
      return Optional.empty();
    }
    return Optional.of(
        new RoleArn(text, matcher.group(1), matcher.group(2), matcher.group(3), matcher.group(4)));
  }

  /**
   * Whether every character may stand in a role's name (IAM User Guide, "IAM name requirements").
   */
  static boolean isName(String text) {
    return !text.isEmpty()
        && text.chars()
            .allMatch(c ->
                (c >= 'a' && c <= 'z')
                    || (c >= 'A' && c <= 'Z')
                    || (c >= '0' && c <= '9')
                    || "_+=,.@-".indexOf(c) >= 0);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof RoleArn that && value.equals(that.value);
  }

  @Override
  public int hashCode() {
    return value.hashCode();
  }

  @Override
  public String toString() {
    return value;
  }
}
