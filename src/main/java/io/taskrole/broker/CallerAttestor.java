package io.taskrole.broker;

import io.taskrole.policy.AttestLevel;
import io.taskrole.refusal.Refusal;
import org.jspecify.annotations.Nullable;

/** Port: does the connection come from the allocation? Safe for concurrent use. */
public interface CallerAttestor {
  /**
   * Proves as much as is wanted, or as can be; asks the kernel, for less than a few milliseconds.
   * Not for an event loop.
   */
  Attestation attest(Placement placement, Caller caller, AttestLevel wanted);

  /**
   * As {@link #attest} from memory alone, or null when {@link #attest} has to be asked. Never
   * blocks.
   */
  @Nullable Attestation recall(Placement placement, Caller caller, AttestLevel wanted);

  /** What is proven of the connection. */
  sealed interface Attestation {
    /**
     * Proven up to this level.
     *
     * @param obstacle why not more, empty when as much as was wanted is proven
     */
    record Attested(AttestLevel level, String obstacle) implements Attestation {
      /** Nothing stood in the way. */
      public Attested(AttestLevel level) {
        this(level, "");
      }
    }

    /** Proven to come from elsewhere, refused at every level; or not to be told yet. */
    record Mismatch(Refusal refusal) implements Attestation {}
  }
}
