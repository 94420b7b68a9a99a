package io.taskrole.broker;

import java.time.Duration;

/**
 * How long a caller may have to wait.
 *
 * @param answerWithin every request is answered within this time of its arrival; 100 ms to 20 s
 */
public record BrokerConfig(Duration answerWithin) {
  /** Throws {@link IllegalArgumentException} when the time is out of range. */
  public BrokerConfig {
    if (answerWithin.compareTo(Duration.ofMillis(100)) < 0
        || answerWithin.compareTo(Duration.ofSeconds(20)) > 0) {
      throw new IllegalArgumentException("answer-within must be 100ms to 20s");
    }
  }
}
