package io.taskrole.broker;

import io.taskrole.broker.CredentialSource.Exchange;
import io.taskrole.broker.LeaseSlot.Flight;
import io.taskrole.identity.AllocationId;
import io.taskrole.identity.BearerToken;
import io.taskrole.identity.Workload;
import io.taskrole.policy.Applicant;
import io.taskrole.policy.Grant;
import io.taskrole.policy.Region;
import io.taskrole.policy.RoleArn;
import io.taskrole.refusal.Reason;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A node in a simulation: the leases as they are, with tasks that ask as SDKs do. Everything that
 * tasks see and STS is asked is held against the invariants; what breaks one throws.
 */
final class SimulatedNode {
  /** A bug that a simulation has to find. */
  enum Bug {
    NONE,
    /** Two caches in turns: what a check-then-act single flight comes to. */
    TWO_FLIGHTS,
    /** Every lease is renewed at once, again and again. */
    REFRESH_STORM,
    /** Leases are served until two minutes after their end. */
    SERVES_THE_DEAD
  }

  private static final long SECOND = 1_000_000_000L;
  private static final Region SECOND_REGION = new Region("eu-central-1");
  private static final Duration TEND = Duration.ofSeconds(15);
  private static final Duration ANSWER_WITHIN = Duration.ofMillis(800);
  private static final Duration TOKEN_LIFE = Duration.ofHours(1);
  private static final Duration TOKEN_RENEWED = Duration.ofMinutes(35);

  /** A task and what its SDK has seen. */
  final class Task {
    private final String name;
    private final RoleArn role;
    private AllocationId allocation = newAllocation();
    private long startedAt;
    private long tokenNumber = -1;
    private BearerToken token = BearerToken.of("none");
    private Instant heldUntil = Instant.MIN;
    private @Nullable Grant heldGrant;
    private long coldSince;
    private boolean isWarm;
    private int refusalsInARow;

    Task(String name, RoleArn role) {
      this.name = name;
      this.role = role;
    }

    Lease.Key key() {
      return new Lease.Key(allocation, name, grant(role));
    }

    private LeaseRequest request() {
      long number = (agenda.now() - startedAt) / TOKEN_RENEWED.toNanos();
      if (number != tokenNumber) {
        tokenNumber = number;
        token = BearerToken.of(allocation.value() + name + number);
      }
      Instant signed =
          agenda.instant().minusNanos((agenda.now() - startedAt) % TOKEN_RENEWED.toNanos());
      return new LeaseRequest(
          key(),
          Applicant.of(new Workload("default", "job", "group", name)),
          token,
          signed.plus(TOKEN_LIFE));
    }

    /** Another allocation takes its place, which asks at once. */
    private void replace() {
      leases().forEach(each -> each.drop(allocation));
      forget(allocation);
      allocation = newAllocation();
      startedAt = agenda.now();
      tokenNumber = -1;
      forgive();
    }

    private void forgive() {
      heldUntil = Instant.MIN;
    }
  }

  private final Agenda agenda;
  private final Agenda.Clock clock;
  private final Random random;
  private final SimulatedSts sts;
  private final @Nullable SimulatedSts elsewhere;
  private final ExchangeLimits limits;
  private final Bug bug;
  private final Leases leases;
  private final @Nullable Leases second;
  private final List<Task> tasks = new ArrayList<>();
  private final Map<RoleArn, Integer> hours = new HashMap<>();
  private final Set<Lease.Key> flying = new HashSet<>();
  private final Map<Lease.Key, Long> obtained = new HashMap<>();
  private final Map<Lease.Key, Long> landings = new HashMap<>();
  private final Deque<Long> calls = new ArrayDeque<>();
  private long troubledUntil;
  private long asks;
  private long issued;
  private long lost;
  private long worstCold;

  SimulatedNode(Agenda agenda, Random random, SimulatedSts sts, ExchangeLimits limits, Bug bug) {
    this(agenda, random, sts, null, limits, bug);
  }

  /** With STS in a second Region as well; null for none. */
  SimulatedNode(
      Agenda agenda,
      Random random,
      SimulatedSts sts,
      @Nullable SimulatedSts elsewhere,
      ExchangeLimits limits,
      Bug bug) {
    this.agenda = agenda;
    this.random = random;
    this.sts = sts;
    this.elsewhere = elsewhere;
    this.limits = limits;
    this.bug = bug;
    this.clock = new Agenda.Clock(agenda);
    this.leases = newLeases();
    this.second = bug == Bug.TWO_FLIGHTS ? newLeases() : null;
  }

  private Leases newLeases() {
    LeaseTerms standard = LeaseTerms.STANDARD;
    LeaseTerms terms =
        bug == Bug.SERVES_THE_DEAD
            ? new LeaseTerms(
                Duration.ofMinutes(-2),
                standard.fresh(),
                standard.refusalMemory(),
                standard.failureMemory(),
                standard.exchangeBudget())
            : standard;
    return new Leases(
        new Exchanges(limits, this::call, agenda::at, clock, random::nextDouble),
        (key, _) -> isEntitled(key),
        terms,
        Optional.ofNullable(elsewhere).map(_ -> SECOND_REGION),
        clock,
        bug == Bug.REFRESH_STORM ? () -> -3.1 : random::nextDouble);
  }

