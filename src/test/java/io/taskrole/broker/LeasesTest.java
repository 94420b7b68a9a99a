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
import io.taskrole.refusal.Refusal;
import io.taskrole.secret.Secret;
import io.taskrole.testing.FakeCredentialSource;
import io.taskrole.testing.ManualTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;

class LeasesTest {
  private static final Grant GRANT =
      new Grant(
          RoleArn.parse("arn:aws:iam::123456789012:role/billing").orElseThrow(),
          Duration.ofHours(1),
          Optional.empty(),
          List.of(),
          Optional.empty());
  private static final AllocationId ALLOCATION =
      new AllocationId("b0805f9a-68ff-5796-f1eb-f8b0ab9e2349");
  private static final Refusal DENIED = Reason.ROLE_REFUSED.refusal("Operator: trust policy.");
  private static final Refusal DOWN = Reason.STS_UNAVAILABLE.refusal("Operator: STS is down.");

  private final ManualTime time = ManualTime.at("2026-11-23T08:31:00Z");
  private final FakeCredentialSource source = new FakeCredentialSource(time);
  private final AtomicBoolean entitled = new AtomicBoolean(true);
  private final AtomicInteger exchanges = new AtomicInteger();
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();

  /** Renewals and cold exchanges run on the caller's thread, so that a test sees their end. */
  private final Leases leases = leasesOn(Runnable::run);

  @AfterEach
  void stopThreads() {
    threads.shutdownNow();
  }

  @Test
  void await_withoutLease_obtainsOneAndKeepsIt() {
    Lease first = issued(await("token-1"));

    assertThat(issued(await("token-1"))).isSameAs(first);
    assertThat(leases.recall(request("token-1"))).isSameAs(first);
    assertThat(source.calls()).hasSize(1);
    assertThat(exchanges).hasValue(1);
    assertThat(leases.count()).isEqualTo(1);
  }

  @Test
  void await_withRenewedToken_findsTheSameLease() {
    Lease first = issued(await("token-1"));

    assertThat(issued(await("token-2"))).isSameAs(first);
    assertThat(source.calls()).hasSize(1);
  }

  @RepeatedTest(100)
  void await_manyCallersAtOnce_causeOneExchange() throws Exception {
    Leases concurrent = leasesOn(threads);
    CountDownLatch gate = source.hold();
    List<Future<Outcome>> answers =
        IntStream.range(0, 200)
            .mapToObj(_ -> threads.submit(() -> concurrent.await(request("t"), farAway())))
            .toList();
    gate.countDown();

    List<Lease> leasesSeen = new ArrayList<>();
    for (Future<Outcome> answer : answers) {
      leasesSeen.add(issued(answer.get()));
    }
    assertThat(leasesSeen).allSatisfy(lease -> assertThat(lease).isSameAs(leasesSeen.getFirst()));
    assertThat(source.calls()).hasSize(1);
  }

  @Test
  void await_pastItsDeadline_saysPendingAndTheExchangeServesTheRetry() throws Exception {
    Leases concurrent = leasesOn(threads);
    CountDownLatch gate = source.hold();

    assertThat(reason(concurrent.await(request("t"), time.nanos())))
        .isEqualTo(Reason.EXCHANGE_PENDING);
    Future<Outcome> retry = threads.submit(() -> concurrent.await(request("t"), farAway()));
    gate.countDown();

    assertThat(retry.get()).isInstanceOf(Outcome.Issued.class);
    assertThat(source.calls()).hasSize(1);
  }

  @Test
  void await_withStsDown_triesAgainInsideItsBudgetThenTellsWhy() {
    source.goDown();

    assertThat(reason(await("t"))).isEqualTo(Reason.STS_UNAVAILABLE);
    assertThat(source.calls().size()).isBetween(8, 60);
  }

  @Test
  void await_afterATransientFailure_asksStsAgainOnlyAfterASecond() {
    source.goDown();
    await("t");
    int calls = source.calls().size();
    source.recover();

    assertThat(reason(await("t"))).isEqualTo(Reason.STS_UNAVAILABLE);
    assertThat(source.calls()).hasSize(calls);
    time.advance(Duration.ofMillis(1001));
    assertThat(await("t")).isInstanceOf(Outcome.Issued.class);
  }

  @Test
  void await_stsBackWithinTheBudget_succeedsOnTheSameFlight() {
    source.next(new Exchange.Failed(DOWN)).next(new Exchange.Failed(DOWN));

    assertThat(await("t")).isInstanceOf(Outcome.Issued.class);
    assertThat(source.calls()).hasSize(3);
  }

