package io.taskrole.broker;

import io.taskrole.broker.CredentialSource.Exchange;

/**
 * Told of every exchange that ended; for metrics. Called on the exchange's thread; must not block.
 */
@FunctionalInterface
public interface ExchangeListener {
  /**
   * An exchange ended.
   *
   * @param exchange how it ended
   * @param nanos how long it took
   */
  void ended(Exchange exchange, long nanos);
}
