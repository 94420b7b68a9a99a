package io.taskrole.http;

import io.taskrole.time.TimeSource;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/**
 * What all acceptors of the process share: how many connections were accepted whose event loop has
 * not taken them yet, and what went wrong in accepting.
 *
 * <p>Safe for concurrent use; never blocks.
 */
public final class Acceptance {
  /**
   * As many may wait for their event loop; further ones wait in the kernel, which costs no heap.
   */
  static final int MOST_UNSETTLED = 128;

  private static final Duration TOLD = Duration.ofSeconds(10);
  private static final System.Logger LOG = System.getLogger(Acceptance.class.getName());

  private final TimeSource time;
  private final AtomicInteger unsettled = new AtomicInteger();
  private final LongAdder failures = new LongAdder();
  private final AtomicLong toldNanos = new AtomicLong();

  /** Nothing has been accepted yet. */
  public Acceptance(TimeSource time) {
    this.time = time;
    toldNanos.set(time.nanos() - TOLD.toNanos());
  }

  /** How often a connection could not be accepted, for want of a file descriptor as a rule. */
  public long failures() {
    return failures.sum();
  }

  /** What is wrong with accepting now or was a moment ago; empty as a rule. */
  public Optional<String> problem() {
    return failures.sum() > 0 && time.nanos() - toldNanos.get() < TOLD.toNanos()
        ? Optional.of(
            "connections could not be accepted; raise the limit of open files (LimitNOFILE=)")
        : Optional.empty();
  }

  /** How many accepted connections wait for their event loop. */
  int unsettled() {
    return unsettled.get();
  }

  boolean isFull() {
    return unsettled.get() >= MOST_UNSETTLED;
  }

  void accepted() {
    unsettled.incrementAndGet();
  }

  void settled() {
    unsettled.decrementAndGet();
  }

  /** Counts a failure; tells the log the first of many. */
  void failed(Throwable cause) {
    failures.increment();
    long now = time.nanos();
    long told = toldNanos.get();
    if (now - told >= TOLD.toNanos() && toldNanos.compareAndSet(told, now)) {
      LOG.log(
          System.Logger.Level.WARNING,
          "a connection could not be accepted, others wait; raise the limit of open files",
          cause);
    }
  }
}
