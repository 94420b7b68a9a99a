package io.taskrole.broker;

import io.taskrole.broker.CredentialSource.Exchange;
import io.taskrole.broker.LeaseSlot.Flight;
import io.taskrole.identity.BearerToken;
import io.taskrole.refusal.Reason;
import io.taskrole.refusal.Refusal;
import io.taskrole.time.TimeSource;
import java.time.Duration;
import java.util.function.BiConsumer;
import java.util.function.DoubleSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A flight from its first attempt to its end. A renewal makes one attempt, where the grant says. A
 * cold flight tries again until its budget is used; where there is a second Region, it tries there
 * as well: at once when STS is known to be in trouble at home, otherwise when a call at home fails
 * for a cause that passes, when it is not answered within a second, or when it waits its turn and
 * nobody's is answered. Credentials of either end it, a refusal only at home: the second Region can
 * help, and make nothing worse.
 *
 * <p>Safe for concurrent use; its own lock is never held while others are called.
 */
final class Journey {
  /** How long STS at home has for its answer before the second Region is asked as well. */
  private static final Duration PATIENCE = Duration.ofSeconds(1);

  private final LeaseSlot slot;
  private final Flight flight;
  private final Duration budget;
  private final Exchanges exchanges;
  private final TimeSource time;
  private final DoubleSupplier jitter;
  private final BiConsumer<Exchange, BearerToken> landing;
  private final Leg home;
  private final @Nullable Leg second;
  private boolean landed;
  private @Nullable Exchange lastAtHome;

  /**
   * Plans the journey; {@link #begin} begins it.
   *
   * @param budget how long it keeps trying; nothing for one attempt
   * @param second the key in the second Region, null for none
   * @param landing told once how it ended
   */
  Journey(
      LeaseSlot slot,
      Flight flight,
      Duration budget,
      Urgency urgency,
      Lease.@Nullable Key second,
      Exchanges exchanges,
      TimeSource time,
      DoubleSupplier jitter,
      BiConsumer<Exchange, BearerToken> landing) {
    this.slot = slot;
    this.flight = flight;
    this.budget = budget;
    this.exchanges = exchanges;
    this.time = time;
    this.jitter = jitter;
    this.landing = landing;
    this.home = new Leg(slot.key, urgency);
    this.second = second == null ? null : new Leg(second, urgency);
  }

  /** Puts it in line; never blocks. */
  void begin() {
    flight.journey = this;
    boolean isDoubtful = exchanges.isDoubtful(slot.key.grant());
    home.start();
    if (second != null) {
      if (isDoubtful) {
        second.start();
      } else {
        exchanges.at(time.nanos() + PATIENCE.toNanos(), () -> lookAt(second));
      }
    }
  }

  /** Starts the other way when home leaves us waiting; looks again later when it does not. */
  private void lookAt(Leg other) {
    synchronized (this) {
      if (landed || other.isStarted) {
        return;
      }
    }
    long now = time.nanos();
    long due = home.isAsked ? home.askedAt + PATIENCE.toNanos() : now;
    if (due - now <= 0 && (home.isAsked || exchanges.isDoubtful(slot.key.grant()))) {
      other.start();
    } else {
      exchanges.at(due - now > 0 ? due : now + PATIENCE.toNanos(), () -> lookAt(other));
    }
  }

  /** A caller waits for it now. */
  void hasten() {
    exchanges.promote(home.ticket, Urgency.CALLER);
    if (second != null) {
      exchanges.promote(second.ticket, Urgency.CALLER);
    }
  }

  private synchronized boolean hasLanded() {
    return landed;
  }

  private void land(Exchange exchange, BearerToken token) {
    synchronized (this) {
      if (landed) {
        discard(exchange);
        return;
      }
      landed = true;
    }
    exchanges.withdraw(home.ticket);
    if (second != null) {
      exchanges.withdraw(second.ticket);
    }
    landing.accept(exchange, token);
  }

  /** What came too late is nobody's. */
  private static void discard(Exchange exchange) {
    if (exchange instanceof Exchange.Obtained(var credentials)) {
      credentials.erase();
    }
  }

  /** One of its ways: home, or the second Region. Its calls come one after the other. */
  private final class Leg implements Ticket.Purpose {
    private final Ticket ticket;
    private int attempts;
    private long askedAt;
    private volatile boolean isAsked;

    /** These three belong to the journey's lock. */
    private boolean isStarted;

    private boolean isFlying;
    private boolean isOver;

    Leg(Lease.Key key, Urgency urgency) {
      this.ticket = new Ticket(key, urgency, this);
    }

    void start() {
      synchronized (Journey.this) {
        if (landed || isStarted) {
          return;
        }
        isStarted = true;
      }
      exchanges.submit(ticket);
    }

    @Override
    public boolean isWanted() {
      return !slot.isDropped() && !hasLanded();
    }

    @Override
    public BearerToken token() {
      if (!isAsked) {
        askedAt = time.nanos();
        isAsked = true;
      }
      synchronized (Journey.this) {
        isFlying = true;
      }
      return slot.newestToken();
    }

    @Override
    public void ended(Exchange exchange, BearerToken token) {
      boolean goesOn = callEnded();
      if (goesOn
          && exchange instanceof Exchange.Failed(var refusal)
          && isWorthAnother(refusal, token)) {
        if (this == home) {
          flight.inTrouble(refusal);
          if (second != null) {
            second.start();
          }
        }
        Duration pause = pause(attempts++);
        if (time.nanos() + pause.toNanos() - askedAt < budget.toNanos()) {
          exchanges.submitAgain(ticket, pause);
          return;
        }
      }
      arrived(exchange, token);
    }

    @Override
    public void forsaken() {
      land(new Exchange.Failed(Refusals.grantChanged()), flight.token);
    }

    private void arrived(Exchange exchange, BearerToken token) {
      boolean isHome = this == home;
      boolean decides =
          exchange instanceof Exchange.Obtained
              || (isHome
                  && !(exchange instanceof Exchange.Failed(var refusal)
                      && isWorthAnother(refusal, token)));
      Exchange result = exchange;
      synchronized (Journey.this) {
        isOver = true;
        if (isHome) {
          lastAtHome = exchange;
        }
        if (!decides && isAwaited(isHome ? second : home)) {
          return;
        }
        if (!decides && lastAtHome != null) {
          result = lastAtHome;
        }
      }
      land(result, token);
    }

    /** Whether another call may follow: once home has given up, nobody makes one. */
    private boolean callEnded() {
      synchronized (Journey.this) {
        isFlying = false;
        return !landed && !home.isOver;
      }
    }

    /**
     * Home is always waited for. The second Region is, when home has given up, only for a call that
     * is being made: a line there must not keep the next flight from trying home.
     */
    private boolean isAwaited(@Nullable Leg other) {
      return other != null && !other.isOver && (other == home || other.isFlying);
    }
  }

  /** Whether trying again may help: the cause passes by itself, or a newer token has come. */
  private boolean isWorthAnother(Refusal refusal, BearerToken used) {
    return refusal.reason().isTransient()
        || (refusal.reason() == Reason.TOKEN_REFUSED_BY_STS && !slot.newestToken().equals(used));
  }

  /** Full jitter below 100 ms, 200 ms, 400 ms … 2 s, at least 50 ms. */
  private Duration pause(int attempt) {
    double ceiling = Math.min(2_000, 100L << Math.min(attempt, 5));
    return Duration.ofMillis(Math.max(50, (long) (ceiling * jitter.getAsDouble())));
  }
}
