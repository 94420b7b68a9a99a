package io.taskrole.policy;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** One rule of the roles file. Rules order by {@link TaskPattern}: the more specific first. */
final class Rule implements Comparable<Rule> {
  /**
   * What a rule gives to every task that it matches.
   *
   * @param duration of the session
   * @param region empty means the configured one
   * @param attest what must be proven of the connection
   */
  record Terms(
      Duration duration,
      Optional<String> region,
      List<String> policyArns,
      Optional<String> sessionPolicy,
      AttestLevel attest) {}

  private final TaskPattern match;
  private final RoleChoice role;
  private final Terms terms;
  private final int line;

  /** The last decision: where the role is the same for all, it is the only one. */
  private volatile Decision.@Nullable Granted last;

  /**
   * Makes a rule.
   *
   * @param line where it begins in its file
   */
  Rule(TaskPattern match, RoleChoice role, Terms terms, int line) {
    this.match = match;
    this.role = role;
    this.terms = terms;
    this.line = line;
  }

  TaskPattern match() {
    return match;
  }

  int line() {
    return line;
  }

  AttestLevel attest() {
    return terms.attest();
  }

  /** What this rule gives the task. */
  Decision decide(Applicant applicant) {
    return switch (role.choose(applicant, line)) {
      case RoleChoice.Choice.None(var refusal) -> new Decision.Denied(refusal);
      case RoleChoice.Choice.Chosen(var arn) -> {
        Decision.Granted known = last;
        if (known == null || !known.grant().role().equals(arn)) {
          known = granted(arn);
          last = known;
        }
        yield known;
      }
    };
  }

  private Decision.Granted granted(RoleArn arn) {
    return new Decision.Granted(
        new Grant(arn, terms.duration(), terms.region(), terms.policyArns(), terms.sessionPolicy()),
        terms.attest(),
        line);
  }

  @Override
  public int compareTo(Rule other) {
    return match.compareTo(other.match);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Rule that && match.equals(that.match);
  }

  @Override
  public int hashCode() {
    return match.hashCode();
  }
}
