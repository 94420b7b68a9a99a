package io.taskrole.policy;

/**
 * Decides which role a task gets, by the rules in force now. Safe for concurrent use; never blocks.
 */
public interface RoleRules {
  Decision decide(Applicant applicant);
}
