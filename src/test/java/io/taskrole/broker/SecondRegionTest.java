package io.taskrole.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.broker.CredentialSource.Exchange;
import io.taskrole.identity.AllocationId;
import io.taskrole.identity.BearerToken;
import io.taskrole.identity.Workload;
import io.taskrole.policy.Applicant;
import io.taskrole.policy.Grant;
import io.taskrole.policy.Region;
import io.taskrole.policy.RoleArn;
import io.taskrole.refusal.Reason;
import io.taskrole.secret.Secret;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Two Regions that do what the test says, in simulated time. */
class SecondRegionTest {
  private static final String HOME = "home";
  private static final String SECOND = "eu-central-1";
  private static final Exchange DOWN =
      new Exchange.Failed(Reason.STS_UNAVAILABLE.refusal("Wait: STS is down."));
  private static final Exchange DENIED =
      new Exchange.Denied(Reason.ROLE_REFUSED.refusal("Operator: trust policy."));
  private static final AllocationId ALLOCATION =
      new AllocationId("b0805f9a-68ff-5796-f1eb-f8b0ab9e2349");

  /** What a Region does with calls: an answer after a time. */
  private record Behaviour(Duration after, Exchange exchange) {}

  /** One call, and when it was made. */
  private record Call(String region, Duration at) {}

  private final Agenda agenda = new Agenda();
  private final Agenda.Clock clock = new Agenda.Clock(agenda);
  private final Map<String, Behaviour> behaviours = new HashMap<>();
  private final List<Call> calls = new ArrayList<>();
  private final List<SessionCredentials> issued = new ArrayList<>();
  private Leases leases = leases(Optional.of(new Region(SECOND)));
  private Grant grant = grant("arn:aws:iam::123456789012:role/billing", Optional.empty());

  @Test
  void homeWell_isAskedAlone() {
    assertThat(ask()).isInstanceOf(Outcome.Refused.class);
    pass(Duration.ofSeconds(10));

    assertThat(regions()).containsExactly(HOME);
    assertThat(source()).isEqualTo(HOME);
  }

  @Test
  void homeFails_theSecondIsAskedAtOnce() {
    behaves(HOME, Duration.ofMillis(30), DOWN);
    ask();
    pass(Duration.ofMillis(100));

    assertThat(calls.get(1)).isEqualTo(new Call(SECOND, Duration.ofMillis(30)));
    assertThat(source()).isEqualTo(SECOND);
    pass(Duration.ofMinutes(5));
    assertThat(regions()).as("home is not asked further").containsExactly(HOME, SECOND);
  }

  @Test
  void homeSilent_theSecondIsAskedAfterASecond_andTheLateCredentialsAreErased() {
    behaviours.put(HOME, new Behaviour(Duration.ofSeconds(5), credentials(HOME)));
    ask();
    pass(Duration.ofMillis(999));
    assertThat(regions()).containsExactly(HOME);
    pass(Duration.ofMillis(100));

    assertThat(calls.get(1)).isEqualTo(new Call(SECOND, Duration.ofSeconds(1)));
    assertThat(source()).isEqualTo(SECOND);
    pass(Duration.ofSeconds(5));
    assertThat(source()).isEqualTo(SECOND);
    assertThat(erased()).containsExactly(HOME);
  }

  @Test
  void homeAnswersBeforeTheSecond_itIsHomes() {
    behaviours.put(HOME, new Behaviour(Duration.ofMillis(1_500), credentials(HOME)));
    behaviours.put(SECOND, new Behaviour(Duration.ofSeconds(2), credentials(SECOND)));
    ask();
    pass(Duration.ofSeconds(5));

    assertThat(regions()).containsExactly(HOME, SECOND);
    assertThat(source()).isEqualTo(HOME);
    assertThat(erased()).containsExactly(SECOND);
  }

  @Test
  void homeSlow_butBackBeforeThePatienceEnds_leavesNothingWaiting() {
    behaviours.put(HOME, new Behaviour(Duration.ofMillis(900), credentials(HOME)));
    ask();
    pass(Duration.ofMillis(950));

    assertThat(leases.waiting()).isZero();
    pass(Duration.ofSeconds(5));
    assertThat(regions()).containsExactly(HOME);
  }

  @Test
  void homeKnownToBeInTrouble_bothAreAskedAtOnce() {
    behaves(HOME, Duration.ofMillis(30), DOWN);
    ask();
    pass(Duration.ofSeconds(30));
    leases.drop(ALLOCATION);
    calls.clear();
    long begun = agenda.now();
    ask();
    pass(Duration.ofMillis(100));

    assertThat(calls).contains(new Call(SECOND, Duration.ofNanos(begun)));
    assertThat(source()).isEqualTo(SECOND);
  }

