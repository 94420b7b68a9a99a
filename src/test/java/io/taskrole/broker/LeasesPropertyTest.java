package io.taskrole.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.broker.CredentialSource.Exchange;
import io.taskrole.identity.AllocationId;
import io.taskrole.identity.BearerToken;
import io.taskrole.identity.Workload;
import io.taskrole.policy.Applicant;
import io.taskrole.policy.Grant;
import io.taskrole.policy.RoleArn;
import io.taskrole.refusal.Reason;
import io.taskrole.secret.Secret;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;

/**
 * The leases of a node against a model that knows only what each task may have: whatever is asked,
 * answered, stopped and withdrawn in whatever order. A history that breaks it is shrunk, and told
 * with its seed.
 */
class LeasesPropertyTest {
  private static final Duration FLOOR = Duration.ofSeconds(30);
  private static final int ALLOCATIONS = 3;
  private static final int TASKS = 2;
  private static final Exchange DENIED =
      new Exchange.Denied(Reason.ROLE_REFUSED.refusal("Operator: trust policy."));
  private static final Exchange DOWN =
      new Exchange.Failed(Reason.STS_UNAVAILABLE.refusal("Operator: STS is down."));

  @Property(tries = 1_000)
  void everyTask_hasWhatIsItsOwn_untilItEnds(
      @ForAll @Size(max = 150) List<@IntRange(min = 0, max = 99_999) Integer> steps,
      @ForAll @IntRange(min = 0, max = 100) int jitter) {
    Node node = new Node(jitter / 100.0);
    for (int step : steps) {
      node.step(step);
    }
    node.finish();
  }

  /** A call to STS that has no answer yet. */
  private record Call(Lease.Key key, int life, Consumer<Exchange> ended) {}

  /** What the model knows of credentials: whose they are, and of which of its lives. */
  private record Issue(Lease.Key key, int life, Instant ends) {}

  /** One history of the leases, and what it must keep to. */
  private static final class Node {
    private final Agenda agenda = new Agenda();
    private final Agenda.Clock clock = new Agenda.Clock(agenda);
    private final List<Call> calls = new ArrayList<>();
    private final Map<String, Issue> issues = new HashMap<>();
    private final Map<Lease.Key, Issue> held = new HashMap<>();

    /** Grows whenever a task stops or its grant is withdrawn. */
    private final Map<Lease.Key, Integer> lives = new HashMap<>();

    private final List<Lease> shown = new ArrayList<>();
    private final boolean[] isGranted = {true, true, true};
    private final Leases leases;
    private int serial;

    Node(double jitter) {
      leases =
          new Leases(
              new Exchanges(
                  new ExchangeLimits(8, 20), this::called, agenda::at, clock, () -> jitter),
              (key, _) -> isGranted[allocation(key)],
              LeaseTerms.STANDARD,
              Optional.empty(),
              clock,
              () -> jitter);
    }

    void step(int what) {
      int detail = what / 10;
      switch (what % 10) {
        case 0, 1, 2 -> ask(key(detail), detail / 6 % 3);
        case 3, 4, 5 -> end(detail, this::obtained);
        case 6 -> end(detail, detail % 3 == 0 ? _ -> DENIED : _ -> DOWN);
        case 7 -> pass(Duration.ofMillis(100L + detail % 2_000));
        case 8 -> pass(Duration.ofSeconds(detail % 1_500));
        default -> withdraw(detail);
      }
    }

    /** Asks; what is issued must be this task's own, of this life of it, and alive. */
    private void ask(Lease.Key key, int token) {
      if (!isGranted[allocation(key)]) {
        return; // the broker would refuse before it asks here
      }
      LeaseRequest request = request(key, token);
      Lease recalled = leases.recall(request);
      if (recalled != null) {
        judge(key, recalled);
      }
      Issue own = held.get(key);
      boolean isAlive = own != null && agenda.instant().isBefore(own.ends().minus(FLOOR));
      switch (leases.ask(request)) {
        case Leases.Answer.Now(Outcome.Issued(var lease)) -> judge(key, lease);
        case Leases.Answer.Now(Outcome.Refused refused) ->
            assertThat(isAlive).as("refused: " + refused.refusal().message()).isFalse();
        case Leases.Answer.Later later -> {
          Outcome now = later.orHeld(new Outcome.Refused(Refusals.exchangePending()));
          assertThat(now instanceof Outcome.Issued).as("has credentials").isEqualTo(isAlive);
          if (now instanceof Outcome.Issued(var lease)) {
            judge(key, lease);
          }
        }
      }
    }

