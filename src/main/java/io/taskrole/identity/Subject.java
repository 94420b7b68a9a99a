package io.taskrole.identity;

import java.util.Optional;
import java.util.regex.Pattern;

/**
 * The parts of {@code sub} that no claim repeats. Nomad writes {@code
 * <region>:<namespace>:<job>:<group>:<task>:<identity>}, and job, group and task may hold colons,
 * so the text is never split: it has to begin and end as the claims say, and the group is what lies
 * between.
 *
 * @param region the Nomad region
 * @param group the task group
 * @param identityName the name of the identity block
 */
record Subject(String region, String group, String identityName) {
  private static final Pattern IDENTITY_NAME = Pattern.compile("[a-zA-Z0-9_-]{1,128}");

  /** Nomad before 1.8.4 wrote a child's own id here, though the claim names its parent. */
  private static final Pattern CHILD = Pattern.compile("/(?:dispatch|periodic)-[0-9a-f-]{1,64}:");

  /** Reads {@code sub} against the claims; empty when they disagree. */
  static Optional<Subject> parse(String subject, String namespace, String job, String task) {
    int regionEnd = subject.indexOf(':');
    int identityStart = subject.lastIndexOf(':') + 1;
    String beginning = namespace + ":" + job;
    String ending = ":" + task + ":";
    if (regionEnd <= 0
        || !subject.startsWith(beginning, regionEnd + 1)
        || !IDENTITY_NAME.matcher(subject.substring(identityStart)).matches()
        || !subject.substring(0, identityStart).endsWith(ending)) {
      return Optional.empty();
    }
    int jobEnd = regionEnd + 1 + beginning.length();
    int groupEnd = identityStart - ending.length();
    int groupStart = groupStart(subject, jobEnd);
    if (groupStart < 0 || groupStart >= groupEnd) {
      return Optional.empty();
    }
    return Optional.of(
        new Subject(
            subject.substring(0, regionEnd),
            subject.substring(groupStart, groupEnd),
            subject.substring(identityStart)));
  }

  private static int groupStart(String subject, int jobEnd) {
    if (subject.startsWith(":", jobEnd)) {
      return jobEnd + 1;
    }
    var child = CHILD.matcher(subject).region(jobEnd, subject.length());
    return child.lookingAt() ? child.end() : -1;
  }
}