  @Test
  void homeRefuses_itIsRefused_thoughTheSecondWouldNot() {
    behaviours.put(HOME, new Behaviour(Duration.ofMillis(1_500), DENIED));
    behaviours.put(SECOND, new Behaviour(Duration.ofSeconds(2), credentials(SECOND)));
    ask();
    pass(Duration.ofSeconds(4));

    assertThat(reason(ask())).isEqualTo(Reason.ROLE_REFUSED);
    assertThat(erased()).containsExactly(SECOND);
  }

  @ParameterizedTest
  @CsvSource({"true", "false"})
  void secondFails_homeGoesOnAndIsWhatCounts(boolean isDenied) {
    behaves(HOME, Duration.ofMillis(30), DOWN);
    behaves(SECOND, Duration.ofMillis(30), isDenied ? DENIED : DOWN);
    ask();
    pass(Duration.ofSeconds(3));
    assertThat(reason(ask())).isEqualTo(Reason.STS_UNAVAILABLE);
    behaviours.clear();
    pass(Duration.ofSeconds(20));
    ask();
    pass(Duration.ofSeconds(5));

    assertThat(leases.recall(request())).isNotNull();
  }

  @Test
  void bothDown_itEndsWithHomesWordAndNoneIsAskedWithoutEnd() {
    behaves(HOME, Duration.ofMillis(30), DOWN);
    behaves(SECOND, Duration.ofMillis(30), DENIED);
    ask();
    pass(Duration.ofMinutes(5));
    int made = calls.size();
    assertThat(made).isLessThan(30);
    pass(Duration.ofMinutes(5));

    assertThat(calls).hasSize(made);
    assertThat(leases.waiting()).isZero();
  }

  /** A second Region that fails slowly must not keep home from being asked. */
  @Test
  void homeBackWhileTheSecondFails_isAskedAtOnce() {
    behaves(HOME, Duration.ofMillis(30), DOWN);
    behaves(SECOND, Duration.ofMillis(30), DOWN);
    long end = agenda.now() + Duration.ofMinutes(2).toNanos();
    while (agenda.now() < end) {
      ask("one", "arn:aws:iam::123456789012:role/one");
      ask("other", "arn:aws:iam::123456789012:role/other");
      pass(Duration.ofSeconds(1));
    }
    behaviours.remove(HOME);
    calls.clear();
    for (int i = 0; i < 8; i++) {
      ask("one", "arn:aws:iam::123456789012:role/one");
      ask("other", "arn:aws:iam::123456789012:role/other");
      pass(Duration.ofSeconds(1));
    }

    assertThat(issued).hasSize(2);
  }

  @Test
  void renewals_neverGoThere() {
    ask();
    pass(Duration.ofSeconds(5));
    behaves(HOME, Duration.ofMillis(30), DOWN);
    calls.clear();
    for (int minute = 0; minute < 58; minute++) {
      pass(Duration.ofMinutes(1));
      assertThat(leases.recall(request())).isNotNull();
      leases.tend();
    }

    assertThat(regions()).hasSizeGreaterThan(5).containsOnly(HOME);
  }

  @Test
  void leaseFromTheSecond_isRenewedAtHome() {
    behaves(HOME, Duration.ofMillis(30), DOWN);
    ask();
    pass(Duration.ofSeconds(1));
    behaviours.clear();
    calls.clear();
    pass(Duration.ofMinutes(40));
    leases.recall(request());
    leases.tend();
    pass(Duration.ofMinutes(1));

    assertThat(regions()).containsExactly(HOME);
    assertThat(source()).isEqualTo(HOME);
  }

  @ParameterizedTest
  @CsvSource({
    "arn:aws-cn:iam::123456789012:role/billing, cn-north-1",
    "arn:aws:iam::123456789012:role/billing, eu-central-1"
  })
  void otherPartitionOrThatRegionItself_isAskedOnce(String role, String region) {
    grant = grant(role, Optional.of(region));
    behaves(region, Duration.ofMillis(30), DOWN);
    ask();
    pass(Duration.ofSeconds(30));

    assertThat(regions()).isNotEmpty().containsOnly(region);
  }

  @Test
  void withoutSecondRegion_homeIsAskedAlone() {
    leases = leases(Optional.empty());
    behaves(HOME, Duration.ofMillis(30), DOWN);
    ask();
    pass(Duration.ofSeconds(30));

    assertThat(regions()).containsOnly(HOME);
  }

