package io.taskrole.broker;

import io.taskrole.broker.CredentialSource.Exchange;
import io.taskrole.policy.Grant;

/**
 * Told of every exchange that ended; for metrics. Called on the exchange's thread; must not block.
 */
@FunctionalInterface
public interface ExchangeListener {
  /**
   * An exchange ended.
   *
   * @param grant what was asked for, and in which Region
   * @param exchange how it ended
   * @param nanos how long it took
   */
  void ended(Grant grant, Exchange exchange, long nanos);
}
