import io.taskrole.demo.Issuer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;

/** One task of the soak, and what it may be answered just now. */
final class SoakTask {
  final String name;
  final String job;
  final String role;
  private final Issuer.Token token;
  private volatile byte[] signed;
  private volatile long renewedNanos;
  private volatile long stoppedNanos = Long.MAX_VALUE;
  private volatile long coldSince;
  private volatile boolean isWarm;
  private volatile long epoch;
  private volatile Instant expiration = Instant.EPOCH;

  /** Of the asking thread alone. */
  boolean asked;

  long notBeforeNanos;

  SoakTask(String name, String job, String role, Issuer.Token token) {
    this.name = name;
    this.job = job;
    this.role = role;
    this.token = token;
    sign();
    // Spread over the time between two renewals.
    renewedNanos -= (long) (Math.random() * 60e9);
  }

  byte[] token() {
    return signed;
  }

  void renew(Duration age, long now) {
    if (now - renewedNanos >= age.toNanos()) {
      sign();
    }
  }

  private void sign() {
    signed = token.sign().getBytes(StandardCharsets.US_ASCII);
    renewedNanos = System.nanoTime();
  }

  void stopped(long now) {
    stoppedNanos = now;
  }

  boolean isStopped(long now) {
    return now - stoppedNanos >= 0 && stoppedNanos != Long.MAX_VALUE;
  }

  long stoppedAt() {
    return stoppedNanos;
  }

  boolean isWarm() {
    return isWarm;
  }

  /** Grows whenever the task has to begin anew. */
  long epoch() {
    return epoch;
  }

  void asks(long now) {
    asked = true;
    if (coldSince == 0) {
      coldSince = now;
    }
  }

  /** Has credentials; returns for how long it had none, in nanoseconds, 0 when it had. */
  long served(long now) {
    if (isWarm) {
      return 0;
    }
    isWarm = true;
    return now - coldSince;
  }

  /** What it has ends then, as it was told: 25 s before the truth. */
  void has(Instant expiration) {
    this.expiration = expiration;
  }

  /** Until then what it has is served: 30 s before the truth. */
  Instant servedUntil() {
    return expiration.minusSeconds(6);
  }

  void beginAnew() {
    epoch++;
    coldSince = 0;
    isWarm = false;
  }
}
