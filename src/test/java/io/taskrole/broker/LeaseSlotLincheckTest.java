package io.taskrole.broker;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskrole.broker.CredentialSource.Exchange;
import io.taskrole.broker.LeaseSlot.Approach;
import io.taskrole.broker.LeaseSlot.Flight;
import io.taskrole.identity.AllocationId;
import io.taskrole.identity.BearerToken;
import io.taskrole.identity.Workload;
import io.taskrole.policy.Applicant;
import io.taskrole.policy.Grant;
import io.taskrole.policy.RoleArn;
import io.taskrole.refusal.Reason;
import io.taskrole.secret.Secret;
import io.taskrole.testing.ManualTime;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.jetbrains.lincheck.LincheckAssertionError;
import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;
import org.jetbrains.lincheck.datastructures.Operation;
import org.junit.jupiter.api.Test;

/**
 * Every interleaving of few callers, renewals, landings and drops on one lease, as Lincheck's model
 * checker finds them, is as if they had come one after another: so one flight at a time, and
 * nothing served that was dropped.
 */
public class LeaseSlotLincheckTest {
  private static final String LANDER = "the exchange's own thread";

  @Test
  void slot_isAsIfItsCallersCameOneAfterAnother() {
    options().sequentialSpecification(Told.class).check(Slot.class);
  }

  /** The harness can fail: a flight that is looked for first and begun afterwards. */
  @Test
  void singleFlightInTwoSteps_isFound() {
    assertThatThrownBy(() -> options().sequentialSpecification(Told.class).check(TwoSteps.class))
        .isInstanceOf(LincheckAssertionError.class)
        .hasMessageContaining("starts");
  }

  private static ModelCheckingOptions options() {
    return new ModelCheckingOptions()
        .iterations(30)
        .invocationsPerIteration(1_000)
        .threads(3)
        .actorsBefore(2)
        .actorsPerThread(2)
        .actorsAfter(2);
  }

  /** What the operations must tell, one after another. */
  public static class Told {
    private boolean flight;
    private boolean lease;
    private boolean due;
    private boolean memory;
    private boolean dropped;

    public String approach() {
      if (dropped) {
        return "gone";
      }
      if (flight) {
        return "joins";
      }
      if (lease) {
        return "served";
      }
      if (memory) {
        return "known";
      }
      flight = true;
      return "starts";
    }

    public boolean renew() {
      boolean begins = !dropped && !flight && lease && due;
      flight |= begins;
      return begins;
    }

    public void obtain() {
      if (flight && !dropped) {
        lease = true;
        due = true;
        memory = false;
      }
      flight = false;
    }

    public void fail() {
      if (flight) {
        memory = true;
        due = false;
      }
      flight = false;
    }

    public boolean drop() {
      boolean held = lease;
      dropped = true;
      lease = false;
      memory = false;
      return held;
    }

    public boolean retire() {
      dropped |= !flight && !lease && !memory;
      return dropped;
    }

    public boolean live() {
      return lease;
    }
  }

  /** The real one. Its clock stands still, and renewals are due at once. */
  public static class Slot {
    private static final double DUE_AT_ONCE = -3.125;
    private static final Grant GRANT =
        new Grant(
            RoleArn.parse("arn:aws:iam::123456789012:role/billing").orElseThrow(),
            Duration.ofHours(1),
            Optional.empty(),
            List.of(),
            Optional.empty());
    private static final BearerToken TOKEN = BearerToken.of("token");

    private final ManualTime time = ManualTime.at("2026-11-23T08:31:00Z");
    final LeaseSlot slot =
        new LeaseSlot(
            new LeaseRequest(
                new Lease.Key(
                    new AllocationId("b0805f9a-68ff-5796-f1eb-f8b0ab9e2349"), "server", GRANT),
                Applicant.of(new Workload("payments", "billing", "api", "server")),
                TOKEN,
                time.instant().plus(Duration.ofHours(1))),
            LeaseTerms.STANDARD,
            time);
    private final Exchange obtained =
        new Exchange.Obtained(
            new SessionCredentials(
                "ASIAFAKE",
                Secret.of("secret"),
                Secret.of("session"),
                time.instant().plus(GRANT.duration()),
                GRANT.role().account(),
                Optional.empty()));
    private final Exchange failed =
        new Exchange.Failed(Reason.STS_UNAVAILABLE.refusal("Operator: STS is down."));

    @Operation
    public String approach() {
      return switch (slot.approach(TOKEN)) {
        case Approach.Wait(_, var starts) -> starts ? "starts" : "joins";
        case Approach.Served _ -> "served";
        case Approach.Gone _ -> "gone";
        case Approach.Known _ -> "known";
      };
    }

    @Operation
    public boolean renew() {
      return slot.beginRenewal() != null;
    }

    @Operation(nonParallelGroup = LANDER)
    public void obtain() {
      land(obtained);
    }

    @Operation(nonParallelGroup = LANDER)
    public void fail() {
      land(failed);
    }

    @Operation
    public boolean drop() {
      return slot.drop() != null;
    }

    @Operation
    public boolean retire() {
      return slot.retireWhenIdle();
    }

    @Operation
    public boolean live() {
      return slot.live() != null;
    }

    private void land(Exchange result) {
      Flight flight = slot.flight();
      if (flight != null) {
        slot.land(flight, result, TOKEN, DUE_AT_ONCE);
      }
    }
  }

  /** As a cache that is asked first and filled afterwards. */
  public static class TwoSteps extends Slot {
    private volatile boolean inFlight;

    @Operation
    @Override
    public String approach() {
      if (inFlight) {
        return "joins";
      }
      inFlight = true;
      return "starts";
    }
  }
}
