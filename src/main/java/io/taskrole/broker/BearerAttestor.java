package io.taskrole.broker;

import io.taskrole.policy.AttestLevel;

/** Proves nothing of the connection beyond the token that came over it. */
public final class BearerAttestor implements CallerAttestor {
  private static final Attestation BEARER = new Attestation.Attested(AttestLevel.BEARER);

  @Override
  public Attestation attest(Placement placement, Caller caller) {
    return BEARER;
  }
}