  @Test
  void await_withPermanentRefusal_repeatsItForFiveSecondsWithoutAsking() {
    source.next(new Exchange.Denied(DENIED));
    assertThat(reason(await("t"))).isEqualTo(Reason.ROLE_REFUSED);

    time.advance(Duration.ofMillis(4999));
    assertThat(reason(await("t"))).isEqualTo(Reason.ROLE_REFUSED);
    assertThat(source.calls()).hasSize(1);

    time.advance(Duration.ofMillis(2));
    assertThat(await("t")).isInstanceOf(Outcome.Issued.class);
  }

  @Test
  void await_withNewToken_endsTheMemoryOfARefusal() {
    source.next(new Exchange.Denied(DENIED));
    await("t");

    assertThat(await("renewed")).isInstanceOf(Outcome.Issued.class);
  }

  @Test
  void rulesChanged_endsTheMemoryOfARefusal() {
    source.next(new Exchange.Denied(DENIED));
    await("t");
    leases.rulesChanged();

    assertThat(await("t")).isInstanceOf(Outcome.Issued.class);
  }

  @Test
  void rulesChanged_dropsTheLeaseWhoseGrantIsGoneAndErasesItLater() {
    Lease lease = issued(await("t"));
    entitled.set(false);
    leases.rulesChanged();

    assertThat(leases.recall(request("t"))).isNull();
    assertThat(lease.credentials().secretAccessKey().revealText()).isEqualTo("secret-1");
    time.advance(Duration.ofSeconds(31));
    leases.erase();
    assertThat(lease.credentials().secretAccessKey().revealText()).isEqualTo("\0".repeat(8));
    assertThat(lease.credentials().sessionToken().revealText()).isEqualTo("\0".repeat(9));
  }

  @Test
  void rulesChanged_whileTheExchangeFlies_leavesNothingOfTheOldGrant() throws Exception {
    Leases concurrent = leasesOn(threads);
    CountDownLatch gate = source.hold();
    Future<Outcome> answer = threads.submit(() -> concurrent.await(request("t"), farAway()));
    while (source.calls().isEmpty()) {
      Thread.onSpinWait();
    }
    entitled.set(false);
    concurrent.rulesChanged();
    gate.countDown();

    assertThat(reason(answer.get())).isEqualTo(Reason.EXCHANGE_PENDING);
    assertThat(concurrent.count()).isZero();
  }

  @Test
  void tend_beforeHalfLife_renewsNothing() {
    await("t", Duration.ofHours(2));
    time.advance(Duration.ofMinutes(29));
    leases.tend();

    assertThat(source.calls()).hasSize(1);
  }

  @Test
  void tend_afterTwoThirdsOfLife_hasRenewed() {
    Lease first = issued(await("t", Duration.ofHours(2)));
    time.advance(Duration.ofMinutes(40));
    leases.tend();

    assertThat(source.calls()).hasSize(2);
    assertThat(leases.recall(request("t"))).isNotNull().isNotSameAs(first);
  }

  @Test
  void tend_withStsDown_keepsServingTheOldLeaseUntilTheFloor() {
    Lease lease = issued(await("t", Duration.ofHours(2)));
    source.goDown();
    Instant floor = lease.credentials().expiration().minusSeconds(30);
    // An attempt may have to wait for its turn, which moves the time as well.
    while (time.instant().isBefore(floor.minusSeconds(5))) {
      time.advance(Duration.ofSeconds(1));
      leases.tend();
      assertThat(await("t", Duration.ofHours(2))).isEqualTo(new Outcome.Issued(lease));
    }
    int attempts = source.calls().size() - 1;
    assertThat(attempts).isBetween(5, 600);
    time.advance(Duration.between(time.instant(), floor));
    assertThat(reason(await("t", Duration.ofHours(2)))).isEqualTo(Reason.STS_UNAVAILABLE);
  }

  @Test
  void tend_stsBackAfterAnOutage_renewsByItself() {
    Lease first = issued(await("t", Duration.ofHours(2)));
    source.goDown();
    time.advance(Duration.ofMinutes(45));
    leases.tend();
    source.recover();
    time.advance(Duration.ofMinutes(2));
    leases.tend();

    assertThat(leases.recall(request("t"))).isNotNull().isNotSameAs(first);
  }

  @Test
  void tend_deniedRenewal_dropsTheLease() {
    await("t", Duration.ofHours(2));
    source.always(new Exchange.Denied(DENIED));
    time.advance(Duration.ofMinutes(40));
    leases.tend();

    assertThat(leases.recall(request("t"))).isNull();
    assertThat(reason(await("t"))).isEqualTo(Reason.ROLE_REFUSED);
  }

