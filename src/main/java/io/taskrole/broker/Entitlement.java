package io.taskrole.broker;

import io.taskrole.policy.Applicant;

/** Whether a task still runs and still has a grant by the rules in force now. Never blocks. */
@FunctionalInterface
public interface Entitlement {
  boolean holds(Lease.Key key, Applicant applicant);
}
