package io.taskrole.broker;

import io.taskrole.identity.AllocationId;
import io.taskrole.policy.Grant;
import io.taskrole.policy.SessionName;
import java.time.Instant;

/**
 * Credentials that are held for one task: what the answer needs, and what the audit line names.
 * Immutable but for {@link SessionCredentials}' secrets, which eviction erases.
 *
 * @param key whose lease it is
 * @param session the session name STS was given
 * @param credentials the credentials
 * @param obtainedAt when STS answered
 */
public record Lease(
    Key key, SessionName session, SessionCredentials credentials, Instant obtainedAt) {
  /**
   * What a lease is held for. Never the token: a renewed token finds the same lease, and one
   * allocation's session is never another's.
   */
  public record Key(AllocationId allocation, String task, Grant grant) {}
}
