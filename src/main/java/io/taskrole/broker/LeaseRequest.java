package io.taskrole.broker;

import io.taskrole.identity.BearerToken;
import io.taskrole.identity.Workload;
import io.taskrole.identity.WorkloadIdentity;
import io.taskrole.policy.Grant;
import java.time.Instant;

/**
 * What {@link Leases} needs to find a lease or to obtain one.
 *
 * @param key whose lease
 * @param workload the task's coordinates, to ask later whether the grant still holds
 * @param token the token to exchange
 * @param tokenExpires when STS will stop taking that token
 */
record LeaseRequest(Lease.Key key, Workload workload, BearerToken token, Instant tokenExpires) {

  static LeaseRequest of(Placement placement, Grant grant, BearerToken token) {
    WorkloadIdentity identity = placement.identity();
    Workload workload = placement.workload();
    return new LeaseRequest(
        new Lease.Key(identity.allocation(), workload.task(), grant),
        workload,
        token,
        identity.expiresAt());
  }
}
