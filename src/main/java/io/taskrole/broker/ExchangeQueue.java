package io.taskrole.broker;

import io.taskrole.broker.CredentialSource.Exchange;
import io.taskrole.identity.BearerToken;
import io.taskrole.policy.Grant;
import io.taskrole.policy.RoleArn;
import io.taskrole.refusal.Reason;
import io.taskrole.refusal.Refusal;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.function.DoubleSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Which exchange may be made, and when: the budget of calls to STS, and who has the next one.
 *
 * <ul>
 *   <li>Callers go before prefetch, prefetch before renewals; among equals the roles take turns,
 *       and within a role the first that came is the first.
 *   <li>The node makes so many calls a second and so many at once, in good times and in bad.
 *   <li>Where STS throttles or fails, for one account in one Region, calls there become half as
 *       many each second, down to one in two seconds for callers and one in ten for who can wait,
 *       and more again with every second that brings answers.
 *   <li>Where STS refuses a role time after time, tasks that it was refused for are refused without
 *       a call, but for one in a while; tasks that were never refused are not concerned.
 * </ul>
 *
 * <p>A state machine without clock, thread or call of its own: every method takes the time. Not
 * safe for concurrent use.
 */
final class ExchangeQueue {
  private static final long SECOND = 1_000_000_000L;

  /** The slowest pace where STS fails, in calls a second: for callers, and for who can wait. */
  private static final double LEAST_RATE = 0.5;

  private static final double LEAST_RATE_OF_OTHERS = 0.1;

  /** Refusals of a role in a row, from which on they are repeated without a call. */
  private static final int OPENS_AT = 3;

  /** The longest time until a refused role is tried again: 8 s. */
  private static final int MOST_DOUBLINGS = 3;

  private static final int REMEMBERED_REFUSALS = 1_000;

  private static final Comparator<Ticket> IN_TURN =
      Comparator.<Ticket, Urgency>comparing(ticket -> ticket.urgency)
          .thenComparingLong(ticket -> ticket.sequence);
  private static final Comparator<Ticket> BY_TIME =
      (one, other) -> Long.compare(one.notBeforeNanos - other.notBeforeNanos, 0);

  private record LaneId(RoleArn role, String region) {}

  private record Refused(BearerToken.Digest token, Refusal refusal) {}

  /** STS for one account in one Region: what throttles and fails as one. */
  private final class Upstream {
    private double rate = limits.rate();
    private boolean isCut;
    private long lastCut;
    private long lastGrown;
    private long nextForCallers;
    private long nextForOthers;
    private @Nullable Refusal trouble;
    private int flying;
    private long silentSince;

    boolean isSlowed() {
      return rate < limits.rate();
    }

    long nextStart(Urgency urgency) {
      return urgency == Urgency.CALLER ? nextForCallers : nextForOthers;
    }

    void started(long now) {
      double share = isSlowed() ? 0.5 + jitter.getAsDouble() : 0;
      nextForCallers = now + (long) (share * pause(Math.max(LEAST_RATE, rate)));
      nextForOthers = now + (long) (share * pause(rate));
      if (flying++ == 0) {
        silentSince = now;
      }
    }

    void ended(long now) {
      flying--;
      silentSince = now;
    }

    boolean isDoubtful(long now) {
      return trouble != null || (flying > 0 && now - silentSince >= SECOND);
    }

    private double pause(double rate) {
      return SECOND / rate;
    }

    void failed(Refusal refusal, long now) {
      trouble = refusal;
      if (!isCut || now - lastCut >= SECOND) {
        isCut = true;
        lastCut = now;
        lastGrown = now;
        rate = Math.max(LEAST_RATE_OF_OTHERS, rate / 2);
      }
    }

    void answered(long now) {
      trouble = null;
      // Once a second at most: the answers of one second tell of one rate.
      if (isSlowed() && now - lastGrown >= SECOND && now - lastCut >= SECOND) {
        lastGrown = now;
        rate = Math.min(limits.rate(), rate * 1.25 + LEAST_RATE);
        long soon = now + (long) pause(rate);
        nextForCallers = nextForCallers - soon > 0 ? soon : nextForCallers;
        nextForOthers = nextForOthers - soon > 0 ? soon : nextForOthers;
      }
    }
  }

  /** What waits for one role. */
  private static final class Lane {
    private final Upstream upstream;
    private final PriorityQueue<Ticket> ready = new PriorityQueue<>(IN_TURN);
    private final PriorityQueue<Ticket> delayed = new PriorityQueue<>(BY_TIME);
    private final Map<Lease.Key, Refused> refused =
        new LinkedHashMap<>() {
          @Override
          protected boolean removeEldestEntry(Map.Entry<Lease.Key, Refused> eldest) {
            return size() > REMEMBERED_REFUSALS;
          }
        };
    private int flying;
    private long lastTurn;
    private int refusalsInARow;
    private long probeAt;