  /** Where STS at home hangs in every call it may have, the second Region still has room. */
  @Test
  void homeHangs_aHerdIsServedByTheSecond() {
    behaves(HOME, Duration.ofSeconds(6), DOWN);
    for (int i = 0; i < 100; i++) {
      ask("task" + i, "arn:aws:iam::123456789012:role/role" + i % 10);
    }
    pass(Duration.ofSeconds(12));

    assertThat(issued).hasSizeGreaterThanOrEqualTo(100);
  }

  /** Waiting for one's turn is not the Region's fault. */
  @Test
  void homeWell_aHerdWaitsForItsTurn() {
    for (int i = 0; i < 500; i++) {
      ask("task" + i, "arn:aws:iam::123456789012:role/role" + i % 10);
    }
    pass(Duration.ofSeconds(30));

    assertThat(regions()).hasSize(500).containsOnly(HOME);
    assertThat(calls.getLast().at()).isGreaterThan(Duration.ofSeconds(5));
  }

  @Test
  void droppedAllocation_nothingIsAskedAndNothingKept() {
    behaves(HOME, Duration.ofMillis(30), DOWN);
    behaviours.put(SECOND, new Behaviour(Duration.ofSeconds(2), credentials(SECOND)));
    ask();
    pass(Duration.ofMillis(500));
    leases.drop(ALLOCATION);
    pass(Duration.ofSeconds(30));

    assertThat(leases.count()).isZero();
    assertThat(leases.waiting()).isZero();
    assertThat(erased()).containsExactly(SECOND);
  }

  private Leases leases(Optional<Region> second) {
    return new Leases(
        new Exchanges(new ExchangeLimits(16, 50), this::call, agenda::at, clock, () -> 0.5),
        (_, _) -> true,
        LeaseTerms.STANDARD,
        second,
        clock,
        () -> 0.5);
  }

  private void behaves(String region, Duration after, Exchange exchange) {
    behaviours.put(region, new Behaviour(after, exchange));
  }

  private void call(Lease.Key key, BearerToken token, Consumer<Exchange> ended) {
    String region = key.grant().region().orElse(HOME);
    calls.add(new Call(region, Duration.ofNanos(agenda.now())));
    Behaviour behaviour = behaviours.get(region);
    agenda.in(
        behaviour == null ? Duration.ofMillis(50) : behaviour.after(),
        () -> ended.accept(behaviour == null ? credentials(region) : behaviour.exchange()));
  }

  private Exchange credentials(String region) {
    SessionCredentials credentials =
        new SessionCredentials(
            region,
            Secret.of("secret"),
            Secret.of("session"),
            agenda.instant().plus(Duration.ofHours(1)),
            "123456789012",
            Optional.empty());
    issued.add(credentials);
    return new Exchange.Obtained(credentials);
  }

  private List<String> regions() {
    return calls.stream().map(Call::region).toList();
  }

  /** Which Region's credentials the task has. */
  private String source() {
    Lease lease = leases.recall(request());
    return lease == null ? "none" : lease.credentials().accessKeyId();
  }

  private List<String> erased() {
    leases.erase();
    return issued.stream()
        .filter(each -> each.sessionToken().revealText().charAt(0) == '\0')
        .map(SessionCredentials::accessKeyId)
        .toList();
  }

  private Outcome ask() {
    return leases.await(request(), clock.nanos());
  }

  private void ask(String task, String role) {
    LeaseRequest base = request();
    leases.await(
        new LeaseRequest(
            new Lease.Key(ALLOCATION, task, grant(role, Optional.empty())),
            base.applicant(),
            base.token(),
            base.tokenExpires()),
        clock.nanos());
  }

  private void pass(Duration time) {
    agenda.runUntil(agenda.now() + time.toNanos());
  }

  private LeaseRequest request() {
    return new LeaseRequest(
        new Lease.Key(ALLOCATION, "server", grant),
        Applicant.of(new Workload("payments", "billing", "api", "server")),
        BearerToken.of("token" + agenda.now() / Duration.ofMinutes(30).toNanos()),
        agenda.instant().plus(Duration.ofHours(1)));
  }

  private static Grant grant(String role, Optional<String> region) {
    return new Grant(
        RoleArn.parse(role).orElseThrow(),
        Duration.ofHours(1),
        region,
        List.of(),
        Optional.empty());
  }

  private static Reason reason(Outcome outcome) {
    assertThat(outcome).isInstanceOf(Outcome.Refused.class);
    return ((Outcome.Refused) outcome).refusal().reason();
  }
}
