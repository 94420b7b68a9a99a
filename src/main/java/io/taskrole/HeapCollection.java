package io.taskrole;

import io.taskrole.time.TimeSource;
import java.lang.management.MemoryPoolMXBean;
import java.time.Duration;
import java.util.Optional;
import java.util.function.LongSupplier;

/**
 * Collects the whole heap while nobody asks. The collector would do so only when the heap is full:
 * in the midst of a herd, with every caller waiting. So the pause falls where nobody notices it,
 * and a node gets its memory back between two rushes. Where somebody always asks, what credentials
 * leave behind would fill the heap to its limit; there it is collected four times a minute at most,
 * for some 40 ms, when much has gathered.
 *
 * <p>Belongs to one thread, which {@link #look()} blocks for a collection.
 */
final class HeapCollection {
  /** Less of it is not worth a pause. */
  private static final long GROWTH_BYTES = 1 << 20;

  private static final Duration APART = Duration.ofSeconds(3);

  /** What is worth a pause that somebody notices. */
  private static final long BUSY_GROWTH_BYTES = 8 << 20;

  private static final Duration BUSY_APART = Duration.ofSeconds(15);

  private final LongSupplier requests;
  private final LongSupplier used;
  private final Runnable collector;
  private final TimeSource time;
  private long seen = -1;
  private long usedAfter;
  private long collectedNanos;

  /**
   * Builds it; nothing is collected yet.
   *
   * @param requests how many requests have come so far
   * @param used bytes of the heap that only a whole collection frees
   * @param collector collects the whole heap
   */
  HeapCollection(LongSupplier requests, LongSupplier used, Runnable collector, TimeSource time) {
    this.requests = requests;
    this.used = used;
    this.collector = collector;
    this.time = time;
    this.collectedNanos = time.nanos();
  }

  /** That of this process. */
  static HeapCollection ofThisProcess(LongSupplier requests, TimeSource time) {
    Optional<MemoryPoolMXBean> old = Footprint.oldGeneration();
    return new HeapCollection(
        requests, () -> old.map(pool -> pool.getUsage().getUsed()).orElse(0L), System::gc, time);
  }

  /** Collects when it is worth it: sooner when no request has come since the last look. */
  void look() {
    long now = requests.getAsLong();
    boolean isQuiet = now == seen;
    seen = now;
    long inUse = used.getAsLong();
    // Less than after the last one of ours: the collector has made one by itself.
    usedAfter = Math.min(usedAfter, inUse);
    if (isDue(isQuiet ? APART : BUSY_APART)
        && inUse - usedAfter >= (isQuiet ? GROWTH_BYTES : BUSY_GROWTH_BYTES)) {
      collector.run();
      usedAfter = used.getAsLong();
      collectedNanos = time.nanos();
    }
  }

  private boolean isDue(Duration apart) {
    return time.nanos() - collectedNanos >= apart.toNanos();
  }
}
