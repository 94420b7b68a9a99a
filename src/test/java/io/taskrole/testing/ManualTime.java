package io.taskrole.testing;

import io.taskrole.time.TimeSource;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;

/** Time that moves only when a test says so. {@link #sleep} moves it too, and returns at once. */
public final class ManualTime implements TimeSource {
  private final AtomicReference<Instant> now;
  private final AtomicLong nanos = new AtomicLong(1_000_000_000L);

  public ManualTime(Instant start) {
    now = new AtomicReference<>(start);
  }

  public static ManualTime at(String instant) {
    return new ManualTime(Instant.parse(instant));
  }

  @Override
  public Instant instant() {
    return now.get();
  }

  @Override
  public long nanos() {
    return nanos.get();
  }

  @Override
  public void sleep(Duration time) {
    advance(time);
  }

  /** Moves both clocks forward. */
  public void advance(Duration time) {
    now.updateAndGet(instant -> instant.plus(time));
    nanos.addAndGet(time.toNanos());
  }

  /** Moves the wall clock alone, as an administrator or a resumed machine does. */
  public void jumpWallClock(Duration time) {
    now.updateAndGet(instant -> instant.plus(time));
  }
}
