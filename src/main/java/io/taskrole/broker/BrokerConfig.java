package io.taskrole.broker;

import io.taskrole.policy.Region;
import java.time.Duration;
import java.util.Optional;

/**
 * How long a caller may have to wait, and where else credentials may come from.
 *
 * @param answerWithin every request is answered within this time of its arrival; 100 ms to 20 s
 * @param secondRegion whose STS is asked as well for tasks without credentials, while the one at
 *     home fails or does not answer
 */
public record BrokerConfig(Duration answerWithin, Optional<Region> secondRegion) {
  /** Throws {@link IllegalArgumentException} when the time is out of range. */
  public BrokerConfig {
    if (answerWithin.compareTo(Duration.ofMillis(100)) < 0
        || answerWithin.compareTo(Duration.ofSeconds(20)) > 0) {
      throw new IllegalArgumentException("answer-within must be 100ms to 20s");
    }
  }
}
