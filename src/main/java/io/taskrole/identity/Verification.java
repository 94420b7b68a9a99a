package io.taskrole.identity;

import io.taskrole.refusal.Refusal;

/** What {@link TokenVerifier} found. */
public sealed interface Verification {
  /** The token is genuine, in time, ours, and a task's. */
  record Verified(WorkloadIdentity identity) implements Verification {}

  /**
   * The token was all of that until it expired.
   *
   * @param identity whose token it was
   * @param refusal what its bearer is told, as a rule
   */
  record Expired(WorkloadIdentity identity, Refusal refusal) implements Verification {}

  /** The token is refused, or cannot be judged yet ({@code KeySetUnavailable}). */
  record Rejected(Refusal refusal) implements Verification {}
}
