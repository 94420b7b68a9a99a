package io.taskrole.broker;

import io.taskrole.broker.CallerAttestor.Attestation;
import io.taskrole.broker.Placements.Finding;
import io.taskrole.identity.AllocationId;
import io.taskrole.identity.BearerToken;
import io.taskrole.identity.Verification;
import io.taskrole.identity.Verifier;
import io.taskrole.identity.WorkloadIdentity;
import io.taskrole.policy.Applicant;
import io.taskrole.policy.AttestLevel;
import io.taskrole.policy.Decision;
import io.taskrole.policy.Grant;
import io.taskrole.policy.RoleRules;
import io.taskrole.refusal.Reason;
import io.taskrole.telemetry.AuditSink;
import io.taskrole.time.TimeSource;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.function.BiFunction;
import java.util.function.DoubleSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The pipeline: token, placement, attestation, role, lease, audit line. One sealed result per
 * stage, so that nothing can be forgotten; a refusal at any stage ends it.
 *
 * <p>Safe for concurrent use.
 */
public final class Broker implements CredentialBroker, AutoCloseable {
  private static final System.Logger LOG = System.getLogger(Broker.class.getName());

  /** What is left of {@code answer-within} for writing the answer. */
  private static final Duration ANSWER_RESERVE = Duration.ofMillis(15);

  private final Verifier verifier;
  private final Placements placements;
  private final CallerAttestor attestor;
  private final RoleRules rules;
  private final Leases leases;
  private final AuditSink audit;
  private final TimeSource time;
  private final AttestLevel leastAttested;
  private final boolean servesExpired;
  private final long holdNanos;

  /**
   * Builds the pipeline; nothing is called yet.
   *
   * @param jitter numbers between 0 and 1 that spread renewals and retries
   * @param exchanges runs exchanges, each blocking its thread: virtual threads
   */
  public Broker(
      BrokerConfig config,
      PlacementConfig placement,
      ExchangeLimits limits,
      Verifier verifier,
      Placements placements,
      CallerAttestor attestor,
      RoleRules rules,
      CredentialSource source,
      ExchangeListener listener,
      AuditSink audit,
      TimeSource time,
      DoubleSupplier jitter,
      Executor exchanges) {
    this.verifier = verifier;
    this.placements = placements;
    this.attestor = attestor;
    this.rules = rules;
    this.audit = audit;
    this.time = time;
    this.leastAttested = placement.attest();
    this.servesExpired = placement.servesExpired();
    this.holdNanos = config.answerWithin().minus(ANSWER_RESERVE).toNanos();
    this.leases =
        new Leases(
            new Exchanges(
                limits,
                new SourceCalls(source, listener, exchanges, time),
                Exchanges.sleeping(exchanges, time),
                time,
                jitter),
            this::isEntitled,
            LeaseTerms.STANDARD,
            config.secondRegion(),
            time,
            jitter);
  }

  @Override
  public Outcome issue(Caller caller) {
    Trail trail = new Trail(caller);
    Outcome outcome;
    try {
      outcome = decide(caller, trail);
    } catch (RuntimeException | LinkageError e) {
      LOG.log(System.Logger.Level.ERROR, "request " + caller.requestId() + " failed", e);
      outcome = new Outcome.Refused(Refusals.fault());
    }
    audit.write(trail.record(outcome, time));
    return outcome;
  }

  @Override
  public @Nullable Outcome recall(Caller caller) {
    Verification.Verified verified = verifier.recall(caller.token());
    if (verified == null
        || !(placements.recall(verified.identity()) instanceof Finding.Placed(var placement))) {
      return null;
    }
    Trail trail = new Trail(caller);
    trail.verified(verified.identity());
    Decision decision = rules.decide(placement.applicant());
    Attestation attestation = attestor.recall(placement, caller, wanted(decision));
    if (attestation == null) {
      return null;
    }
    Outcome outcome =
        switch (entitle(placement, decision, attestation, trail)) {
          case Decision.Denied(var refusal) -> new Outcome.Refused(refusal);
          case Decision.Granted(var grant, _, _) -> {
            Lease lease = leases.recall(LeaseRequest.of(placement, grant, caller.token()));
            yield lease == null ? null : new Outcome.Issued(lease);
          }
        };
    return outcome != null && audit.offer(trail.record(outcome, time)) ? outcome : null;
  }

  private Outcome decide(Caller caller, Trail trail) {
    return switch (verifier.verify(caller.token())) {
      case Verification.Rejected(var refusal) -> new Outcome.Refused(refusal);
      case Verification.Verified(var identity) -> {
        long deadlineNanos = caller.arrivedNanos() + holdNanos;
        yield place(
            trail.verified(identity),
            caller,
            trail,
            (placement, grant) ->
                leases.await(LeaseRequest.of(placement, grant, caller.token()), deadlineNanos));
      }
      case Verification.Expired(var identity, var refusal) -> {
        trail.verified(identity);
        yield servesExpired
            ? place(
                identity,
                caller,
                trail,
                (placement, grant) -> {
                  Lease held = leases.held(LeaseRequest.of(placement, grant, caller.token()).key());
                  return held == null ? new Outcome.Refused(refusal) : new Outcome.Issued(held);
                })
            : new Outcome.Refused(refusal);
      }
    };
  }

