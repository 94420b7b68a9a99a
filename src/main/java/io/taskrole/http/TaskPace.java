package io.taskrole.http;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.taskrole.identity.AllocationId;
import io.taskrole.time.TimeSource;
import java.time.Duration;

/**
 * Keeps one task's flood from the others: each allocation has a token bucket, and what exceeds it
 * is answered a little later instead of being refused, since several SDKs give up on 429 for good.
 * Safe for concurrent use; never blocks.
 */
final class TaskPace {
  /** Far above any honest task; PHP asks once per web request. */
  private static final double PER_SECOND = 500;

  private static final double BURST = 1000;
  private static final long NANOS = 1_000_000_000L;

  /** More would cost the callers their own deadline. */
  private static final Duration MOST = Duration.ofMillis(250);

  private static final int REMEMBERED = 10_000;

  private final TimeSource time;
  private final Cache<AllocationId, Bucket> buckets =
      Caffeine.newBuilder().maximumSize(REMEMBERED).executor(Runnable::run).build();

  TaskPace(TimeSource time) {
    this.time = time;
  }

  /** Takes one request; returns how long its answer has to wait, zero as a rule. */
  Duration delay(AllocationId allocation) {
    long now = time.nanos();
    return buckets.get(allocation, _ -> new Bucket(now)).take(now);
  }

  private static final class Bucket {
    private double tokens = BURST;
    private long lastNanos;

    Bucket(long now) {
      lastNanos = now;
    }

    synchronized Duration take(long now) {
      double gained = (now - lastNanos) * PER_SECOND / NANOS;
      tokens = Math.min(BURST, tokens + Math.max(0, gained));
      lastNanos = now;
      tokens = Math.max(tokens - 1, -PER_SECOND);
      if (tokens >= 0) {
        return Duration.ZERO;
      }
      Duration wait = Duration.ofNanos((long) (-tokens * NANOS / PER_SECOND));
      return wait.compareTo(MOST) > 0 ? MOST : wait;
    }
  }
}
