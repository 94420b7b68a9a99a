package io.taskrole.policy;

import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * What a rule gives a task: all that shapes the session, and nothing else, so that two grants are
 * equal exactly when the credentials of one may stand for the other's. Part of every lease's key.
 *
 * @param role the role, its template filled in
 * @param duration the session's life that STS is asked for, 15 minutes to 12 hours
 * @param region the STS region for this role; empty means the configured one
 * @param policyArns managed session policies, at most 10
 * @param sessionPolicy inline session policy, JSON, at most 2048 characters
 */
public record Grant(
    RoleArn role,
    Duration duration,
    Optional<String> region,
    List<String> policyArns,
    Optional<String> sessionPolicy) {
  public Grant {
    policyArns = List.copyOf(policyArns);
  }

  /** The same grant, asked for in another Region of the role's partition. */
  public Grant in(Region other) {
    return new Grant(role, duration, Optional.of(other.name()), policyArns, sessionPolicy);
  }
}
