package io.taskrole.nomad;

import io.taskrole.broker.Placement;
import io.taskrole.broker.Placements;
import io.taskrole.identity.AllocationId;
import io.taskrole.identity.Workload;
import io.taskrole.identity.WorkloadIdentity;
import io.taskrole.nomad.Allocation.Task;
import io.taskrole.policy.Applicant;
import io.taskrole.refusal.Reason;
import io.taskrole.refusal.Refusal;
import io.taskrole.time.TimeSource;
import java.net.InetAddress;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Judges by the view whether the task behind a token runs here. Only a word of Nomad's that it has
 * ended, or that it is unknown also when asked again, refuses: a task's first request is always
 * earlier than Nomad's news of it.
 *
 * <p>Safe for concurrent use.
 */
final class NomadPlacements implements Placements {
  /** How long the answer to a look-up stands for one task. */
  private static final Duration REFUSAL_MEMORY = Duration.ofSeconds(2);

  private static final int REMEMBERED = 1_000;

  private record Asked(AllocationId allocation, String task) {}

  private final AllocationFeed feed;
  private final Optional<Duration> serveWithoutNomad;
  private final TimeSource time;

  /** Look-ups that confirmed a refusal, and when; guarded by itself. */
  private final Map<Asked, Long> confirmed =
      new LinkedHashMap<>() {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Asked, Long> eldest) {
          return size() > REMEMBERED;
        }
      };

  /**
   * Judges by this feed.
   *
   * @param serveWithoutNomad how long the last view stands while Nomad does not answer; empty: for
   *     ever
   */
  NomadPlacements(AllocationFeed feed, Optional<Duration> serveWithoutNomad, TimeSource time) {
    this.feed = feed;
    this.serveWithoutNomad = serveWithoutNomad;
    this.time = time;
  }

  @Override
  public Finding find(WorkloadIdentity identity, long deadlineNanos) {
    Finding known = recall(identity);
    if (known != null) {
      return known;
    }
    boolean answered = feed.lookUp(deadlineNanos);
    AllocationView view = inForce();
    Finding found = view == null ? null : judge(view, identity, answered);
    if (found == null) {
      return new Finding.NotHere(unavailable());
    }
    if (found instanceof Finding.NotHere && answered) {
      synchronized (confirmed) {
        confirmed.put(asked(identity), time.nanos() + REFUSAL_MEMORY.toNanos());
      }
    }
    return found;
  }

  @Override
  public @Nullable Finding recall(WorkloadIdentity identity) {
    AllocationView view = inForce();
    if (view == null) {
      return null;
    }
    Finding found = judge(view, identity, false);
    if (found == null) {
      synchronized (confirmed) {
        Long until = confirmed.get(asked(identity));
        return until != null && time.nanos() - until < 0 ? judge(view, identity, true) : null;
      }
    }
    return found;
  }

  @Override
  public boolean mayHold(AllocationId allocation, String task) {
    AllocationView view = feed.current();
    if (view == null) {
      return true;
    }
    Allocation known = view.get(allocation);
    if (known == null || known.status().isTerminal()) {
      return false;
    }
    Task state = known.tasks().get(task);
    return state == null || !state.dead();
  }

  @Override
  public boolean isAnothers(InetAddress address, AllocationId allocation) {
    AllocationView view = feed.current();
    if (view != null) {
      for (Allocation each : view.allocations().values()) {
        if (!each.status().isTerminal()
            && !each.id().equals(allocation)
            && each.addresses().contains(address)) {
          return true;
        }
      }
    }
    return false;
  }

  private static Asked asked(WorkloadIdentity identity) {
    return new Asked(identity.allocation(), identity.workload().task());
  }

  /** The view, null when there is none or the operator trusts it no more. */
  private @Nullable AllocationView inForce() {
    AllocationView view = feed.current();
    return view != null
            && serveWithoutNomad.isPresent()
            && feed.age().compareTo(serveWithoutNomad.get()) > 0
        ? null
        : view;
  }

  /**
   * What the view says, null when Nomad should be asked first.
   *
   * @param isConfirmed whether Nomad has just been asked
   */
  private static @Nullable Finding judge(
      AllocationView view, WorkloadIdentity identity, boolean isConfirmed) {
    Workload workload = identity.workload();
    Allocation allocation = view.get(identity.allocation());
    if (allocation == null) {
      return isConfirmed ? new Finding.NotHere(notHere(identity)) : null;
    }
    if (allocation.status().isTerminal()) {
      return new Finding.NotHere(stopped(allocation));
    }
    Task task = allocation.tasks().get(workload.task());
    boolean agrees =
        allocation.namespace().equals(workload.namespace())
            && (allocation.claimedJob().equals(workload.job())
                || allocation.job().equals(workload.job()))
            && allocation.group().equals(workload.group());
    if (!agrees || task == null) {
      return new Finding.NotHere(disagreement(identity));
    }
    if (task.dead()) {
      return isConfirmed ? new Finding.NotHere(taskStopped(workload)) : null;
    }
    return new Finding.Placed(
        new Placement(
            identity,
            new Applicant(workload, task.meta()),
            allocation.isNetworkTold(),
            allocation.addresses()));
  }

  private static Refusal notHere(WorkloadIdentity identity) {
    return Reason.ALLOCATION_NOT_HERE.refusal(
        "Job author: use the token on the node that runs its task; allocation "
            + identity.allocation()
            + " is not one of this node's.");
  }

  private static Refusal stopped(Allocation allocation) {
    return Reason.ALLOCATION_STOPPED.refusal(
        "Job author: nothing to mend if the task has ended; allocation "
            + allocation.id()
            + " is "
            + allocation.status().name().toLowerCase(Locale.ROOT)
            + ", and its token buys nothing any more.");
  }

  private static Refusal taskStopped(Workload workload) {
    return Reason.TASK_STOPPED.refusal(
        "Job author: nothing to mend if the task has ended; Nomad says that task "
            + workload.task()
            + " of the allocation is dead.");
  }

  private static Refusal disagreement(WorkloadIdentity identity) {
    return Reason.TOKEN_CLAIMS_INVALID.refusal(
        "Operator: this token's claims and Nomad's own record of allocation "
            + identity.allocation()
            + " disagree; is identity.key-set of the same cluster as nomad.address?");
  }

  private Refusal unavailable() {
    return Reason.NOMAD_UNAVAILABLE.refusal(
        "Operator: see /readyz; Nomad does not say whether this task runs here. Ask again."
            + feed.state().problem().map(text -> " (" + text + ")").orElse(""));
  }
}
