package io.taskrole.broker;

import io.taskrole.identity.Workload;
import io.taskrole.identity.WorkloadIdentity;

/**
 * A task that may ask: its verified identity, and its coordinates as the allocation's own record
 * gives them where there is one.
 *
 * @param identity what the token says
 * @param workload what the rules are asked about
 */
public record Placement(WorkloadIdentity identity, Workload workload) {}
