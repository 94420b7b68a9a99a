package io.taskrole.broker;

import io.taskrole.broker.CredentialSource.Exchange;
import io.taskrole.identity.BearerToken;
import io.taskrole.policy.Applicant;
import io.taskrole.policy.SessionName;
import io.taskrole.refusal.Refusal;
import io.taskrole.time.TimeSource;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * All that is known of one lease key: the lease, the exchange in flight, the newest token, the last
 * refusal, and when to renew. Every state change happens under the slot's monitor, and nothing
 * blocks there; {@link #lease} alone is read without it.
 */
final class LeaseSlot {
  /** An exchange that goes on whoever waits for it. */
  static final class Flight {
    final CompletableFuture<Outcome> landing = new CompletableFuture<>();
    final BearerToken token;

    /** How it is made, once it is in line. */
    volatile @Nullable Journey journey;

    private volatile @Nullable Refusal trouble;

    private Flight(BearerToken token) {
      this.token = token;
    }

    /** What went wrong so far, null while nothing did. */
    @Nullable Refusal trouble() {
      return trouble;
    }

    void inTrouble(Refusal refusal) {
      trouble = refusal;
    }
  }

  /**
   * What a caller without a live lease gets: an exchange to wait for, or the answer of the last
   * one.
   */
  sealed interface Approach {
    /** An exchange is in flight; {@code starts} when this approach began it and has to run it. */
    record Wait(Flight flight, boolean starts) implements Approach {}

    /** A lease has landed since the caller looked. */
    record Served(Lease lease) implements Approach {}

    /** The slot was dropped: a new one has to be made. */
    record Gone() implements Approach {}

    /** The last exchange's refusal still stands. */
    record Known(Refusal refusal) implements Approach {}
  }

  private record Memory(Refusal refusal, BearerToken.Digest token, long untilNanos) {}

  /** The shortest remaining life of a token that is worth sending to STS. */
  private static final Duration TOKEN_MARGIN = Duration.ofSeconds(5);

  final Lease.Key key;
  final Applicant applicant;
  final SessionName session;
  private final LeaseTerms terms;
  private final TimeSource time;

  private volatile @Nullable Lease lease;

  /** When the lease's life is over by the monotonic clock, whatever becomes of the wall clock. */
  private volatile long endsAtNanos;

  /** From then on so little of the lease is left that SDKs ask again and again. */
  private volatile Instant freshUntil = Instant.MAX;

  private volatile Instant tokenExpires;
  private BearerToken token;
  private @Nullable Flight flight;
  private @Nullable Memory memory;
  private long renewAtNanos;
  private volatile boolean renewalFails;
  private int failedRenewals;
  private volatile boolean dropped;

  LeaseSlot(LeaseRequest request, LeaseTerms terms, TimeSource time) {
    this.key = request.key();
    this.applicant = request.applicant();
    this.session = SessionName.of(key.allocation(), key.task());
    this.token = request.token();
    this.tokenExpires = request.tokenExpires();
    this.terms = terms;
    this.time = time;
  }

  /** The lease, null when there is none or it is about to end. */
  @Nullable Lease live() {
    return live(time.instant());
  }

  private @Nullable Lease live(Instant now) {
    Lease held = lease;
    return held != null && untilFloor(held, now).isPositive() ? held : null;
  }

  /**
   * How long the lease may be served yet: by the wall clock, which is STS's as well, and by the
   * monotonic one, in case somebody sets the wall clock back.
   */
  private Duration untilFloor(Lease held, Instant now) {
    Duration byWall = Duration.between(now, held.credentials().expiration());
    Duration byAge = Duration.ofNanos(endsAtNanos - time.nanos());
    return (byWall.compareTo(byAge) < 0 ? byWall : byAge).minus(terms.floor());
  }

  /**
   * How long the lease is served yet if STS never renews it; null when there is none, or when it
   * ends anyway because its task has shown no newer token.
   */
  @Nullable Duration servedWithoutSts() {
    Instant now = time.instant();
    Lease held = live(now);
    return held == null || !isTokenUsable(tokenExpires) ? null : untilFloor(held, now);
  }

  /** The live lease, null as well when a caller should wait a moment for its successor. */
  @Nullable Lease worthServing() {
    Instant now = time.instant();
    Lease held = live(now);
    boolean waits =
        held != null && !renewalFails && !now.isBefore(freshUntil) && isTokenUsable(tokenExpires);
    return waits ? null : held;
  }

  /** Keeps the token when it is newer than the one held. */
  void learn(BearerToken presented, Instant expires) {
    if (expires.isAfter(tokenExpires)) {
      synchronized (this) {
        if (expires.isAfter(tokenExpires)) {
          token = presented;
          tokenExpires = expires;
        }
      }
    }
  }

  /**
   * Joins the exchange in flight or begins one, unless a fresh refusal of the same token stands.
   */
  synchronized Approach approach(BearerToken presented) {
    if (dropped) {
      return new Approach.Gone();
    }
    if (flight != null) {
      return new Approach.Wait(flight, false);
    }
    // Between a caller's look and here a flight may have landed: it must not begin a second one.
    Lease served = worthServing();
    if (served != null) {
      return new Approach.Served(served);
    }
    Memory last = memory;
    if (last != null
        && time.nanos() - last.untilNanos() < 0
        && last.token().equals(presented.digest())) {
      return new Approach.Known(last.refusal());
    }
    flight = new Flight(token);
    return new Approach.Wait(flight, true);
  }

  /** Begins a renewal when one is due and can be made; null otherwise. */
  synchronized @Nullable Flight beginRenewal() {
    if (dropped
        || flight != null
        || live() == null
        || time.nanos() - renewAtNanos < 0
        || !isTokenUsable(tokenExpires)) {
      return null;
    }
    flight = new Flight(token);
    return flight;
  }

  /** A renewal can wait until so little of the lease is left that SDKs ask again and again. */
  Urgency renewalUrgency() {
    return time.instant().isBefore(freshUntil) ? Urgency.RENEWAL : Urgency.CALLER;
  }

  /** The exchange in flight, null when there is none. */
  synchronized @Nullable Flight flight() {
    return flight;
  }

  boolean isDropped() {
    return dropped;
  }

  /** The token that the next attempt of a flight should send: the newest. */
  synchronized BearerToken newestToken() {
    return token;
  }

  /**
   * Ends a flight. Returns the lease that the result replaced or revoked, null when none was;
   * callers that wait are told by {@link Flight#landing}, which this completes last.
   */
  @Nullable Lease land(Flight ended, Exchange result, BearerToken used, double jitter) {
    Lease displaced;
    Outcome outcome;
    synchronized (this) {
      if (flight == ended) {
        flight = null;
      }
      Lease before = lease;
      outcome =
          switch (result) {
            case Exchange.Obtained(var credentials) -> obtained(credentials, jitter);
            case Exchange.Denied(var refusal) -> denied(refusal, used);
            case Exchange.Failed(var refusal) -> failed(refusal, used, jitter);
          };
      displaced = before == lease ? null : before;
    }
    ended.landing.complete(outcome);
    return displaced;
  }

  /**
   * Forgets everything; a flight that still lands leaves nothing behind. Returns the lease held.
   */
  synchronized @Nullable Lease drop() {
    Lease held = lease;
    dropped = true;
    lease = null;
    memory = null;
    return held;
  }

  /** Ends the memory of a refusal, so that the next caller asks STS again. */
  synchronized void forgetRefusal() {
    memory = null;
  }

  /** Drops the slot when it holds nothing that a later caller could use; says whether it did. */
  synchronized boolean retireWhenIdle() {
    boolean remembers = memory != null && time.nanos() - memory.untilNanos() < 0;
    dropped |= flight == null && live() == null && !remembers;
    return dropped;
  }

  private Outcome obtained(SessionCredentials credentials, double jitter) {
    Instant now = time.instant();
    Lease next = new Lease(key, session, credentials, now);
    if (dropped) {
      return new Outcome.Refused(Refusals.grantChanged());
    }
    Duration told = Duration.between(now, credentials.expiration());
    // What is longer than was asked for is a wrong clock of ours.
    Duration asked = key.grant().duration();
    Duration life = told.compareTo(asked) < 0 ? told : asked;
    endsAtNanos = time.nanos() + life.toNanos();
    // Between 50 % and 66 % of the life, so that a served lease keeps at least a third of it.
    renewAtNanos = time.nanos() + (long) (life.toNanos() * (0.50 + 0.16 * jitter));
    Duration third = life.dividedBy(3);
    Duration enough = third.compareTo(terms.fresh()) < 0 ? third : terms.fresh();
    freshUntil = credentials.expiration().minus(enough);
    failedRenewals = 0;
    renewalFails = false;
    memory = null;
    lease = next;
    return new Outcome.Issued(next);
  }

  private Outcome denied(Refusal refusal, BearerToken used) {
    lease = null;
    memory = new Memory(refusal, used.digest(), time.nanos() + terms.refusalMemory().toNanos());
    return new Outcome.Refused(refusal);
  }

  private Outcome failed(Refusal refusal, BearerToken used, double jitter) {
    Duration memorable =
        refusal.reason().isTransient() ? terms.failureMemory() : terms.refusalMemory();
    memory = new Memory(refusal, used.digest(), time.nanos() + memorable.toNanos());
    Lease held = live();
    if (held == null) {
      return new Outcome.Refused(refusal);
    }
    failedRenewals++;
    renewalFails = true;
    renewAtNanos = time.nanos() + renewalPause(held, jitter).toNanos();
    return new Outcome.Issued(held);
  }

  /** Full jitter below 2 s, 4 s, 8 s … 60 s, and never so long that fewer than 5 attempts fit. */
  private Duration renewalPause(Lease held, double jitter) {
    long ceiling = Math.min(60_000L, 1_000L << Math.min(failedRenewals, 6));
    long fifth = Math.max(1_000L, untilFloor(held, time.instant()).toMillis() / 5);
    return Duration.ofMillis(Math.max(500L, (long) (Math.min(ceiling, fifth) * jitter)));
  }

  private boolean isTokenUsable(Instant expires) {
    return time.instant().plus(TOKEN_MARGIN).isBefore(expires);
  }
}
