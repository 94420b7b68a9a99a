package io.taskrole.policy;

import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * An AWS Region, with the partition that its name implies.
 *
 * @param name for example {@code eu-west-1}
 */
public record Region(String name) {
  private static final Pattern FORM = Pattern.compile("[a-z]{2,4}(?:-[a-z]+){1,3}-[0-9]{1,2}");

  /** Beginnings of Region names outside the partition {@code aws}. */
  private static final Map<String, String> PARTITIONS =
      Map.of(
          "cn-", "aws-cn",
          "us-gov-", "aws-us-gov",
          "us-iso-", "aws-iso",
          "us-isob-", "aws-iso-b",
          "eu-isoe-", "aws-iso-e",
          "us-isof-", "aws-iso-f",
          "eusc-", "aws-eusc");

  /** Returns the Region, or empty when the text has not the form of one. */
  public static Optional<Region> parse(String text) {
    return FORM.matcher(text).matches() ? Optional.of(new Region(text)) : Optional.empty();
  }

  /** The partition, as it stands in ARNs. */
  public String partition() {
    return PARTITIONS.entrySet().stream()
        .filter(entry -> name.startsWith(entry.getKey()))
        .map(Map.Entry::getValue)
        .findFirst()
        .orElse("aws");
  }

  @Override
  public String toString() {
    return name;
  }
}