  private List<Leases> leases() {
    return second == null ? List.of(leases) : List.of(leases, second);
  }

  /** Adds tasks of that role; each starts and asks within the spread. */
  void run(int count, RoleArn role, Duration spread) {
    for (int i = 0; i < count; i++) {
      Task task = new Task("task" + tasks.size(), role);
      tasks.add(task);
      agenda.in(
          within(spread),
          () -> {
            task.startedAt = agenda.now();
            task.coldSince = agenda.now();
            ask(task);
          });
    }
  }

  /** Begins to renew leases; to be called once. */
  void start() {
    agenda.in(within(TEND), this::tend);
  }

  /** Every task is replaced, and its successor asks within the spread. */
  void restartTasks(Duration spread) {
    for (Task task : tasks) {
      agenda.in(
          within(spread),
          () -> {
            task.replace();
            task.isWarm = false;
            task.coldSince = agenda.now();
            ask(task);
          });
    }
  }

  /** The operator changes how long the sessions of a role last. */
  void changeRules(RoleArn role) {
    hours.merge(role, 1, (old, _) -> 3 - old);
    leases().forEach(Leases::rulesChanged);
    forgive(role);
    obtained.keySet().removeIf(key -> !isEntitled(key));
  }

  /** How long the sessions of a role last, from the start. */
  void sessions(RoleArn role, int hours) {
    this.hours.put(role, hours);
  }

  /** STS refuses the role, or no longer: what is held for it may go. */
  void forgive(RoleArn role) {
    for (Task task : tasks) {
      if (task.role.equals(role)) {
        task.forgive();
      }
    }
    obtained.keySet().removeIf(key -> key.grant().role().equals(role));
  }

  /** Somebody sets the wall clock. */
  void setClockWrongBy(Duration wrong) {
    clock.setWrongBy(wrong);
    tasks.forEach(Task::forgive);
    obtained.clear();
  }

  /** A fault lasts until then; soon after it everything has to be well. */
  void troubledUntil(long nanos) {
    troubledUntil = Math.max(troubledUntil, nanos);
  }

  long asks() {
    return asks;
  }

  long issued() {
    return issued;
  }

  /** Times that a task was refused though its credentials had not ended; always 0. */
  long lost() {
    return lost;
  }

  /** The longest time from a task's first request to its first credentials, nanoseconds. */
  long worstCold() {
    return worstCold;
  }

  void forgetWorstCold() {
    worstCold = 0;
  }

  /** Tasks that have asked and have no credentials yet. */
  long cold() {
    return tasks.stream().filter(task -> !task.isWarm).count();
  }

  private void tend() {
    leases().forEach(Leases::tend);
    agenda.in(TEND, this::tend);
  }

  private void ask(Task task) {
    asks++;
    AllocationId asking = task.allocation;
    LeaseRequest request = task.request();
    long asked = agenda.now();
    Leases asking2 = second != null && asks % 2 == 0 ? second : leases;
    switch (asking2.ask(request)) {
      case Leases.Answer.Now(var outcome) -> answered(task, asking, request.key(), asked, outcome);
      case Leases.Answer.Later later -> {
        Flight flight = later.flight();
        boolean[] told = {false};
        Consumer<Outcome> once =
            outcome -> {
              if (!told[0]) {
                told[0] = true;
                answered(task, asking, request.key(), asked, later.orHeld(outcome));
              }
            };
        // By the agenda: what a future's own callback throws would be lost in it.
        var _ =
            flight.landing.thenAccept(
                outcome -> agenda.at(agenda.now(), () -> once.accept(outcome)));
        agenda.in(
            ANSWER_WITHIN,
            () ->
                once.accept(
                    new Outcome.Refused(
                        flight.trouble() == null ? Refusals.exchangePending() : flight.trouble())));
      }
    }
  }

  private void answered(
      Task task, AllocationId asking, Lease.Key key, long asked, Outcome outcome) {
    if (!task.allocation.equals(asking)) {
      return;
    }
    check(agenda.now() - asked <= ANSWER_WITHIN.toNanos(), "I2: an answer came too late");
    switch (outcome) {
      case Outcome.Issued(var lease) -> issued(task, key, lease);
      case Outcome.Refused(var refusal) -> refused(task, refusal.reason());
    }
  }

  private void issued(Task task, Lease.Key key, Lease lease) {
    issued++;
    check(lease.key().equals(key), "I3: somebody else's lease");
    check(
        lease.credentials().accessKeyId().equals(key.allocation().value() + "/" + key.task()),
        "I3: somebody else's credentials");
    check(!lease.isErased(), "I3: credentials that are erased");
    Instant ends = lease.credentials().expiration();
    check(
        ends.isAfter(agenda.instant().plusSeconds(29)),
        "I3: credentials that end " + Duration.between(agenda.instant(), ends) + " from now");
    task.heldUntil = knownEnd(lease);
    task.heldGrant = key.grant();
    task.refusalsInARow = 0;
    if (!task.isWarm) {
      task.isWarm = true;
      worstCold = Math.max(worstCold, agenda.now() - task.coldSince);
    }
    again(task, Duration.ofMinutes(3).plus(within(Duration.ofMinutes(17))));
  }

