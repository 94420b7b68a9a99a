package io.taskrole.broker;

/** What became of a token that was read before its task asked. */
public enum Prefetched {
  /** An exchange was begun. */
  BEGUN,
  /** The task has a lease, whose next renewal knows of the token. */
  KNOWN,
  /** It buys nothing: not this task's, expired, or no rule gives the task a role. */
  USELESS,
  /** Not to be judged yet: no key set, or Nomad has not told of the task. */
  LATER
}
