package io.taskrole.policy;

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
    RoleChoice role,
    Duration duration,
    Optional<String> region,
    List<String> policyArns,
    Optional<String> sessionPolicy,
    AttestLevel attest,
    int line)
    implements Comparable<Rule> {

  /** What this rule gives the task. */
  Decision decide(Applicant applicant) {
    return switch (role.choose(applicant, line)) {
      case RoleChoice.Choice.Chosen(var arn) ->
          new Decision.Granted(
              new Grant(arn, duration, region, policyArns, sessionPolicy), attest, line);
      case RoleChoice.Choice.None(var refusal) -> new Decision.Denied(refusal);
    };
  }

  @Override
  public int compareTo(Rule other) {
    return match.compareTo(other.match);
  }
}