    private void judge(Lease.Key key, Lease lease) {
      assertThat(lease.key()).isEqualTo(key);
      assertThat(lease.isErased()).as("erased").isFalse();
      Issue issue = Objects.requireNonNull(issues.get(lease.credentials().accessKeyId()));
      assertThat(issue.key()).isEqualTo(key);
      assertThat(issue.life()).as("of this life").isEqualTo(life(key));
      assertThat(agenda.instant()).isBefore(issue.ends().minus(FLOOR));
      shown.add(lease);
    }

    private void called(Lease.Key key, BearerToken token, Consumer<Exchange> ended) {
      assertThat(calls.stream().filter(call -> call.key().equals(key) && call.life() == life(key)))
          .as("calls in flight for one task")
          .isEmpty();
      calls.add(new Call(key, life(key), ended));
    }

    /** Ends one of the calls. */
    private void end(int which, Function<Call, Exchange> how) {
      if (!calls.isEmpty()) {
        Call call = calls.remove(which % calls.size());
        Exchange exchange = how.apply(call);
        boolean counts = call.life() == life(call.key());
        if (exchange instanceof Exchange.Obtained(var credentials) && counts) {
          held.put(call.key(), Objects.requireNonNull(issues.get(credentials.accessKeyId())));
        } else if (exchange instanceof Exchange.Denied && counts) {
          held.remove(call.key());
        }
        call.ended().accept(exchange);
      }
    }

    private Exchange obtained(Call call) {
      String id = "ASIAFAKE" + serial++;
      Instant ends = agenda.instant().plus(call.key().grant().duration());
      issues.put(id, new Issue(call.key(), call.life(), ends));
      return new Exchange.Obtained(
          new SessionCredentials(
              id,
              Secret.of("secret"),
              Secret.of("session"),
              ends,
              "123456789012",
              Optional.empty()));
    }

    /** Time passes as in the daemon: tended each second, or at once where it is long. */
    private void pass(Duration time) {
      agenda.runUntil(agenda.now() + time.toNanos());
      leases.erase();
      leases.tend();
    }

    /** An allocation stops, or its rule goes or comes. */
    private void withdraw(int detail) {
      int allocation = detail % ALLOCATIONS;
      if (detail / ALLOCATIONS % 2 == 0) {
        leases.drop(id(allocation));
        end(allocation);
      } else {
        isGranted[allocation] = !isGranted[allocation];
        leases.rulesChanged();
        if (!isGranted[allocation]) {
          end(allocation);
        }
      }
    }

    private void end(int allocation) {
      for (int task = 0; task < TASKS; task++) {
        Lease.Key key = key(allocation + ALLOCATIONS * task);
        lives.merge(key, 1, Integer::sum);
        held.remove(key);
      }
    }

    /** At the end of the daemon nothing that was shown is readable any more. */
    void finish() {
      leases.close();
      assertThat(leases.count()).isZero();
      assertThat(shown).allSatisfy(lease -> assertThat(lease.isErased()).isTrue());
    }

    private int life(Lease.Key key) {
      return lives.getOrDefault(key, 0);
    }

    private LeaseRequest request(Lease.Key key, int token) {
      return new LeaseRequest(
          key,
          Applicant.of(new Workload("default", "job", "group", key.task())),
          BearerToken.of("token" + token),
          agenda.instant().plus(Duration.ofHours(1 + token)));
    }

    private static int allocation(Lease.Key key) {
      return Character.digit(key.allocation().value().charAt(35), 10);
    }

    private static AllocationId id(int allocation) {
      return new AllocationId("b0805f9a-68ff-5796-f1eb-00000000000" + allocation);
    }

    private static Lease.Key key(int which) {
      int allocation = which % ALLOCATIONS;
      return new Lease.Key(
          id(allocation),
          "task" + which / ALLOCATIONS % TASKS,
          new Grant(
              RoleArn.parse("arn:aws:iam::123456789012:role/role" + allocation).orElseThrow(),
              Duration.ofMinutes(15 + 15 * allocation),
              Optional.empty(),
              List.of(),
              Optional.empty()));
    }
  }
}
