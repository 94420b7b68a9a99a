package io.taskrole.policy;

import io.taskrole.identity.Workload;

/**
 * Decides which role a task gets, by the rules in force now. Safe for concurrent use; never blocks.
 */
public interface RoleRules {
  Decision decide(Workload workload);
}