  @Test
  void tend_tokenRefusedAtRenewal_keepsTheLease() {
    Lease lease = issued(await("t", Duration.ofHours(2)));
    source.always(new Exchange.Failed(Reason.TOKEN_REFUSED_BY_STS.refusal("Operator: x.")));
    time.advance(Duration.ofMinutes(45));
    leases.tend();

    assertThat(await("t")).isEqualTo(new Outcome.Issued(lease));
  }

  @Test
  void tend_withoutUsableToken_waitsForANewerOne() {
    await("old", Duration.ofMinutes(35));
    time.advance(Duration.ofMinutes(41));
    leases.tend();
    assertThat(source.calls()).hasSize(1);

    leases.recall(request("new", Duration.ofHours(1)));
    leases.tend();
    assertThat(source.calls()).hasSize(2);
    assertThat(source.calls().getLast().token()).isEqualTo(BearerToken.of("new"));
  }

  @Test
  void outageBudget_isThatOfTheLeaseThatEndsFirst() {
    assertThat(leases.outageBudget()).isEmpty();
    await("t", Duration.ofHours(2));
    assertThat(leases.outageBudget()).contains(Duration.ofMinutes(60).minusSeconds(30));
    time.advance(Duration.ofMinutes(10));
    leases.await(
        new LeaseRequest(
            new Lease.Key(ALLOCATION, "sidecar", GRANT),
            Applicant.of(new Workload("payments", "billing", "api", "sidecar")),
            BearerToken.of("s"),
            time.instant().plus(Duration.ofHours(2))),
        farAway());
    assertThat(leases.outageBudget()).contains(Duration.ofMinutes(50).minusSeconds(30));
  }

  @Test
  void outageBudget_isWhatTasksReallyGet() {
    Duration life = Duration.ofHours(3);
    await("t", life);
    // The worst moment for STS to vanish: just before the renewal is due.
    time.advance(Duration.ofMinutes(34));
    leases.tend();
    assertThat(source.calls()).hasSize(1);
    source.goDown();
    Duration budget = leases.outageBudget().orElseThrow();

    time.advance(budget.minusSeconds(1));
    leases.tend();
    issued(await("t", life));
    time.advance(Duration.ofSeconds(1));
    assertThat(reason(await("t", life))).isEqualTo(Reason.STS_UNAVAILABLE);
    assertThat(leases.outageBudget()).isEmpty();
  }

  @Test
  void outageBudget_leavesOutWhatEndsWithOrWithoutSts() {
    await("old", Duration.ofMinutes(35));
    time.advance(Duration.ofMinutes(41));
    leases.tend();
    assertThat(leases.count()).isEqualTo(1);
    assertThat(leases.outageBudget()).isEmpty();
  }

  @Test
  void await_withLittleLifeLeft_waitsForTheSuccessor() {
    Lease old = issued(await("t", Duration.ofMinutes(30)));
    time.advance(Duration.ofMinutes(45));

    assertThat(leases.recall(request("new", Duration.ofHours(1)))).isNull();
    assertThat(issued(await("new", Duration.ofHours(1)))).isNotSameAs(old);
  }

  @Test
  void await_withLittleLifeLeftAndStsDown_servesTheOldLease() {
    Lease old = issued(await("t", Duration.ofMinutes(30)));
    time.advance(Duration.ofMinutes(45));
    source.goDown();

    assertThat(issued(await("new", Duration.ofHours(1)))).isSameAs(old);
    assertThat(leases.recall(request("new", Duration.ofHours(1)))).isSameAs(old);
  }

  @Test
  void await_wallClockJumpsPastExpiry_neverServesTheOldLease() {
    Lease old = issued(await("t"));
    time.jumpWallClock(Duration.ofHours(2));

    assertThat(issued(await("t", Duration.ofHours(3)))).isNotSameAs(old);
  }

  @Test
  void await_wallClockSetBack_neverServesPastTheRealEnd() {
    Lease old = issued(await("t", Duration.ofHours(5)));
    source.goDown();
    time.jumpWallClock(Duration.ofHours(-1));
    time.advance(Duration.ofMinutes(59));
    assertThat(issued(await("t", Duration.ofHours(5)))).isSameAs(old);

    time.advance(Duration.ofSeconds(31));
    assertThat(reason(await("t", Duration.ofHours(5)))).isEqualTo(Reason.STS_UNAVAILABLE);
  }

