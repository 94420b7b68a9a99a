package io.taskrole.broker;

import io.taskrole.policy.AttestLevel;
import io.taskrole.refusal.Reason;
import io.taskrole.refusal.Refusal;

/** The refusals that the pipeline itself words. */
final class Refusals {
  private Refusals() {}

  static Refusal exchangePending() {
    return Reason.EXCHANGE_PENDING.refusal(
        "Wait and ask again: STS has not answered yet; the exchange goes on and serves the retry.");
  }

  static Refusal grantChanged() {
    return Reason.EXCHANGE_PENDING.refusal(
        "Ask again: the operator changed this task's role while STS was being asked.");
  }

  static Refusal stopping() {
    return Reason.STOPPING.refusal("Ask again: taskrole is stopping and will be back.");
  }

  static Refusal unproven(AttestLevel minimum, AttestLevel reached, String obstacle) {
    return Reason.CALLER_NOT_ALLOCATION.refusal(
        "Operator: lower attest: "
            + minimum.label()
            + ", or run the task where more can be proven; this connection proves only "
            + reached.label()
            + ": "
            + (obstacle.isEmpty() ? "it comes from this host" : obstacle)
            + ".");
  }

  static Refusal networkNotTold() {
    return Reason.NOMAD_UNAVAILABLE.refusal(
        "Wait and ask again: Nomad has not told yet which address this allocation has.");
  }

  static Refusal fault() {
    return Reason.STS_UNAVAILABLE.refusal(
        "Operator: taskrole failed on this request; its log has the cause under this request id.");
  }
}
