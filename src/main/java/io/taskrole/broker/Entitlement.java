package io.taskrole.broker;

import io.taskrole.identity.Workload;
import io.taskrole.policy.Grant;

/** Whether a task still has a grant by the rules in force now. Never blocks. */
@FunctionalInterface
public interface Entitlement {
  boolean holds(Workload workload, Grant grant);
}
