package io.taskrole.policy;

import io.taskrole.identity.Workload;
import java.util.Comparator;

/**
 * Which tasks a rule is for. The natural order puts the more specific first, field by field. Two
 * patterns that compare as equal can meet on one task only when they are equal, since equally long
 * prefixes of one name are the same prefix.
 */
record TaskPattern(NamePattern namespace, NamePattern job, NamePattern group, NamePattern task)
    implements Comparable<TaskPattern> {
  private static final Comparator<TaskPattern> SPECIFIC_FIRST =
      Comparator.comparing(TaskPattern::namespace)
          .thenComparing(TaskPattern::job)
          .thenComparing(TaskPattern::group)
          .thenComparing(TaskPattern::task);

  boolean matches(Workload workload) {
    return namespace.matches(workload.namespace())
        && job.matches(workload.job())
        && group.matches(workload.group())
        && task.matches(workload.task());
  }

  @Override
  public int compareTo(TaskPattern other) {
    return SPECIFIC_FIRST.compare(this, other);
  }
}
