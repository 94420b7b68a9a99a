package io.taskrole.policy;

import io.taskrole.refusal.Refusal;

/** What the rules say of a task. */
public sealed interface Decision {
  /**
   * One rule is the most specific.
   *
   * @param grant what the task gets
   * @param minimum what must be proven of the connection before it gets it
   * @param line the line of the rule in its file, counted from 1
   */
  record Granted(Grant grant, AttestLevel minimum, int line) implements Decision {}

  /** No rule gives the task a role. */
  record Denied(Refusal refusal) implements Decision {}
}
