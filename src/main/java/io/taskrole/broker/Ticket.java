package io.taskrole.broker;

import io.taskrole.broker.CredentialSource.Exchange;
import io.taskrole.identity.BearerToken;

/**
 * One exchange on its way through {@link ExchangeQueue}: waiting for its turn, being made, or
 * waiting to be made again. Its fields belong to the queue.
 */
final class Ticket {
  /** What the exchange is made for. */
  interface Purpose {
    /** Whether anybody still has use for it; asked when its turn comes. */
    boolean isWanted();

    /** The token to send; asked when its turn comes. */
    BearerToken token();

    /** The exchange was made with that token. */
    void ended(Exchange exchange, BearerToken token);

    /** Its turn came, and nobody wanted it. */
    void forsaken();
  }

  final Lease.Key key;
  final Purpose purpose;
  Urgency urgency;
  long sequence;
  long notBeforeNanos;

  Ticket(Lease.Key key, Urgency urgency, Purpose purpose) {
    this.key = key;
    this.urgency = urgency;
    this.purpose = purpose;
  }
}
