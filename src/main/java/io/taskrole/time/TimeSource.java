package io.taskrole.time;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;

/**
 * Wall clock, monotonic clock and waiting in one parameter, so that a test can own all three.
 *
 * <p>The wall clock ({@link #instant()}) is for comparing with {@code exp}, {@code nbf} and the
 * expiration that STS names; ages, time-outs and back-off use {@link #nanos()}, which no clock
 * adjustment moves. Safe for concurrent use.
 */
public interface TimeSource extends InstantSource {
  /** Nanoseconds of a monotonic clock with an arbitrary origin; only differences mean something. */
  long nanos();

  /** Waits at least that long on the calling thread; returns at once for zero or less. */
  void sleep(Duration time) throws InterruptedException;

  /** The clocks of this machine. */
  static TimeSource system() {
    return SystemTime.INSTANCE;
  }

  /** The system's clocks; the build forbids reading them anywhere else. */
  @ReadsSystemTime
  enum SystemTime implements TimeSource {
    INSTANCE;

    @Override
    public Instant instant() {
      return Instant.now();
    }

    @Override
    public long nanos() {
      return System.nanoTime();
    }

    @Override
    public void sleep(Duration time) throws InterruptedException {
      if (time.isPositive()) {
        Thread.sleep(time);
      }
    }
  }
}
