package io.taskrole.broker;

import org.jspecify.annotations.Nullable;

/** What the credential server asks. Safe for concurrent use. */
public interface CredentialBroker {
  /**
   * Answers from memory alone, audit line included, or returns null when {@link #issue} has to be
   * asked. Never blocks: may be called on an event loop.
   */
  @Nullable Outcome recall(Caller caller);

  /**
   * Runs the whole pipeline; returns within {@code answer-within} of the caller's arrival. Blocks;
   * for virtual threads.
   */
  Outcome issue(Caller caller);
}
