package io.taskrole.broker;

/** For whom an exchange is made; where several wait, the first of these goes first. */
enum Urgency {
  /** A caller waits, or a lease that is in use has little life left. */
  CALLER,
  /** A task will ask soon. */
  PREFETCH,
  /** A lease that lives long enough to wait. */
  RENEWAL
}
