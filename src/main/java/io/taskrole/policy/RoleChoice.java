package io.taskrole.policy;

import io.taskrole.refusal.Reason;
import io.taskrole.refusal.Refusal;

/** How a rule finds the role of a task that it matches. */
sealed interface RoleChoice permits RoleTemplate, RoleFromMeta {
  /** What is found. */
  sealed interface Choice {
    /** This role. */
    record Chosen(RoleArn role) implements Choice {}

    /** No role for this task. */
    record None(Refusal refusal) implements Choice {}
  }

  /**
   * The role of this task.
   *
   * @param line where the rule stands, for a refusal's text
   */
  Choice choose(Applicant applicant, int line);

  /** A role that this choice can make: its partition and account are those of all. */
  RoleArn example();

  /** A refusal in these words. */
  static Choice none(String message) {
    return new Choice.None(Reason.NO_ROLE_FOR_TASK.refusal(message));
  }

  /** A name as messages show it. */
  static String shown(String name) {
    return name.length() <= 64 ? name : name.substring(0, 61) + "...";
  }
}
