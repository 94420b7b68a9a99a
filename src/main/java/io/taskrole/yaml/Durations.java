package io.taskrole.yaml;

import java.time.Duration;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Durations as the configuration files write them: {@code 850ms}, {@code 5s}, {@code 1h30m}. */
public final class Durations {
  private static final Pattern FORM =
      Pattern.compile(
          "(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m(?!s))?(?:([0-9]{1,6})s)?(?:([0-9]{1,9})ms)?");

  private Durations() {}

  /** Returns the duration, or empty when the text has another form. */
  public static Optional<Duration> parse(String text) {
    Matcher matcher = FORM.matcher(text);
    if (text.isEmpty() || !matcher.matches()) {
      return Optional.empty();
    }
    return Optional.of(
        Duration.ofHours(number(matcher, 1))
            .plusMinutes(number(matcher, 2))
            .plusSeconds(number(matcher, 3))
            .plusMillis(number(matcher, 4)));
  }

  /** Writes a duration in the same form; whole milliseconds only. */
  public static String format(Duration duration) {
    String text =
        part(duration.toHours(), "h")
            + part(duration.toMinutesPart(), "m")
            + part(duration.toSecondsPart(), "s")
            + part(duration.toMillisPart(), "ms");
    return text.isEmpty() ? "0s" : text;
  }

  private static long number(Matcher matcher, int group) {
    return matcher.group(group) == null ? 0 : Long.parseLong(matcher.group(group));
  }

  private static String part(long value, String unit) {
    return value == 0 ? "" : value + unit;
  }
}
