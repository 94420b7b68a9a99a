package io.taskrole.policy;

import io.taskrole.identity.Workload;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * One rule of the roles file. Rules order by {@link TaskPattern}: the more specific first.
 *
 * @param line where it begins in its file
 */
record Rule(
    TaskPattern match,
    RoleTemplate role,
    Duration duration,
    Optional<String> region,
    List<String> policyArns,
    Optional<String> sessionPolicy,
    AttestLevel attest,
    int line)
    implements Comparable<Rule> {

  /** What this rule gives the task; empty when the task's names do not fit into the role's name. */
  Optional<Grant> grant(Workload workload) {
    return role.fill(workload)
        .map(arn -> new Grant(arn, duration, region, policyArns, sessionPolicy));
  }

  @Override
  public int compareTo(Rule other) {
    return match.compareTo(other.match);
  }
}