    Lane(Upstream upstream) {
      this.upstream = upstream;
    }

    void wakeDelayed(long now) {
      for (Ticket head = delayed.peek();
          head != null && now - head.notBeforeNanos >= 0;
          head = delayed.peek()) {
        ready.add(delayed.remove());
      }
    }

    void refused(Ticket ticket, BearerToken token, Refusal refusal, long now) {
      refused.put(ticket.key, new Refused(token.digest(), refusal));
      refusalsInARow = Math.min(refusalsInARow + 1, OPENS_AT + MOST_DOUBLINGS);
      probeAt = now + patience();
    }

    long patience() {
      return SECOND << Math.max(0, refusalsInARow - OPENS_AT);
    }

    void forgetRefusals() {
      refused.clear();
      refusalsInARow = 0;
    }

    boolean hasRoom(ExchangeLimits limits) {
      return flying < limits.concurrencyOfARole()
          && upstream.flying < limits.concurrencyOfAnUpstream();
    }

    boolean isIdle() {
      return flying == 0 && ready.isEmpty() && delayed.isEmpty() && refused.isEmpty();
    }
  }

  private final ExchangeLimits limits;
  private final DoubleSupplier jitter;
  private final long interval;
  private final Map<String, Upstream> upstreams = new HashMap<>();
  private final Map<LaneId, Lane> lanes = new LinkedHashMap<>();
  private int flying;
  private int waiting;
  private long sequences;
  private long turns;

  /** The budget is a generic cell rate algorithm (ITU-T I.371): the next call's due time. */
  private long due;

  private boolean isDueKnown;

  ExchangeQueue(ExchangeLimits limits, DoubleSupplier jitter) {
    this.limits = limits;
    this.jitter = jitter;
    this.interval = SECOND / limits.rate();
  }

  /** Puts an exchange in line. */
  void add(Ticket ticket, long now) {
    ticket.sequence = sequences++;
    addAgain(ticket, now);
  }

  /** Takes an exchange that still waits out of the line. */
  void withdraw(Ticket ticket) {
    Lane lane = lanes.get(laneId(ticket.key.grant()));
    if (lane != null && (lane.ready.remove(ticket) || lane.delayed.remove(ticket))) {
      waiting--;
      tidy(ticket, lane);
    }
  }

  /** Puts an exchange that was made, or is new, in line for that time, at its old place. */
  void addAgain(Ticket ticket, long notBefore) {
    ticket.notBeforeNanos = notBefore;
    lane(ticket).delayed.add(ticket);
    waiting++;
  }

  /** Moves an exchange forward, when it still waits. */
  void promote(Ticket ticket, Urgency urgency) {
    if (urgency.compareTo(ticket.urgency) < 0) {
      Lane lane = lanes.get(laneId(ticket.key.grant()));
      boolean isReady = lane != null && lane.ready.remove(ticket);
      ticket.urgency = urgency;
      if (lane != null && isReady) {
        lane.ready.add(ticket);
      }
    }
  }

  /** The exchange to be made now; null when there is none, or none may be. */
  @Nullable Ticket poll(long now) {
    if (flying >= limits.concurrency() || budgetAt(now) - now > 0) {
      return null;
    }
    Lane next = null;
    for (Lane lane : lanes.values()) {
      lane.wakeDelayed(now);
      Ticket head = lane.ready.peek();
      if (head != null
          && lane.hasRoom(limits)
          && now - lane.upstream.nextStart(head.urgency) >= 0
          && goesBefore(lane, next)) {
        next = lane;
      }
    }
    if (next == null) {
      return null;
    }
    Ticket ticket = next.ready.remove();
    waiting--;
    flying++;
    next.flying++;
    next.lastTurn = ++turns;
    next.upstream.started(now);
    due = (due - now > 0 ? due : now) + interval;
    return ticket;
  }

  /** When {@link #poll} may have something again, unless an exchange ends first; or never. */
  long nextAt(long now) {
    if (flying >= limits.concurrency()) {
      return Long.MAX_VALUE;
    }
    long soonest = Long.MAX_VALUE;
    for (Lane lane : lanes.values()) {
      Ticket head = lane.ready.isEmpty() ? lane.delayed.peek() : lane.ready.peek();
      if (!lane.hasRoom(limits) || head == null) {
        continue;
      }
      // What is ready no longer waits for its time; a caller that comes to be ready may go sooner.
      Ticket delayed = lane.delayed.peek();
      long wait = startsIn(lane, head, now);
      wait = delayed == null ? wait : Math.min(wait, startsIn(lane, delayed, now));
      soonest = Math.min(soonest, Math.max(0, Math.max(wait, budgetAt(now) - now)));
    }
    return soonest == Long.MAX_VALUE ? soonest : now + soonest;
  }

