package io.taskrole.nomad;

import io.taskrole.identity.AllocationId;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The allocations of this node as Nomad told them at one moment. Immutable.
 *
 * @param index {@code X-Nomad-Index} of the answer
 * @param asOfNanos {@code TimeSource.nanos()} when the answer came
 */
record AllocationView(Map<AllocationId, Allocation> allocations, long index, long asOfNanos) {
  AllocationView {
    allocations = Map.copyOf(allocations);
  }

  @Nullable Allocation get(AllocationId id) {
    return allocations.get(id);
  }

  /** How many allocations have not ended. */
  int live() {
    int live = 0;
    for (Allocation allocation : allocations.values()) {
      live += allocation.status().isTerminal() ? 0 : 1;
    }
    return live;
  }
}
