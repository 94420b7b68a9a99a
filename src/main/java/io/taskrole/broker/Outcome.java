package io.taskrole.broker;

import io.taskrole.refusal.Refusal;

/** How a request ends. */
public sealed interface Outcome {
  /** The caller gets the lease's credentials. */
  record Issued(Lease lease) implements Outcome {}

  /** The caller gets the reason. */
  record Refused(Refusal refusal) implements Outcome {}
}
