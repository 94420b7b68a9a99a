package io.taskrole.broker;

import io.taskrole.identity.AllocationId;
import io.taskrole.identity.WorkloadIdentity;
import io.taskrole.refusal.Refusal;
import java.net.InetAddress;
import org.jspecify.annotations.Nullable;

/** Port: does the task behind a verified identity run here? Safe for concurrent use. */
public interface Placements {
  /**
   * Finds the task's placement; may block for one look-up, until {@code deadlineNanos} at most. Not
   * for an event loop.
   */
  Finding find(WorkloadIdentity identity, long deadlineNanos);

  /**
   * As {@link #find} from memory alone, or null when {@link #find} has to be asked. Never blocks.
   */
  @Nullable Finding recall(WorkloadIdentity identity);

  /**
   * Whether a task that was placed may still hold credentials: false once it is known to have ended
   * or to be gone. Never blocks.
   */
  boolean mayHold(AllocationId allocation, String task);

  /** Whether an address is that of an allocation of this node other than the given one. */
  boolean isAnothers(InetAddress address, AllocationId allocation);

  /** What was found. */
  sealed interface Finding {
    /** The task may ask. */
    record Placed(Placement placement) implements Finding {}

    /** The task does not run here, or nothing can be said yet. */
    record NotHere(Refusal refusal) implements Finding {}
  }
}
