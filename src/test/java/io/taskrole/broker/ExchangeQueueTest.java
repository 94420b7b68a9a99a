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
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ExchangeQueueTest {
  private static final long SECOND = 1_000_000_000L;
  private static final BearerToken TOKEN = BearerToken.of("token");
  private static final Refusal DENIED = Reason.ROLE_REFUSED.refusal("Operator: trust policy.");
  private static final Exchange DOWN =
      new Exchange.Failed(Reason.STS_UNAVAILABLE.refusal("Operator: STS is down."));

  private static final List<Urgency> URGENCIES =
      List.of(Urgency.CALLER, Urgency.PREFETCH, Urgency.RENEWAL);

  private long now = 17 * SECOND;
  private long serial;
  private ExchangeQueue queue = queue(16, 50);

  @Test
  void poll_givesCallersBeforePrefetchBeforeRenewals_andAmongEqualsTheFirst() {
    Ticket renewal = add("a", Urgency.RENEWAL);
    Ticket prefetch = add("a", Urgency.PREFETCH);
    Ticket first = add("a", Urgency.CALLER);
    Ticket second = add("a", Urgency.CALLER);

    assertThat(drain()).containsExactly(first, second, prefetch, renewal);
  }

  @Test
  void promote_movesAheadOfThoseWhoOnlyMayWait() {
    Ticket one = add("a", Urgency.PREFETCH);
    Ticket other = add("a", Urgency.PREFETCH);
    queue.promote(other, Urgency.CALLER);

    assertThat(drain()).containsExactly(other, one);
  }

  @Test
  void poll_letsRolesTakeTurns() {
    for (int i = 0; i < 6; i++) {
      add("herd", Urgency.CALLER);
    }
    Ticket alone = add("alone", Urgency.CALLER);

    assertThat(drain().indexOf(alone)).isLessThanOrEqualTo(1);
  }

  @Test
  void poll_keepsTheRate_afterASecondsWorthAtOnce() {
    queue = queue(256, 10);
    for (int i = 0; i < 100; i++) {
      add("role" + i, Urgency.CALLER);
    }
    assertThat(drain()).hasSize(10);
    now += SECOND;
    assertThat(drain()).hasSize(10);
    now += 100 * SECOND;
    assertThat(drain()).as("no more is saved up than a second's worth").hasSize(10);
  }

  @Test
  void poll_keepsTheConcurrency_andLeavesRoomForOtherRoles() {
    queue = queue(4, 1_000);
    for (int i = 0; i < 9; i++) {
      add("hangs", Urgency.CALLER);
    }
    List<Ticket> hanging = poll();
    assertThat(hanging).hasSize(2);

    Ticket other = add("works", Urgency.CALLER);
    assertThat(poll()).containsExactly(other);
    assertThat(queue.nextAt(now)).as("only an end can help").isEqualTo(Long.MAX_VALUE);

    queue.ended(hanging.getFirst(), obtained(), TOKEN, now);
    assertThat(poll()).hasSize(1);
  }

  @ParameterizedTest
  @CsvSource({"CALLER, 40, 60", "PREFETCH, 8, 13", "RENEWAL, 8, 13"})
  void failures_slowTheirAccountDown_andNoOther(Urgency urgency, int least, int most) {
    String elsewhere = "arn:aws:iam::999999999999:role/other";
    for (int second = 0; second < 60; second++) {
      add("down", urgency);
      poll().forEach(ticket -> queue.ended(ticket, DOWN, TOKEN, now));
      now += SECOND;
    }
    int calls = 0;
    for (int second = 0; second < 100; second++) {
      add("down", urgency);
      for (Ticket ticket : poll()) {
        calls++;
        queue.ended(ticket, DOWN, TOKEN, now);
      }
      now += SECOND;
    }
    assertThat(calls).isBetween(least, most);
    assertThat(queue.trouble(grant(arn("down")))).isNotNull();

    for (int i = 0; i < 8; i++) {
      addArn(elsewhere, Urgency.RENEWAL);
    }
    assertThat(poll()).filteredOn(ticket -> ticket.key.grant().equals(grant(elsewhere))).hasSize(8);
    assertThat(queue.trouble(grant(elsewhere))).isNull();
  }

  @Test
  void answers_endTheSlownessSoon() {
    for (int second = 0; second < 20; second++) {
      add("role", Urgency.CALLER);
      poll().forEach(ticket -> queue.ended(ticket, DOWN, TOKEN, now));
      now += SECOND;
    }
    long back = now;
    int left = queue.waiting() + 200;
    for (int i = 0; i < 200; i++) {
      add("role", Urgency.CALLER);
    }
    while (left > 0) {
      for (Ticket ticket : poll()) {
        left--;
        queue.ended(ticket, obtained(), TOKEN, now);
      }
      now += SECOND / 100;
    }
    assertThat(now - back).isLessThan(30 * SECOND);
    assertThat(queue.trouble(grant(arn("role")))).isNull();
  }

  @Test
  void standing_afterThreeRefusalsOfARole_repeatsThemButNotForTasksItNeverRefused() {
    List<Ticket> broken = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      broken.add(add("role", Urgency.CALLER));
      assertThat(standing(broken.getLast())).isNull();
      poll().forEach(ticket -> queue.ended(ticket, new Exchange.Denied(DENIED), TOKEN, now));
    }
    assertThat(standing(broken.getFirst())).isEqualTo(DENIED);
    assertThat(queue.standing(broken.getFirst().key, BearerToken.of("renewed"), now)).isNull();
    assertThat(standing(add("role", Urgency.CALLER))).as("a task of its own").isNull();

    now += SECOND;
    assertThat(standing(broken.getFirst())).as("one in a while").isNull();
    assertThat(standing(broken.getLast())).isEqualTo(DENIED);

    queue.forgetRefusals();
    assertThat(standing(broken.getLast())).isNull();
  }

  @Test
  void standing_endsWithTheFirstSuccess() {
    List<Ticket> broken = new ArrayList<>();
    for (int i = 0; i < 9; i++) {
      broken.add(add("role", Urgency.CALLER));
      poll().forEach(ticket -> queue.ended(ticket, new Exchange.Denied(DENIED), TOKEN, now));
    }
    add("role", Urgency.CALLER);
    poll().forEach(ticket -> queue.ended(ticket, obtained(), TOKEN, now));

    assertThat(broken).allSatisfy(ticket -> assertThat(standing(ticket)).isNull());
  }

  /** Whatever happens, the budget holds, nothing is lost, and nothing waits without an alarm. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 5, 8, 13, 21, 34, 55, 89})
  void budgetHolds_overRandomHistories(long seed) {
    Random random = new Random(seed);
    int concurrency = 1 + random.nextInt(8);
    int rate = 1 + random.nextInt(40);
    queue = queue(concurrency, rate);
    Deque<Long> starts = new ArrayDeque<>();
    List<Ticket> flying = new ArrayList<>();
    Map<RoleArn, Integer> perRole = new HashMap<>();
    int added = 0;
    int done = 0;
    for (int step = 0; step < 20_000; step++) {
      now += random.nextInt(60_000_000);
      if (step < 15_000 && random.nextInt(100) < 30) {
        add("role" + random.nextInt(5), URGENCIES.get(random.nextInt(3)));
        added++;
      }
      long alarm = queue.nextAt(now);
      Ticket started = queue.poll(now);
      if (started == null) {
        assertThat(alarm).as("an alarm that is due gives something").isGreaterThan(now);
      } else {
        starts.add(now);
        flying.add(started);
        int same = perRole.merge(started.key.grant().role(), 1, Integer::sum);
        assertThat(same).isLessThanOrEqualTo(Math.max(1, concurrency / 2));
      }
      assertThat(flying.size()).isLessThanOrEqualTo(concurrency);
      if (!flying.isEmpty() && random.nextInt(100) < 40) {
        Ticket ended = flying.remove(random.nextInt(flying.size()));
        perRole.merge(ended.key.grant().role(), -1, Integer::sum);
        boolean fails = step < 15_000 && random.nextInt(100) < 20;
        queue.ended(ended, fails ? DOWN : obtained(), TOKEN, now);
        if (fails) {
          queue.addAgain(ended, now + random.nextInt(500_000_000));
        } else {
          done++;
        }
      }
      while (!starts.isEmpty() && now - starts.peek() > 10 * SECOND) {
        starts.remove();
      }
      assertThat(starts.size())
          .as("ten seconds and the second saved up")
          .isLessThanOrEqualTo(11 * rate);
      assertThat(queue.waiting()).isEqualTo(added - done - flying.size());
    }
    for (int i = 0; i < 2_000_000 && queue.waiting() + flying.size() > 0; i++) {
      long alarm = queue.nextAt(now);
      now = alarm == Long.MAX_VALUE ? now : Math.max(now, alarm);
      Ticket ticket = queue.poll(now);
      if (ticket != null) {
        flying.add(ticket);
      } else if (!flying.isEmpty()) {
        queue.ended(flying.removeFirst(), obtained(), TOKEN, now);
      }
    }
    assertThat(queue.waiting()).as("everything had its turn").isZero();
  }

  @Test
  void withdraw_takesOutWhatWaitsAndLeavesWhatIsBeingMade() {
    Ticket made = add("a", Urgency.CALLER);
    poll();
    Ticket ready = add("a", Urgency.CALLER);
    Ticket delayed = add("a", Urgency.CALLER);
    queue.withdraw(delayed);
    queue.addAgain(delayed, now + SECOND);
    queue.withdraw(ready);
    queue.withdraw(delayed);
    queue.withdraw(made);
    queue.withdraw(made);

    assertThat(queue.waiting()).isZero();
    assertThat(poll()).isEmpty();
    queue.ended(made, obtained(), TOKEN, now);
    assertThat(queue.nextAt(now)).isEqualTo(Long.MAX_VALUE);
  }

  @Test
  void isDoubtful_whereStsFails_orAnswersNobodyForASecond() {
    Grant grant = grant(arn("a"));
    assertThat(queue.isDoubtful(grant, now)).isFalse();
    add("a", Urgency.CALLER);
    add("a", Urgency.CALLER);
    List<Ticket> made = poll();
    now += SECOND - 1;
    assertThat(queue.isDoubtful(grant, now)).isFalse();
    now += 1;
    assertThat(queue.isDoubtful(grant, now)).isTrue();
    queue.ended(made.getFirst(), obtained(), TOKEN, now);
    assertThat(queue.isDoubtful(grant, now)).isFalse();
    queue.ended(made.getLast(), DOWN, TOKEN, now);
    assertThat(queue.isDoubtful(grant, now)).isTrue();
    assertThat(queue.isDoubtful(grant("arn:aws:iam::999999999999:role/a"), now)).isFalse();
  }

  @Test
  void poll_whereAnAccountHangs_leavesRoomForOthers() {
    queue = queue(16, 1_000);
    for (int i = 0; i < 40; i++) {
      add("role" + i % 5, Urgency.CALLER);
    }
    assertThat(poll()).hasSize(12);

    addArn("arn:aws:iam::999999999999:role/other", Urgency.CALLER);
    assertThat(poll()).hasSize(1);
  }

  private static ExchangeQueue queue(int concurrency, int rate) {
    return new ExchangeQueue(new ExchangeLimits(concurrency, rate), () -> 0.5);
  }

  private Ticket add(String role, Urgency urgency) {
    return addArn(arn(role), urgency);
  }

  private Ticket addArn(String role, Urgency urgency) {
    Ticket ticket =
        new Ticket(
            new Lease.Key(new AllocationId(new UUID(0, ++serial).toString()), "task", grant(role)),
            urgency,
            new Nothing());
    queue.add(ticket, now);
    return ticket;
  }

  private @Nullable Refusal standing(Ticket ticket) {
    return queue.standing(ticket.key, TOKEN, now);
  }

  /** Everything that may start now; nothing of it ends. */
  private List<Ticket> poll() {
    List<Ticket> started = new ArrayList<>();
    for (Ticket ticket = queue.poll(now); ticket != null; ticket = queue.poll(now)) {
      started.add(ticket);
    }
    return started;
  }

  /** Everything that may start now, each ended at once. */
  private List<Ticket> drain() {
    List<Ticket> started = new ArrayList<>();
    for (Ticket ticket = queue.poll(now); ticket != null; ticket = queue.poll(now)) {
      started.add(ticket);
      queue.ended(ticket, obtained(), TOKEN, now);
    }
    return started;
  }

  private static String arn(String role) {
    return "arn:aws:iam::123456789012:role/" + role;
  }

  private static Grant grant(String role) {
    return new Grant(
        RoleArn.parse(role).orElseThrow(),
        Duration.ofHours(1),
        Optional.empty(),
        List.of(),
        Optional.empty());
  }

  private static Exchange obtained() {
    return new Exchange.Obtained(
        new SessionCredentials(
            "ASIAX",
            Secret.of("secret"),
            Secret.of("session"),
            Instant.EPOCH,
            "123456789012",
            Optional.empty()));
  }

  private record Nothing() implements Ticket.Purpose {
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
