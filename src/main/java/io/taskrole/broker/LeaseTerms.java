package io.taskrole.broker;

import java.time.Duration;

/**
 * The times by which leases are kept.
 *
 * @param floor a lease with this much life left or less is no longer served
 * @param fresh a lease with less life left than this is worth a short wait for its successor, when
 *     nothing is known to be wrong upstream (several SDKs ask again on every call below 15 minutes)
 * @param refusalMemory how long a permanent refusal is repeated without asking STS again
 * @param failureMemory how long a transient failure is repeated without asking STS again
 * @param exchangeBudget how long one cold exchange keeps trying, whether or not anybody still waits
 */
record LeaseTerms(
    Duration floor,
    Duration fresh,
    Duration refusalMemory,
    Duration failureMemory,
    Duration exchangeBudget) {

  /** The times in use; {@code docs/decisions.md} says why these. */
  static final LeaseTerms STANDARD =
      new LeaseTerms(
          Duration.ofSeconds(30),
          Duration.ofMinutes(20),
          Duration.ofSeconds(5),
          Duration.ofSeconds(1),
          Duration.ofSeconds(20));
}
