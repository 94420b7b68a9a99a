package io.taskrole.broker;

import io.taskrole.identity.WorkloadIdentity;
import io.taskrole.refusal.Refusal;
import org.jspecify.annotations.Nullable;

/** Port: does the task behind a verified identity run here? Safe for concurrent use. */
public interface Placements {
  /** Finds the task's placement; may block for one bounded look-up. Not for an event loop. */
  Finding find(WorkloadIdentity identity);

  /**
   * As {@link #find} from memory alone, or null when {@link #find} has to be asked. Never blocks.
   */
  @Nullable Finding recall(WorkloadIdentity identity);

  /** What was found. */
  sealed interface Finding {
    /** The task may ask. */
    record Placed(Placement placement) implements Finding {}

    /** The task does not run here, or nothing can be said yet. */
    record NotHere(Refusal refusal) implements Finding {}
  }
}