  private Outcome place(
      WorkloadIdentity identity,
      Caller caller,
      Trail trail,
      BiFunction<Placement, Grant, Outcome> lease) {
    return switch (placements.find(identity, caller.arrivedNanos() + holdNanos)) {
      case Finding.NotHere(var refusal) -> new Outcome.Refused(refusal);
      case Finding.Placed(var placement) ->
          switch (entitle(placement, caller, trail)) {
            case Decision.Denied(var refusal) -> new Outcome.Refused(refusal);
            case Decision.Granted(var grant, _, _) ->
                stillTrue(placement, caller, trail, lease.apply(placement, grant));
          };
    };
  }

  /**
   * Takes the newest token of a task that was read on its behalf: exchanges it when the task has no
   * lease yet, keeps it for the next renewal otherwise. A token that is another task's, or that
   * buys nothing, is left alone.
   *
   * <p>Blocks for the reload of a key set at most; not for an event loop.
   */
  public Prefetched prefetch(AllocationId allocation, String task, BearerToken token) {
    return switch (verifier.verify(token)) {
      case Verification.Rejected(var refusal) ->
          refusal.reason() == Reason.KEY_SET_UNAVAILABLE ? Prefetched.LATER : Prefetched.USELESS;
      case Verification.Expired _ -> Prefetched.USELESS;
      case Verification.Verified(var identity) ->
          identity.allocation().equals(allocation) && identity.workload().task().equals(task)
              ? prefetch(identity, token)
              : Prefetched.USELESS;
    };
  }

  private Prefetched prefetch(WorkloadIdentity identity, BearerToken token) {
    return switch (placements.recall(identity)) {
      case null -> Prefetched.LATER;
      case Finding.NotHere _ -> Prefetched.USELESS;
      case Finding.Placed(var placement) ->
          rules.decide(placement.applicant()) instanceof Decision.Granted(var grant, _, _)
              ? leases.prefetch(LeaseRequest.of(placement, grant, token))
              : Prefetched.USELESS;
    };
  }

  /**
   * While STS was being asked the task may have been stopped, or an address have changed hands:
   * then nothing is told, and of a stopped task nothing kept.
   */
  private Outcome stillTrue(Placement placement, Caller caller, Trail trail, Outcome outcome) {
    if (placements.recall(placement.identity()) instanceof Finding.NotHere(var refusal)) {
      leases.drop(placement.identity().allocation());
      return new Outcome.Refused(refusal);
    }
    return outcome instanceof Outcome.Issued
            && entitle(placement, caller, trail) instanceof Decision.Denied(var refusal)
        ? new Outcome.Refused(refusal)
        : outcome;
  }

  private Decision entitle(Placement placement, Caller caller, Trail trail) {
    Decision decision = rules.decide(placement.applicant());
    return entitle(
        placement, decision, attestor.attest(placement, caller, wanted(decision)), trail);
  }

  /** What must be proven of the connection: what the rule asks for, and never less than usual. */
  private AttestLevel wanted(Decision decision) {
    return decision instanceof Decision.Granted(_, var minimum, _)
            && minimum.compareTo(leastAttested) > 0
        ? minimum
        : leastAttested;
  }

  /** Attestation and rules: what the task may have, if this connection proves enough for it. */
  private Decision entitle(
      Placement placement, Decision decision, Attestation attestation, Trail trail) {
    trail.placed(placement);
    return switch (attestation) {
      case Attestation.Mismatch(var refusal) -> new Decision.Denied(refusal);
      case Attestation.Attested(var level, var obstacle) -> {
        trail.attested(level);
        if (decision instanceof Decision.Granted(var grant, _, _)) {
          trail.granted(grant);
          AttestLevel wanted = wanted(decision);
          if (level.compareTo(wanted) >= 0) {
            yield decision;
          }
          // A task asks before Nomad tells of its network: that is no refusal for good.
          yield new Decision.Denied(
              placement.isNetworkTold()
                  ? Refusals.unproven(wanted, level, obstacle)
                  : Refusals.networkNotTold());
        }
        yield decision;
      }
    };
  }

  private boolean isEntitled(Lease.Key key, Applicant applicant) {
    return placements.mayHold(key.allocation(), key.task())
        && rules.decide(applicant) instanceof Decision.Granted(var now, _, _)
        && now.equals(key.grant());
  }

  /** Begins due renewals and retires what has ended; to be called about once a second. */
  public void tend() {
    leases.tend();
  }

  /** Overwrites what was dropped a moment ago; to be called several times a second. */
  public void erase() {
    leases.erase();
  }

  /**
   * Drops exactly the leases whose grant the rules no longer give, and every remembered refusal.
   */
  public void rulesChanged() {
    leases.rulesChanged();
  }

  /** Drops what is held for an allocation. */
  public void drop(AllocationId allocation) {
    leases.drop(allocation);
  }

  /** How many exchanges wait for their turn at STS. */
  public int exchangesWaiting() {
    return leases.waiting();
  }

  /** How many leases live now. */
  public int leases() {
    return leases.count();
  }

  /**
   * How long every task that has credentials now would keep them if STS vanished at this moment;
   * empty when nobody has any that STS would renew.
   */
  public Optional<Duration> outageBudget() {
    return leases.outageBudget();
  }

  /** Erases every lease. */
  @Override
  public void close() {
    leases.close();
  }
}
