package io.taskrole;

import io.taskrole.time.TimeSource;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Notices that the wall clock has been set, or that the machine has slept: the wall clock has then
 * gone another way than the monotonic one, which neither touches. A slew, of half a millisecond a
 * second at most, is no jump.
 *
 * <p>{@link #hasJumped} belongs to one thread; the rest is safe for concurrent use.
 */
final class ClockWatch {
  /** The default of {@code identity.clock-skew}: less harms nobody. */
  private static final Duration JUMP = Duration.ofSeconds(5);

  private static final Duration TOLD = Duration.ofMinutes(10);
  private static final System.Logger LOG = System.getLogger(ClockWatch.class.getName());

  private record Jump(Duration length, long atNanos) {}

  private final TimeSource time;
  private final AtomicLong jumps = new AtomicLong();
  private Instant wall;
  private long nanos;
  private volatile @Nullable Jump last;

  /** Begins to watch. */
  ClockWatch(TimeSource time) {
    this.time = time;
    this.wall = time.instant();
    this.nanos = time.nanos();
  }

  /** Whether the wall clock has been set since the last look; tells the log. */
  boolean hasJumped() {
    Instant wallNow = time.instant();
    long nanosNow = time.nanos();
    Duration went = Duration.between(wall, wallNow).minusNanos(nanosNow - nanos);
    wall = wallNow;
    nanos = nanosNow;
    if (went.abs().compareTo(JUMP) < 0) {
      return false;
    }
    jumps.incrementAndGet();
    Jump jump = new Jump(went, nanosNow);
    last = jump;
    LOG.log(System.Logger.Level.WARNING, text(jump));
    return true;
  }

  /** How often it has been set so far. */
  long jumps() {
    return jumps.get();
  }

  /** What happened within the last ten minutes; empty as a rule. */
  Optional<String> problem() {
    return Optional.ofNullable(last)
        .filter(jump -> time.nanos() - jump.atNanos() < TOLD.toNanos())
        .map(ClockWatch::text);
  }

  private static String text(Jump jump) {
    return "the wall clock went "
        + (jump.length().isNegative() ? "back" : "forward")
        + " by "
        + jump.length().abs().toSeconds()
        + " s; every token and lease is judged anew; see that the node's time is synchronised";
  }
}
