package io.taskrole.broker;

/**
 * How hard this node may ask STS.
 *
 * @param concurrency calls in flight at once, at least 1; of these one role has at most half, and
 *     one account in one Region three quarters
 * @param rate calls a second in the long run, at least 1; after a quiet time a second's worth of
 *     them may start at once
 */
public record ExchangeLimits(int concurrency, int rate) {
  /** Throws {@link IllegalArgumentException} when a value is out of range. */
  public ExchangeLimits {
    if (concurrency < 1 || rate < 1) {
      throw new IllegalArgumentException("concurrency and rate must be at least 1");
    }
  }

  /** Calls in flight at once for one role, so that a role that hangs leaves room for the others. */
  int concurrencyOfARole() {
    return Math.max(1, concurrency / 2);
  }

  /** Calls in flight at once for one account in one Region: where STS hangs, others have room. */
  int concurrencyOfAnUpstream() {
    return concurrency - concurrency / 4;
  }
}