  @Test
  void await_obtainedWhileTheWallClockIsBehind_servesNoLongerThanWasAskedFor() {
    time.jumpWallClock(Duration.ofHours(-1));
    source.next(expiringIn(Duration.ofHours(2)));
    issued(await("t", Duration.ofHours(5)));
    source.goDown();

    time.advance(Duration.ofMinutes(59).plusSeconds(31));
    assertThat(reason(await("t", Duration.ofHours(5)))).isEqualTo(Reason.STS_UNAVAILABLE);
  }

  @Test
  void drop_ofAnAllocation_leavesOthersAlone() {
    await("t");
    leases.drop(new AllocationId("00000000-0000-0000-0000-000000000000"));
    assertThat(leases.count()).isEqualTo(1);
    leases.drop(ALLOCATION);
    assertThat(leases.count()).isZero();
  }

  @Test
  void tend_expiredLeases_areForgotten() {
    await("t");
    time.advance(Duration.ofHours(1));
    leases.tend();

    assertThat(leases.count()).isZero();
    assertThat(leases.recall(request("t"))).isNull();
  }

  @Test
  void close_erasesEveryLeaseAtOnce() {
    Lease lease = issued(await("t"));
    leases.close();

    assertThat(lease.credentials().sessionToken().revealText()).isEqualTo("\0".repeat(9));
  }

  @Test
  void await_sourceThrows_isARefusalNotAHang() {
    CredentialSource throwing =
        (_, _, _) -> {
          throw new IllegalStateException("planted");
        };
    Leases broken = leasesOn(throwing, Runnable::run);

    assertThat(reason(broken.await(request("t"), farAway()))).isEqualTo(Reason.STS_UNAVAILABLE);
  }

  @Test
  void await_tokenRefusedWhileANewerOneCame_triesTheNewerAtOnce() throws Exception {
    Queue<Runnable> queue = new ArrayDeque<>();
    Leases deferred = leasesOn(queue::add);
    source.next(new Exchange.Failed(Reason.TOKEN_REFUSED_BY_STS.refusal("Job author: x.")));
    deferred.await(request("old", Duration.ofMinutes(5)), time.nanos());
    deferred.await(request("new", Duration.ofMinutes(50)), time.nanos());
    while (!queue.isEmpty()) {
      queue.remove().run();
    }

    assertThat(source.calls())
        .extracting(FakeCredentialSource.Call::token)
        .containsExactly(BearerToken.of("old"), BearerToken.of("new"));
    assertThat(deferred.recall(request("new", Duration.ofMinutes(50)))).isNotNull();
  }

  private Exchange expiringIn(Duration life) {
    return new Exchange.Obtained(
        new SessionCredentials(
            "ASIAX",
            Secret.of("secret"),
            Secret.of("session"),
            time.instant().plus(life),
            "123456789012",
            Optional.empty()));
  }

  private Leases leasesOn(Executor executor) {
    return leasesOn(source, executor);
  }

  private Leases leasesOn(CredentialSource from, Executor executor) {
    return new Leases(
        new Exchanges(
            new ExchangeLimits(16, 50),
            new SourceCalls(from, (_, _, _) -> exchanges.incrementAndGet(), executor, time),
            Exchanges.sleeping(executor, time),
            time,
            () -> 0.5),
        (_, _) -> entitled.get(),
        LeaseTerms.STANDARD,
        Optional.empty(),
        time,
        () -> 0.5);
  }

  private Outcome await(String token) {
    return leases.await(request(token), farAway());
  }

  private Outcome await(String token, Duration tokenLife) {
    return leases.await(request(token, tokenLife), farAway());
  }

  private LeaseRequest request(String token) {
    return request(token, Duration.ofHours(1));
  }

  private LeaseRequest request(String token, Duration tokenLife) {
    return new LeaseRequest(
        new Lease.Key(ALLOCATION, "server", GRANT),
        Applicant.of(new Workload("payments", "billing", "api", "server")),
        BearerToken.of(token),
        time.instant().plus(tokenLife));
  }

  private long farAway() {
    return time.nanos() + Duration.ofSeconds(30).toNanos();
  }

  private static Lease issued(Outcome outcome) {
    assertThat(outcome).isInstanceOf(Outcome.Issued.class);
    return ((Outcome.Issued) outcome).lease();
  }

  private static Reason reason(Outcome outcome) {
    assertThat(outcome).isInstanceOf(Outcome.Refused.class);
    return ((Outcome.Refused) outcome).refusal().reason();
  }
}
