package io.taskrole.identity;

import io.taskrole.refusal.Refusal;

/** What {@link TokenVerifier} found. */
public sealed interface Verification {
  /** The token is genuine, in time, ours, and a task's. */
  record Verified(WorkloadIdentity identity) implements Verification {}

  /** The token is refused, or cannot be judged yet ({@code KeySetUnavailable}). */
  record Rejected(Refusal refusal) implements Verification {}
}
