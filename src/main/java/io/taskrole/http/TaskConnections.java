package io.taskrole.http;

import io.taskrole.identity.AllocationId;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Keeps one allocation from filling the connection table: each may keep {@link #MOST} connections
 * open; one above that is answered, and closed with its answer. It is not refused, since several
 * SDKs take a refused connection for the end of this provider, and go on to the node's own role.
 *
 * <p>An allocation's connections are those on which it has been issued credentials: before that,
 * all tasks with the host's network look alike. Safe for concurrent use; never blocks.
 */
final class TaskConnections {
  /** More than any pool of workers holds open at a time. */
  static final int MOST = 256;

  private final ConcurrentHashMap<AllocationId, Integer> open = new ConcurrentHashMap<>();

  /** Counts a connection; false when it is one too many. */
  boolean opened(AllocationId allocation) {
    return open.merge(allocation, 1, Integer::sum) <= MOST;
  }

  /** Uncounts one that {@link #opened} counted, whatever it answered. */
  void closed(AllocationId allocation) {
    open.computeIfPresent(allocation, (_, count) -> count == 1 ? null : count - 1);
  }
}
