package io.taskrole.broker;

import io.taskrole.identity.WorkloadIdentity;

/**
 * Places every verified task where its token says: the token's word, not Nomad's. It tells neither
 * a stopped allocation nor one of another node from a running one of this node; SECURITY.md says
 * what follows.
 */
public final class TokenPlacements implements Placements {
  @Override
  public Finding find(WorkloadIdentity identity) {
    return new Finding.Placed(new Placement(identity, identity.workload()));
  }

  @Override
  public Finding recall(WorkloadIdentity identity) {
    return find(identity);
  }
}
