package io.taskrole.broker;

import io.taskrole.broker.CredentialSource.Exchange;
import io.taskrole.identity.BearerToken;
import io.taskrole.policy.RoleArn;
import io.taskrole.refusal.Reason;
import io.taskrole.refusal.Refusal;
import io.taskrole.secret.Secret;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.function.Consumer;

/** STS as nodes see it: throttling, slow, down, refusing a role, as the simulation says. */
final class SimulatedSts {
  private static final Refusal DOWN = Reason.STS_UNAVAILABLE.refusal("Wait: STS is down.");
  private static final Refusal THROTTLED = Reason.STS_UNAVAILABLE.refusal("Wait: STS throttles.");
  private static final Refusal DENIED = Reason.ROLE_REFUSED.refusal("Operator: trust policy.");

  private final Agenda agenda;
  private final Random random;
  private final Set<RoleArn> refused = new HashSet<>();
  private final Map<RoleArn, Long> lastRefused = new HashMap<>();
  private long least = 20;
  private long most = 80;
  private boolean isDown;
  private double rate = Double.MAX_VALUE;
  private double allowance;
  private long counted;
  private long calls;
  private long answered;

  SimulatedSts(Agenda agenda, Random random) {
    this.agenda = agenda;
    this.random = random;
  }

  /** The first failures come at once, or after a time-out. */
  void setDown(boolean down) {
    this.isDown = down;
  }

  void setLatency(long leastMillis, long mostMillis) {
    this.least = leastMillis;
    this.most = mostMillis;
  }

  /** Calls a second, a second's worth at once; the rest is throttled. */
  void setRate(double rate) {
    this.rate = rate;
    this.allowance = rate;
  }

  void setRefused(RoleArn role, boolean isRefused) {
    if (isRefused) {
      refused.add(role);
    } else {
      refused.remove(role);
    }
  }

  boolean refuses(RoleArn role) {
    return refused.contains(role);
  }

  /**
   * Whether it refuses the role, or did within a minute: a refusal is repeated without a call until
   * a try ends, there is one within 8 s of somebody's asking, and tasks pause for up to 30 s.
   */
  boolean hasRefused(RoleArn role) {
    return refuses(role)
        || agenda.now() - lastRefused.getOrDefault(role, Long.MIN_VALUE / 2) < 60_000_000_000L;
  }

  /** All calls so far, those that were throttled included. */
  long calls() {
    return calls;
  }

  /** Calls that were answered with credentials or a refusal. */
  long answered() {
    return answered;
  }

  /** One call of a node whose clock says {@code wall} to the true time. */
  void call(Lease.Key key, BearerToken token, Agenda.Clock wall, Consumer<Exchange> ended) {
    calls++;
    long millis = least + (long) ((most - least) * random.nextDouble());
    agenda.in(Duration.ofMillis(millis), () -> ended.accept(answer(key, wall)));
  }

  private Exchange answer(Lease.Key key, Agenda.Clock wall) {
    if (isDown) {
      return new Exchange.Failed(DOWN);
    }
    if (!allows()) {
      return new Exchange.Failed(THROTTLED);
    }
    answered++;
    if (refused.contains(key.grant().role())) {
      lastRefused.put(key.grant().role(), agenda.now());
      return new Exchange.Denied(DENIED);
    }
    Instant expiration = agenda.instant().plus(key.grant().duration());
    // As the source judges it: what ends too soon or too late by this node's clock is no use.
    Duration life = Duration.between(wall.instant(), expiration);
    if (life.compareTo(Duration.ofSeconds(60)) < 0 || life.compareTo(Duration.ofHours(13)) > 0) {
      return new Exchange.Failed(Reason.STS_UNAVAILABLE.refusal("Operator: set the clock."));
    }
    return new Exchange.Obtained(
        new SessionCredentials(
            key.allocation().value() + "/" + key.task(),
            Secret.of("secret"),
            Secret.of("session"),
            expiration,
            key.grant().role().account(),
            Optional.empty()));
  }

  private boolean allows() {
    if (rate == Double.MAX_VALUE) {
      return true;
    }
    allowance = Math.min(rate, allowance + rate * ((agenda.now() - counted) / 1e9));
    counted = agenda.now();
    if (allowance < 1) {
      return false;
    }
    allowance--;
    return true;
  }
}
