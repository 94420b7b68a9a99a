package io.taskrole.nomad;

import io.taskrole.identity.AllocationId;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Set;

/** Lists the allocations of this node. Blocks; for virtual threads. Safe for concurrent use. */
interface AllocationSource {
  /**
   * One answer.
   *
   * @param changed allocations that were read whole
   * @param unchanged allocations that are as the reader knows them
   * @param index {@code X-Nomad-Index}, positive
   * @param length of the answer, in bytes
   */
  record Listing(List<Allocation> changed, Set<AllocationId> unchanged, long index, long length) {}

  /**
   * Asks once.
   *
   * @param index the answer waits until Nomad's index is above it; 0 for an answer at once
   * @param hold how long it may wait
   * @throws IOException when there is no usable answer; the message says what to mend, and quotes
   *     nothing of the answer
   */
  Listing list(long index, Duration hold) throws IOException;
}
