package io.taskrole.broker;

import io.taskrole.identity.Workload;
import io.taskrole.identity.WorkloadIdentity;
import io.taskrole.policy.Applicant;
import java.net.InetAddress;
import java.util.Set;

/**
 * A task that may ask: its verified identity, and its coordinates as the allocation's own record
 * gives them.
 *
 * @param identity what the token says
 * @param applicant what the rules are asked about
 * @param isNetworkTold whether Nomad has told of the allocation's network yet
 * @param addresses the addresses that Nomad gave the allocation; none in host mode, and while Nomad
 *     has not told them yet
 */
public record Placement(
    WorkloadIdentity identity,
    Applicant applicant,
    boolean isNetworkTold,
    Set<InetAddress> addresses) {
  public Workload workload() {
    return applicant.workload();
  }
}
