package io.taskrole.identity;

import java.util.Optional;
import java.util.regex.Pattern;

/**
 * The id of a Nomad allocation: 16 random bytes printed in UUID form, lower case. Nomad sets no
 * UUID version bits, so none are asked for.
 *
 * @param value 36 characters
 */
public record AllocationId(String value) {
  private static final Pattern FORM =
      Pattern.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}");

  /** Throws {@link IllegalArgumentException} where {@link #parse} is empty. */
  public AllocationId {
    if (!FORM.matcher(value).matches()) {
      throw new IllegalArgumentException("not an allocation id");
    }
  }

  /** Returns the id, or empty when the text has another form. */
  public static Optional<AllocationId> parse(String text) {
    return FORM.matcher(text).matches() ? Optional.of(new AllocationId(text)) : Optional.empty();
  }

  @Override
  public String toString() {
    return value;
  }
}