  /**
   * A node whose clock was an hour fast when it got credentials could only know of an hour less.
   */
  private Instant knownEnd(Lease lease) {
    Instant ends = lease.credentials().expiration();
    Duration known = Duration.between(lease.obtainedAt(), ends);
    Long landed = landings.get(lease.key());
    Instant bound =
        landed == null ? ends : agenda.instant().minusNanos(agenda.now() - landed).plus(known);
    return bound.isBefore(ends) ? bound : ends;
  }

  private void refused(Task task, Reason reason) {
    String code = reason.code();
    if (reason == Reason.ROLE_REFUSED) {
      // A plain AccessDenied is the one word of STS that takes credentials away.
      check(sts.hasRefused(task.role), "a refusal that STS never spoke");
      task.forgive();
    }
    // A node whose clock is an hour fast cannot know that what looks expired is not.
    if (!clock.isWrong()
        && task.heldUntil.isAfter(agenda.instant().plusSeconds(31))
        && grant(task.role).equals(task.heldGrant)) {
      lost++;
      check(false, "static stability: " + code + " with credentials until " + task.heldUntil);
    }
    task.refusalsInARow++;
    check(
        agenda.now() - troubledUntil < 90 * SECOND
            || sts.refuses(task.role)
            || task.refusalsInARow < 3,
        "I6: " + code + " long after the last fault");
    again(
        task,
        task.refusalsInARow % 4 == 0
            ? Duration.ofSeconds(10).plus(within(Duration.ofSeconds(20)))
            : Duration.ofSeconds(1).plus(within(Duration.ofSeconds(2))));
  }

  private void again(Task task, Duration pause) {
    AllocationId asking = task.allocation;
    agenda.in(
        pause,
        () -> {
          if (task.allocation.equals(asking)) {
            ask(task);
          }
        });
  }

  private void call(Lease.Key key, BearerToken token, Consumer<Exchange> ended) {
    check(flying.add(key), "I9: two exchanges at once for one lease");
    check(flying.size() <= limits.concurrency(), "I7: too many calls at once");
    calls.add(agenda.now());
    while (agenda.now() - calls.element() > 10 * SECOND) {
      calls.remove();
    }
    check(calls.size() <= 11 * limits.rate(), "I7: too many calls in ten seconds");
    Lease.Key lease = new Lease.Key(key.allocation(), key.task(), atHome(key.grant()));
    Long before = obtained.get(lease);
    check(
        before == null || agenda.now() - before > key.grant().duration().toNanos() / 3,
        "I7: a lease is renewed long before its time");
    boolean isSecond = key.grant().region().isPresent();
    SimulatedSts asked = isSecond ? Objects.requireNonNull(elsewhere) : sts;
    asked.call(
        key,
        token,
        clock,
        exchange -> {
          flying.remove(key);
          if (exchange instanceof Exchange.Obtained) {
            landings.put(lease, agenda.now());
          }
          if (exchange instanceof Exchange.Obtained && isEntitled(lease)) {
            obtained.put(lease, agenda.now());
          }
          ended.accept(exchange);
        });
  }

  /** As the rules have it: the simulation's name no Region. */
  private static Grant atHome(Grant grant) {
    return new Grant(
        grant.role(),
        grant.duration(),
        Optional.empty(),
        grant.policyArns(),
        grant.sessionPolicy());
  }

  private void forget(AllocationId allocation) {
    obtained.keySet().removeIf(key -> key.allocation().equals(allocation));
    landings.keySet().removeIf(key -> key.allocation().equals(allocation));
  }

  private boolean isEntitled(Lease.Key key) {
    if (!key.grant().equals(grant(key.grant().role()))) {
      return false;
    }
    int number = Integer.parseInt(key.task().substring("task".length()));
    return tasks.get(number).allocation.equals(key.allocation());
  }

  private Grant grant(RoleArn role) {
    return new Grant(
        role,
        Duration.ofHours(hours.getOrDefault(role, 1)),
        Optional.empty(),
        List.of(),
        Optional.empty());
  }

  private AllocationId newAllocation() {
    return new AllocationId(new UUID(random.nextLong(), random.nextLong()).toString());
  }

  private Duration within(Duration most) {
    return Duration.ofNanos((long) (most.toNanos() * random.nextDouble()));
  }

  private void check(boolean holds, String invariant) {
    if (!holds) {
      throw new BrokenInvariant(
          invariant + ", " + Duration.ofNanos(agenda.now()) + " after the start");
    }
  }

  /** An invariant that did not hold. */
  static final class BrokenInvariant extends AssertionError {
    private static final long serialVersionUID = 1;

    BrokenInvariant(String what) {
      super(what);
    }
  }
}
