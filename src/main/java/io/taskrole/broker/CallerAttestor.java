package io.taskrole.broker;

import io.taskrole.policy.AttestLevel;
import io.taskrole.refusal.Refusal;

/** Port: does the connection come from the allocation? Safe for concurrent use; never blocks. */
public interface CallerAttestor {
  Attestation attest(Placement placement, Caller caller);

  /** What is proven of the connection. */
  sealed interface Attestation {
    /** Proven up to this level. */
    record Attested(AttestLevel level) implements Attestation {}

    /** Proven to come from elsewhere: refused at every level. */
    record Mismatch(Refusal refusal) implements Attestation {}
  }
}