  /** An exchange that {@link #poll} gave has been made. */
  void ended(Ticket ticket, Exchange exchange, BearerToken token, long now) {
    Lane lane = lane(ticket);
    land(lane, now);
    switch (exchange) {
      case Exchange.Obtained _ -> {
        lane.upstream.answered(now);
        lane.refusalsInARow = 0;
        lane.refused.remove(ticket.key);
      }
      case Exchange.Denied(var refusal) -> {
        lane.upstream.answered(now);
        lane.refused(ticket, token, refusal, now);
      }
      case Exchange.Failed(var refusal) -> {
        if (refusal.reason().isTransient()) {
          lane.upstream.failed(refusal, now);
        } else {
          lane.upstream.answered(now);
        }
        if (refusal.reason() == Reason.ROLE_REFUSED) {
          lane.refused(ticket, token, refusal, now);
        }
      }
    }
    tidy(ticket, lane);
  }

  /** An exchange that {@link #poll} gave will not be made. */
  void forsaken(Ticket ticket, long now) {
    Lane lane = lane(ticket);
    land(lane, now);
    tidy(ticket, lane);
  }

  /**
   * The refusal that stands for this token of this task, because STS refuses the role again and
   * again; null when STS is to be asked.
   */
  @Nullable Refusal standing(Lease.Key key, BearerToken token, long now) {
    Lane lane = lanes.get(laneId(key.grant()));
    if (lane == null || lane.refusalsInARow < OPENS_AT) {
      return null;
    }
    Refused before = lane.refused.get(key);
    if (before == null || !before.token().equals(token.digest())) {
      return null;
    }
    if (now - lane.probeAt >= 0) {
      lane.probeAt = now + lane.patience();
      return null;
    }
    return before.refusal();
  }

  /** What is wrong with STS where it is asked for the grant; null when nothing is known to be. */
  @Nullable Refusal trouble(Grant grant) {
    Upstream upstream = upstreams.get(upstreamId(grant));
    return upstream == null ? null : upstream.trouble;
  }

  /** Whether STS fails where it is asked for the grant, or has left calls unanswered for 1 s. */
  boolean isDoubtful(Grant grant, long now) {
    Upstream upstream = upstreams.get(upstreamId(grant));
    return upstream != null && upstream.isDoubtful(now);
  }

  /** Forgets what STS refused: the operator has changed something. */
  void forgetRefusals() {
    for (Lane lane : lanes.values()) {
      lane.forgetRefusals();
    }
    lanes.values().removeIf(Lane::isIdle);
  }

  /** How many exchanges wait for their turn. */
  int waiting() {
    return waiting;
  }

  private static long startsIn(Lane lane, Ticket ticket, long now) {
    return Math.max(ticket.notBeforeNanos - now, lane.upstream.nextStart(ticket.urgency) - now);
  }

  private static boolean goesBefore(Lane lane, @Nullable Lane best) {
    Ticket head = lane.ready.peek();
    if (head == null || best == null) {
      return head != null;
    }
    Ticket other = best.ready.element();
    return head.urgency == other.urgency
        ? lane.lastTurn < best.lastTurn
        : head.urgency.compareTo(other.urgency) < 0;
  }

  private void land(Lane lane, long now) {
    flying--;
    lane.flying--;
    lane.upstream.ended(now);
  }

  private void tidy(Ticket ticket, Lane lane) {
    if (lane.isIdle()) {
      lanes.remove(laneId(ticket.key.grant()));
    }
  }

  /** The earliest time at which the node's budget has a call: a second's worth may be saved up. */
  private long budgetAt(long now) {
    if (!isDueKnown) {
      isDueKnown = true;
      due = now;
    }
    return due - (SECOND - interval);
  }

  private Lane lane(Ticket ticket) {
    Grant grant = ticket.key.grant();
    return lanes.computeIfAbsent(
        laneId(grant),
        _ -> new Lane(upstreams.computeIfAbsent(upstreamId(grant), _ -> new Upstream())));
  }

  private static LaneId laneId(Grant grant) {
    return new LaneId(grant.role(), grant.region().orElse(""));
  }

  private static String upstreamId(Grant grant) {
    return grant.region().orElse("") + "/" + grant.role().account();
  }
}
