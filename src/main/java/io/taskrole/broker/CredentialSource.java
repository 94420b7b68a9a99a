package io.taskrole.broker;

import io.taskrole.identity.BearerToken;
import io.taskrole.policy.Grant;
import io.taskrole.policy.SessionName;
import io.taskrole.refusal.Refusal;

/** Port: where credentials come from. Safe for concurrent use. */
public interface CredentialSource {
  /**
   * Exchanges a token for the credentials of a role: one call upstream, no retry, ended by the
   * source's own deadline. Blocks; for virtual threads. Failures are values, a thrown exception is
   * a bug.
   */
  Exchange exchange(Grant grant, SessionName session, BearerToken token);

  /** How the exchange ended. */
  sealed interface Exchange {
    /** Complete credentials of the role that was asked for, not expired. */
    record Obtained(SessionCredentials credentials) implements Exchange {}

    /**
     * The source says that the task may not have the role: credentials that are held for it must
     * go.
     */
    record Denied(Refusal refusal) implements Exchange {}

    /**
     * No credentials, for a reason that says nothing of those which are held.
     *
     * @param refusal the reason; {@link io.taskrole.refusal.Reason#isTransient()} tells whether
     *     trying again makes sense
     */
    record Failed(Refusal refusal) implements Exchange {}
  }
}
