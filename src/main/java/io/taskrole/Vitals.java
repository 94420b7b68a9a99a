package io.taskrole;

import io.taskrole.broker.Broker;
import io.taskrole.http.Acceptance;
import io.taskrole.http.CredentialServer;
import io.taskrole.identity.KeySetFollower;
import io.taskrole.nomad.NomadView;
import io.taskrole.policy.LiveRules;
import io.taskrole.refusal.Reason;
import io.taskrole.refusal.Refusal;
import io.taskrole.telemetry.AuditLog;
import io.taskrole.telemetry.Health;
import io.taskrole.telemetry.Metrics;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** What {@code /readyz} and {@code /metrics} tell of the daemon's parts, all of it from memory. */
final class Vitals {
  /** Less than the shortest session, 15 minutes, has left when its renewal is due at the latest. */
  private static final Duration ENDING_SOON = Duration.ofMinutes(3);

  private final Health health;
  private final Metrics metrics;

  Vitals(Health health, Metrics metrics) {
    this.health = health;
    this.metrics = metrics;
  }

  /** Adds everything; called once, when the parts are there. */
  void watch(
      KeySetFollower keys,
      NomadView nomad,
      LiveRules live,
      Broker broker,
      CredentialServer server,
      Acceptance acceptance,
      ClockWatch clock,
      AuditLog log,
      Supplier<@Nullable Refusal> exchangeTrouble) {
    health.add(() -> keySetProblem(keys));
    health.add(() -> nomadProblem(nomad));
    health.add(() ->
        live.trouble()
            .map(trouble ->
                new Health.Problem(
                    "RolesFileRefused", trouble.problems().getFirst().toString(), false)));
    health.add(() ->
        Optional.ofNullable(exchangeTrouble.get())
            .map(refusal -> new Health.Problem(refusal.reason().code(), refusal.message(), false)));
    health.add(() -> endingSoon(broker));
    health.add("leases", () -> Optional.of((long) broker.leases()));
    health.add("outageBudgetSeconds", () -> broker.outageBudget().map(Duration::toSeconds));
    health.add(
        () -> acceptance.problem().map(text -> new Health.Problem("AcceptFailing", text, false)));
    health.add(() -> log.problem().map(text -> new Health.Problem("AuditLogFailing", text, false)));

    metrics.build(BuildInfo.read().version(), Runtime.version().toString());
    metrics.gauge("taskrole_leases", "Leases that live now.", broker::leases);
    metrics.gauge(
        "taskrole_lease_outage_budget_seconds",
        "How long every lease would be served if STS vanished now; absent without any to renew.",
        () -> broker.outageBudget().map(budget -> budget.toNanos() / 1e9).orElse(Double.NaN));
    metrics.gauge(
        "taskrole_exchanges_waiting",
        "Exchanges that wait for their turn at STS.",
        broker::exchangesWaiting);
    metrics.gauge("taskrole_rules", "Rules in force.", live::size);
    metrics.gauge(
        "taskrole_roles_file_refused",
        "1 while the roles file is refused and older rules are in force.",
        () -> live.trouble().isPresent() ? 1 : 0);
    metrics.gauge(
        "taskrole_key_set_keys",
        "Keys in the key set in force.",
        () -> keys.state().keySet().map(set -> set.ids().size()).orElse(0));
    metrics.counter(
        "taskrole_key_set_failures_total",
        "Fetches of the key set that failed or brought nothing usable.",
        () -> keys.state().failures());
    metrics.gauge(
        "taskrole_allocations",
        "Allocations of this node that have not ended, as Nomad last said.",
        () -> nomad.state().allocations());
    metrics.gauge(
        "taskrole_allocation_view_age_seconds",
        "Time since Nomad last answered for the allocations of this node.",
        () -> nomad.state().age().toNanos() / 1e9);
    metrics.counter(
        "taskrole_nomad_failures_total",
        "Lists of this node's allocations that could not be had.",
        () -> nomad.state().failures());
    metrics.counter(
        "taskrole_allocation_lookups_total",
        "Lists asked for out of turn, for tasks that the view did not know.",
        () -> nomad.state().lookUps());
    metrics.gauge("taskrole_connections", "Open connections.", server::connections);
    metrics.counter(
        "taskrole_connections_evicted_total",
        "Connections that were closed to make room for others.",
        server::evictions);
    metrics.counter(
        "taskrole_accept_failures_total",
        "Times that a connection could not be accepted.",
        acceptance::failures);
    metrics.counter(
        "taskrole_clock_jumps_total", "Times that the wall clock has been set.", clock::jumps);
    metrics.counter(
        "taskrole_audit_lost_total", "Audit records that could not be written.", log::lost);
    Footprint.watch(metrics);
  }

  private static Optional<Health.Problem> keySetProblem(KeySetFollower keys) {
    KeySetFollower.State state = keys.state();
    if (state.keySet().isEmpty()) {
      return Optional.of(
          new Health.Problem(
              Reason.KEY_SET_UNAVAILABLE.code(),
              state.problem().orElse("the key set is not loaded yet"),
              true));
    }
    return state.problem().map(text -> new Health.Problem("KeySetTrouble", text, false));
  }

  private static Optional<Health.Problem> nomadProblem(NomadView nomad) {
    NomadView.State state = nomad.state();
    if (!state.isLoaded()) {
      return Optional.of(
          new Health.Problem(
              Reason.NOMAD_UNAVAILABLE.code(),
              state.problem().orElse("the allocations of this node are not loaded yet"),
              true));
    }
    return state.problem().map(text -> new Health.Problem("NomadTrouble", text, false));
  }

  private static Optional<Health.Problem> endingSoon(Broker broker) {
    return broker
        .outageBudget()
        .filter(budget -> budget.compareTo(ENDING_SOON) < 0)
        .map(budget ->
            new Health.Problem(
                "LeasesEndSoon",
                "a lease that could not be renewed is served for "
                    + budget.toSeconds()
                    + " s more; see the reasons of the last exchanges in taskrole_exchanges_total",
                false));
  }
}
