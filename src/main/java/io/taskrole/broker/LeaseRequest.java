package io.taskrole.broker;

import io.taskrole.identity.BearerToken;
import io.taskrole.identity.WorkloadIdentity;
import io.taskrole.policy.Applicant;
import io.taskrole.policy.Grant;
import java.time.Instant;

/**
 * What {@link Leases} needs to find a lease or to obtain one.
 *
 * @param key whose lease
 * @param applicant the task, to ask later whether the grant still holds
 * @param token the token to exchange
 * @param tokenExpires when STS will stop taking that token
 */
record LeaseRequest(Lease.Key key, Applicant applicant, BearerToken token, Instant tokenExpires) {

  static LeaseRequest of(Placement placement, Grant grant, BearerToken token) {
    WorkloadIdentity identity = placement.identity();
    return new LeaseRequest(
        new Lease.Key(identity.allocation(), placement.workload().task(), grant),
        placement.applicant(),
        token,
        identity.expiresAt());
  }
}
