package io.taskrole.broker;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.taskrole.broker.CredentialSource.Exchange;
import io.taskrole.broker.LeaseSlot.Approach;
import io.taskrole.broker.LeaseSlot.Flight;
import io.taskrole.identity.AllocationId;
import io.taskrole.identity.BearerToken;
import io.taskrole.policy.Grant;
import io.taskrole.policy.Region;
import io.taskrole.refusal.Refusal;
import io.taskrole.time.TimeSource;
import java.time.Duration;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.DoubleSupplier;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The leases of this node: one exchange in flight per key, held in memory, renewed ahead of time,
 * served while they live whatever becomes of STS.
 *
 * <p>An exchange belongs to its key, not to the caller that began it: it goes on when every caller
 * has been told to ask again, and its result serves the retry. Safe for concurrent use; only {@link
 * #await} blocks.
 */
final class Leases {
  /** Far above the tasks of one node; a bound on memory, not a working limit. */
  private static final int MAXIMUM = 8_000;

  /**
   * How long a dropped lease keeps its bytes, for answers that are just being written: those are
   * delayed by a quarter of a second at most.
   */
  private static final Duration ERASE_AFTER = Duration.ofMillis(500);

  private record Dropped(Lease lease, long eraseAtNanos) {}

  private final Entitlement entitlement;
  private final LeaseTerms terms;
  private final Optional<Region> secondRegion;
  private final TimeSource time;
  private final DoubleSupplier jitter;
  private final Exchanges exchanges;
  private final Queue<Dropped> dropped = new ConcurrentLinkedQueue<>();
  private final Cache<Lease.Key, LeaseSlot> slots;

  Leases(
      Exchanges exchanges,
      Entitlement entitlement,
      LeaseTerms terms,
      Optional<Region> secondRegion,
      TimeSource time,
      DoubleSupplier jitter) {
    this.exchanges = exchanges;
    this.entitlement = entitlement;
    this.terms = terms;
    this.secondRegion = secondRegion;
    this.time = time;
    this.jitter = jitter;
    this.slots =
        Caffeine.newBuilder()
            .maximumSize(MAXIMUM)
            .executor(Runnable::run)
            .<Lease.Key, LeaseSlot>evictionListener((key, slot, cause) -> retire(slot))
            .build();
  }

  /** The live lease, from memory; null when {@link #await} should be asked. Never blocks. */
  @Nullable Lease recall(LeaseRequest request) {
    LeaseSlot slot = slots.getIfPresent(request.key());
    if (slot == null) {
      return null;
    }
    slot.learn(request.token(), request.tokenExpires());
    return slot.worthServing();
  }

  /** The lease that lives, whatever the token; null when there is none. Never blocks. */
  @Nullable Lease held(Lease.Key key) {
    LeaseSlot slot = slots.getIfPresent(key);
    return slot == null ? null : slot.live();
  }

  /**
   * Begins to obtain a lease that nobody asks for yet, or lets the one that lives know of a newer
   * token. Never blocks.
   */
  Prefetched prefetch(LeaseRequest request) {
    LeaseSlot slot = slots.get(request.key(), _ -> new LeaseSlot(request, terms, time));
    slot.learn(request.token(), request.tokenExpires());
    if (slot.live() == null
        && slot.approach(request.token()) instanceof Approach.Wait(var flight, var starts)
        && starts) {
      launch(slot, flight, terms.exchangeBudget(), Urgency.PREFETCH);
      return Prefetched.BEGUN;
    }
    return Prefetched.KNOWN;
  }

  /**
   * The lease, obtained from STS when there is none; waits until {@code deadlineNanos} at most,
   * then says why there is none yet.
   */
  Outcome await(LeaseRequest request, long deadlineNanos) {
    return switch (ask(request)) {
      case Answer.Now(var outcome) -> outcome;
      case Answer.Later later -> later.orHeld(land(later.flight(), deadlineNanos));
    };
  }

  /** What a caller gets: the outcome, or the exchange that will have it. */
  sealed interface Answer {
    /** The outcome is known. */
    record Now(Outcome outcome) implements Answer {}

    /** An exchange has to end first, which {@code flight} tells. */
    record Later(LeaseSlot slot, Flight flight) implements Answer {
      /** A lease that lives is better than any refusal. */
      Outcome orHeld(Outcome outcome) {
        return rather(slot.live(), outcome);
      }
    }
  }

  /** The lease, or the exchange that will bring it, begun when there is none. Never blocks. */
  Answer ask(LeaseRequest request) {
    while (true) {
      LeaseSlot slot = slots.get(request.key(), _ -> new LeaseSlot(request, terms, time));
      slot.learn(request.token(), request.tokenExpires());
      Lease served = slot.worthServing();
      if (served != null) {
        return new Answer.Now(new Outcome.Issued(served));
      }
      switch (slot.approach(request.token())) {
        case Approach.Served(var lease) -> {
          return new Answer.Now(new Outcome.Issued(lease));
        }
        case Approach.Gone() -> slots.asMap().remove(slot.key, slot);
        case Approach.Known(var refusal) -> {
          return new Answer.Now(rather(slot.live(), new Outcome.Refused(refusal)));
        }
        case Approach.Wait(var flight, var starts) -> {
          Lease held = slot.live();
          if (starts) {
            launch(
                slot,
                flight,
                held == null ? terms.exchangeBudget() : Duration.ZERO,
                Urgency.CALLER);
          } else {
            hasten(flight);
          }
          Refusal trouble = exchanges.trouble(request.key().grant());
          if (trouble != null) {
            flight.inTrouble(trouble);
          }
          return held != null && trouble != null
              ? new Answer.Now(new Outcome.Issued(held))
              : new Answer.Later(slot, flight);
        }
      }
    }
  }

  /** A lease that lives is better than any refusal. */
  private static Outcome rather(@Nullable Lease held, Outcome outcome) {
    return held != null && outcome instanceof Outcome.Refused ? new Outcome.Issued(held) : outcome;
  }

  /** Begins every renewal that is due, retires what has ended. To be called about once a second. */
  void tend() {
    for (LeaseSlot slot : slots.asMap().values()) {
      if (!entitlement.holds(slot.key, slot.applicant)) {
        drop(slot);
      } else if (slot.retireWhenIdle()) {
        // By itself, without a stop, it has ended: its bytes are of no more use either.
        drop(slot);
      } else {
        tend(slot);
      }
    }
  }

  private void tend(LeaseSlot slot) {
    Flight begun = slot.beginRenewal();
    if (begun != null) {
      launch(slot, begun, Duration.ZERO, slot.renewalUrgency());
      return;
    }
    Flight waiting = slot.flight();
    if (waiting != null && slot.renewalUrgency() == Urgency.CALLER) {
      hasten(waiting);
    }
  }

  /** Overwrites what was dropped a moment ago. To be called several times a second. */
  void erase() {
    long now = time.nanos();
    for (Dropped head = dropped.peek();
        head != null && now - head.eraseAtNanos() >= 0;
        head = dropped.peek()) {
      dropped.remove(head);
      head.lease().erase();
    }
  }

  /** Drops exactly the leases whose grant no longer holds, and every remembered refusal. */
  void rulesChanged() {
    exchanges.forgetRefusals();
    for (LeaseSlot slot : slots.asMap().values()) {
      if (entitlement.holds(slot.key, slot.applicant)) {
        slot.forgetRefusal();
      } else {
        drop(slot);
      }
    }
  }

  /** Drops all leases of an allocation, as when it stops. */
  void drop(AllocationId allocation) {
    dropIf(slot -> slot.key.allocation().equals(allocation));
  }

  /** Drops every lease and erases its bytes at once; for the end of the process. */
  void close() {
    dropIf(_ -> true);
    for (Dropped gone = dropped.poll(); gone != null; gone = dropped.poll()) {
      gone.lease().erase();
    }
  }

  /** How many exchanges wait for their turn. */
  int waiting() {
    return exchanges.waiting();
  }

  /** How many leases are live now. */
  int count() {
    int live = 0;
    for (LeaseSlot slot : slots.asMap().values()) {
      live += slot.live() == null ? 0 : 1;
    }
    return live;
  }

  /**
   * How long every live lease would be served if STS renewed none from now on; empty without any. A
   * lease that ends anyway, because its task has shown no newer token, does not count.
   */
  Optional<Duration> outageBudget() {
    Duration least = null;
    for (LeaseSlot slot : slots.asMap().values()) {
      Duration served = slot.servedWithoutSts();
      if (served != null && (least == null || served.compareTo(least) < 0)) {
        least = served;
      }
    }
    return Optional.ofNullable(least);
  }

  private void dropIf(Predicate<LeaseSlot> condition) {
    for (LeaseSlot slot : slots.asMap().values()) {
      if (condition.test(slot)) {
        drop(slot);
      }
    }
  }

  private void drop(LeaseSlot slot) {
    slots.asMap().remove(slot.key, slot);
    retire(slot);
  }

  private void retire(@Nullable LeaseSlot slot) {
    if (slot != null) {
      eraseLater(slot.drop());
    }
  }

  private void eraseLater(@Nullable Lease lease) {
    if (lease != null) {
      dropped.add(new Dropped(lease, time.nanos() + ERASE_AFTER.toNanos()));
    }
  }

  private Outcome land(Flight flight, long deadlineNanos) {
    try {
      return flight.landing.get(deadlineNanos - time.nanos(), TimeUnit.NANOSECONDS);
    } catch (TimeoutException e) {
      Refusal trouble = flight.trouble();
      return new Outcome.Refused(trouble == null ? Refusals.exchangePending() : trouble);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return new Outcome.Refused(Refusals.stopping());
    } catch (ExecutionException e) {
      throw new IllegalStateException("a flight lands with a value", e);
    }
  }

  private void launch(LeaseSlot slot, Flight flight, Duration budget, Urgency urgency) {
    Refusal standing = exchanges.standing(slot.key, flight.token);
    if (standing != null) {
      land(slot, flight, new Exchange.Failed(standing), flight.token);
      return;
    }
    new Journey(
            slot,
            flight,
            budget,
            urgency,
            budget.isZero() ? null : inSecondRegion(slot.key),
            exchanges,
            time,
            jitter,
            (result, used) -> land(slot, flight, result, used))
        .begin();
  }

  /** The key in the second Region: none without one, in another partition, or from there. */
  private Lease.@Nullable Key inSecondRegion(Lease.Key key) {
    Grant grant = key.grant();
    return secondRegion
        .filter(region -> region.partition().equals(grant.role().partition()))
        .filter(region -> !grant.region().equals(Optional.of(region.name())))
        .map(region -> new Lease.Key(key.allocation(), key.task(), grant.in(region)))
        .orElse(null);
  }

  private static void hasten(Flight flight) {
    Journey journey = flight.journey;
    if (journey != null) {
      journey.hasten();
    }
  }

  private void land(LeaseSlot slot, Flight flight, Exchange result, BearerToken used) {
    eraseLater(slot.land(flight, result, used, jitter.getAsDouble()));
  }
}
