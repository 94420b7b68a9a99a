package io.taskrole.sts;

import io.taskrole.policy.Region;
import java.net.URI;
import java.time.Duration;
import java.util.Optional;

/**
 * Which STS, and how hard it may be asked.
 *
 * @param region where STS is asked for roles whose rule names no region
 * @param endpoint in place of the Region's own, for VPC endpoints and tests; for every region then
 *     but the fallback's
 * @param fallback a second Region, for cold starts only
 * @param timeout for one call, 1 s to 60 s; AWS itself may spend 5 s on fetching the issuer's keys
 * @param concurrency calls in flight at once, 1 to 256; the rest wait their turn
 * @param rate calls a second in the long run, 1 to 10,000; the rest wait their turn
 */
public record StsConfig(
    Region region,
    Optional<URI> endpoint,
    Optional<Fallback> fallback,
    Duration timeout,
    int concurrency,
    int rate) {
  /**
   * A second Region of the same partition.
   *
   * @param region which is not the first
   * @param endpoint in place of the Region's own
   */
  public record Fallback(Region region, Optional<URI> endpoint) {}

  /** Throws {@link IllegalArgumentException} when a value is out of range. */
  public StsConfig {
    if (timeout.compareTo(Duration.ofSeconds(1)) < 0
        || timeout.compareTo(Duration.ofSeconds(60)) > 0) {
      throw new IllegalArgumentException("timeout must be 1s to 60s");
    }
    if (concurrency < 1 || concurrency > 256) {
      throw new IllegalArgumentException("concurrency must be 1 to 256");
    }
    if (rate < 1 || rate > 10_000) {
      throw new IllegalArgumentException("rate must be 1 to 10,000");
    }
  }
}
