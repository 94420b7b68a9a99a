package io.taskrole.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.broker.CredentialSource.Exchange;
import io.taskrole.identity.AllocationId;
import io.taskrole.identity.BearerToken;
import io.taskrole.policy.Grant;
import io.taskrole.policy.RoleArn;
import io.taskrole.refusal.Reason;
import io.taskrole.refusal.Refusal;
import io.taskrole.secret.Secret;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;

/**
 * What the budget of calls to STS keeps, whatever comes in whatever order. A run that breaks it is
 * shrunk, and told with its seed.
 */
class ExchangeQueuePropertyTest {
  private static final int CONCURRENCY = 6;
  private static final int RATE = 5;
  private static final List<Urgency> URGENCIES =
      List.of(Urgency.CALLER, Urgency.PREFETCH, Urgency.RENEWAL);
  private static final long SECOND = 1_000_000_000L;
  private static final BearerToken TOKEN = BearerToken.of("token");
  private static final Refusal REFUSED = Reason.ROLE_REFUSED.refusal("Operator: trust policy.");
  private static final Exchange DENIED = new Exchange.Denied(REFUSED);
  private static final Exchange DOWN =
      new Exchange.Failed(Reason.STS_UNAVAILABLE.refusal("Operator: STS is down."));

  @Property(tries = 500)
  void budget_isKept_andEveryExchangeHasItsTurn(
      @ForAll @Size(max = 120) List<@IntRange(min = 0, max = 9_999) Integer> steps,
      @ForAll @IntRange(min = 0, max = 100) int jitter) {
    Run run = new Run(jitter / 100.0);
    for (int step : steps) {
      run.step(step);
    }
    run.finish();
  }

  /** One history of the queue, and what it must keep to. */
  private static final class Run {
    private final ExchangeQueue queue;
    private final Deque<Ticket> flying = new ArrayDeque<>();
    private final Map<Grant, Deque<Ticket>> waiting = new HashMap<>();
    private final Set<Lease.Key> refused = new HashSet<>();
    private final List<Long> starts = new ArrayList<>();
    private long now = 17 * SECOND;
    private int serial;

    Run(double jitter) {
      queue = new ExchangeQueue(new ExchangeLimits(CONCURRENCY, RATE), () -> jitter);
    }

    void step(int what) {
      int detail = what / 5;
      switch (what % 5) {
        case 0, 1 -> add(detail % 4, URGENCIES.get(detail / 4 % 3));
        case 2 -> now += detail % 60 * (SECOND / 40);
        case 3 -> end(obtained());
        default -> end(detail % 2 == 0 ? DENIED : DOWN);
      }
      start();
    }

    /** STS is well from now on: everything that waits is made, in a time that can be told. */
    void finish() {
      long begun = now;
      int all = queue.waiting() + flying.size();
      while (queue.waiting() > 0 || !flying.isEmpty()) {
        while (!flying.isEmpty()) {
          end(obtained());
        }
        start();
        if (flying.isEmpty() && queue.waiting() > 0) {
          long next = queue.nextAt(now);
          assertThat(next).as("something waits, so there is a time").isNotEqualTo(Long.MAX_VALUE);
          assertThat(next).isGreaterThan(now);
          now = next;
        }
      }
      // Ten seconds for the slowest pace to end, then the rate, with half of it for jitter.
      assertThat(now - begun).isLessThan((60 + 2L * all / RATE) * SECOND);
      assertThat(waiting.values()).allSatisfy(line -> assertThat(line).isEmpty());
    }

    private void add(int role, Urgency urgency) {
      Ticket ticket = new Ticket(key(role), urgency, new Nothing());
      waiting.computeIfAbsent(ticket.key.grant(), _ -> new ArrayDeque<>()).add(ticket);
      queue.add(ticket, now);
      assertThat(queue.standing(ticket.key, TOKEN, now)).as("never refused itself").isNull();
    }

    private void start() {
      for (Ticket ticket = queue.poll(now); ticket != null; ticket = queue.poll(now)) {
        started(ticket);
      }
      assertRate();
    }

    private void started(Ticket ticket) {
      Deque<Ticket> line = waiting.getOrDefault(ticket.key.grant(), new ArrayDeque<>());
      assertThat(line.remove(ticket)).as("waited, and starts once").isTrue();
      assertThat(line)
          .allSatisfy(other -> assertThat(other.urgency).isGreaterThanOrEqualTo(ticket.urgency));
      flying.add(ticket);
      starts.add(now);
      assertThat(flying).hasSizeLessThanOrEqualTo(CONCURRENCY);
      assertThat(flying.stream().filter(one -> one.key.grant().equals(ticket.key.grant())))
          .hasSizeLessThanOrEqualTo(CONCURRENCY / 2);
    }

    /** In every stretch of time no more than its length allows, and a second's worth beside. */
    private void assertRate() {
      int last = starts.size() - 1;
      for (int first = 0; first < last; first++) {
        double seconds = (starts.get(last) - starts.get(first)) / (double) SECOND;
        assertThat(last - first + 1).isLessThanOrEqualTo((int) (RATE + RATE * seconds + 1));
      }
    }

    private void end(Exchange exchange) {
      Ticket ticket = flying.poll();
      if (ticket != null) {
        queue.ended(ticket, exchange, TOKEN, now);
        if (exchange.equals(DENIED)) {
          refused.add(ticket.key);
        }
        Refusal standing = queue.standing(ticket.key, TOKEN, now);
        assertThat(standing == null || refused.contains(ticket.key)).isTrue();
      }
    }

    private Lease.Key key(int role) {
      return new Lease.Key(
          new AllocationId(String.format("b0805f9a-68ff-5796-f1eb-%012d", serial++)),
          "server",
          new Grant(
              RoleArn.parse("arn:aws:iam::12345678901" + role / 2 + ":role/role" + role)
                  .orElseThrow(),
              Duration.ofHours(1),
              Optional.empty(),
              List.of(),
              Optional.empty()));
    }

    private static Exchange obtained() {
      return new Exchange.Obtained(
          new SessionCredentials(
              "ASIAFAKE",
              Secret.of("secret"),
              Secret.of("session"),
              Instant.parse("2026-11-23T10:00:00Z"),
              "123456789012",
              Optional.empty()));
    }
  }

  private static final class Nothing implements Ticket.Purpose {
    @Override
    public boolean isWanted() {
      return true;
    }

    @Override
    public BearerToken token() {
      return TOKEN;
    }

    @Override
    public void ended(Exchange exchange, BearerToken token) {}

    @Override
    public void forsaken() {}
  }
}
