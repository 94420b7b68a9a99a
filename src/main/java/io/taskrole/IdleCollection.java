package io.taskrole;

import io.taskrole.time.TimeSource;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.time.Duration;
import java.util.Comparator;
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
  private final TimeSource time;
  private final Optional<MemoryPoolMXBean> old;
  private long seen = -1;
  private long usedAfter;
  private long notBeforeNanos;

  /**
   * Builds it; nothing is collected yet.
   *
   * @param requests how many requests have come so far
   */
  IdleCollection(LongSupplier requests, TimeSource time) {
    this.requests = requests;
    this.time = time;
    this.notBeforeNanos = time.nanos() + APART.toNanos();
    // Of the two generations the old one may grow further.
    this.old =
        ManagementFactory.getMemoryPoolMXBeans().stream()
            .filter(pool -> pool.getType() == MemoryType.HEAP)
            .max(Comparator.comparingLong(pool -> pool.getUsage().getMax()));
  }

  /** Collects when no request has come since the last look and it is worth it. */
  void look() {
    long now = requests.getAsLong();
    boolean isQuiet = now == seen;
    seen = now;
    if (isQuiet && time.nanos() - notBeforeNanos >= 0 && used() - usedAfter >= GROWTH_BYTES) {
      System.gc();
      usedAfter = used();
      notBeforeNanos = time.nanos() + APART.toNanos();
    }
  }

  private long used() {
    return old.map(pool -> pool.getUsage().getUsed()).orElse(0L);
  }
}
