package io.taskrole;

import io.taskrole.time.TimeSource;
import java.lang.management.MemoryPoolMXBean;
import java.time.Duration;
import java.util.Optional;
import java.util.function.LongSupplier;

/**
 * Collects the whole heap while nobody asks. The collector would do so only when the heap is full:
 * in the midst of a herd, with every caller waiting. So the pause falls where nobody notices it,
 * and a node gets its memory back between two rushes.
 *
 * <p>Belongs to one thread, which {@link #look()} blocks for a collection.
 */
final class IdleCollection {
  /** Less of it is not worth a pause. */
  private static final long GROWTH_BYTES = 1 << 20;

  private static final Duration APART = Duration.ofSeconds(3);

  private final LongSupplier requests;
  private final LongSupplier used;
  private final Runnable collector;
  private final TimeSource time;
  private long seen = -1;
  private long usedAfter;
  private long notBeforeNanos;

  /**
   * Builds it; nothing is collected yet.
   *
   * @param requests how many requests have come so far
   * @param used bytes of the heap that only a whole collection frees
   * @param collector collects the whole heap
   */
  IdleCollection(LongSupplier requests, LongSupplier used, Runnable collector, TimeSource time) {
    this.requests = requests;
    this.used = used;
    this.collector = collector;
    this.time = time;
    this.notBeforeNanos = time.nanos() + APART.toNanos();
  }

  /** That of this process. */
  static IdleCollection ofThisProcess(LongSupplier requests, TimeSource time) {
    Optional<MemoryPoolMXBean> old = Footprint.oldGeneration();
    return new IdleCollection(
        requests, () -> old.map(pool -> pool.getUsage().getUsed()).orElse(0L), System::gc, time);
  }

  /** Collects when no request has come since the last look and it is worth it. */
  void look() {
    long now = requests.getAsLong();
    boolean isQuiet = now == seen;
    seen = now;
    if (isQuiet
        && time.nanos() - notBeforeNanos >= 0
        && used.getAsLong() - usedAfter >= GROWTH_BYTES) {
      collector.run();
      usedAfter = used.getAsLong();
      notBeforeNanos = time.nanos() + APART.toNanos();
    }
  }
}
