package io.taskrole.identity;

import org.jspecify.annotations.Nullable;

/** Judges tokens. Safe for concurrent use. */
public interface Verifier {
  /**
   * Judges a token. May block for the reload of the key set, within that reload's own deadline; not
   * for an event loop.
   */
  Verification verify(BearerToken token);

  /**
   * Returns the judgement of a token that was verified before and still holds (not expired, its key
   * still in the set), or null when {@link #verify} has to be asked. Memory only; never blocks.
   */
  Verification.@Nullable Verified recall(BearerToken token);
}
