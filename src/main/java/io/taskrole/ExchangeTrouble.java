package io.taskrole;

import io.taskrole.refusal.Refusal;
import io.taskrole.time.TimeSource;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * What is wrong with STS at home, as the last exchange there says. The log has a line when it
 * begins or becomes another trouble, and one when it is over; however it flickers, one in ten
 * seconds. Safe for concurrent use.
 */
final class ExchangeTrouble {
  private static final System.Logger LOG = System.getLogger(ExchangeTrouble.class.getName());
  private static final Duration APART = Duration.ofSeconds(10);

  private final TimeSource time;
  private @Nullable Refusal now;
  private @Nullable Refusal told;
  private long notBeforeNanos;

  ExchangeTrouble(TimeSource time) {
    this.time = time;
    this.notBeforeNanos = time.nanos();
  }

  /** An exchange failed so. */
  synchronized void failed(Refusal refusal) {
    now = refusal;
    boolean isNews = told == null || !told.message().equals(refusal.message());
    if (isNews && time.nanos() - notBeforeNanos >= 0) {
      told = refusal;
      notBeforeNanos = time.nanos() + APART.toNanos();
      LOG.log(System.Logger.Level.WARNING, "exchanges fail: " + refusal.message());
    }
  }

  /** STS answered, be it by a refusal. */
  synchronized void answered() {
    now = null;
    if (told != null) {
      told = null;
      LOG.log(System.Logger.Level.INFO, "STS answers again");
    }
  }

  /** The trouble there is now. */
  synchronized @Nullable Refusal now() {
    return now;
  }
}
