package io.taskrole.nomad;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.identity.AllocationId;
import io.taskrole.nomad.Allocation.Status;
import io.taskrole.nomad.AllocationSource.Listing;
import io.taskrole.time.TimeSource;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;

class AllocationFeedTest {
  private static final TimeSource TIME = TimeSource.system();
  private static final String ONE = "00000000-0000-0000-0000-000000000001";
  private static final String TWO = "00000000-0000-0000-0000-000000000002";

  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final Script script = new Script();
  private final List<AllocationId> stopped = new CopyOnWriteArrayList<>();
  private final AllocationFeed feed =
      new AllocationFeed(
          _ -> script,
          new Hurried(),
          () -> 0,
          threads,
          new AllocationFeed.Listener() {
            @Override
            public void stopped(AllocationId allocation) {
              stopped.add(allocation);
            }

            @Override
            public void changed(AllocationView view) {}
          });
  private final NomadPlacements placements = new NomadPlacements(feed, Optional.empty(), TIME);

  /** Answers the feed's own queries in turn and look-ups by what is true now. */
  private static final class Script implements AllocationSource {
    final LinkedBlockingQueue<Object> told = new LinkedBlockingQueue<>();
    final AtomicInteger lookUps = new AtomicInteger();
    final AtomicInteger lists = new AtomicInteger();
    volatile Object truth = new IOException("nobody answers");
    volatile CountDownLatch lookUpsHeld = new CountDownLatch(0);

    @Override
    public Listing list(long index, Duration hold) throws IOException {
      Object answer;
      if (Thread.currentThread().getName().equals("allocations")) {
        lists.incrementAndGet();
        try {
          answer = told.take();
        } catch (InterruptedException e) {
          throw new IOException("interrupted", e);
        }
      } else {
        lookUps.incrementAndGet();
        try {
          lookUpsHeld.await();
        } catch (InterruptedException e) {
          throw new IOException("interrupted", e);
        }
        answer = truth;
      }
      if (answer instanceof IOException e) {
        throw e;
      }
      return (Listing) answer;
    }
  }

  /** The feed's own pauses are a hundredth of what they are. */
  private static final class Hurried implements TimeSource {
    @Override
    public Instant instant() {
      return TIME.instant();
    }

    @Override
    public long nanos() {
      return TIME.nanos();
    }

    @Override
    public void sleep(Duration time) throws InterruptedException {
      TIME.sleep(time.dividedBy(100));
    }
  }

  @AfterEach
  void stop() {
    feed.close();
    threads.shutdownNow();
  }

  private static Listing listing(long index, Allocation... allocations) {
    return new Listing(List.of(allocations), Set.of(), index, 0);
  }

  private static Allocation alive(String id) {
    return ViewOf.allocation(id, 1, Status.RUNNING, false);
  }

  private static Allocation in(String id, Status status) {
    return ViewOf.allocation(id, 1, status, false);
  }

  private void tell(Object answer) throws InterruptedException {
    int before = script.lists.get();
    script.told.add(answer);
    if (before == 0) {
      feed.start();
    }
    // The answer is in force when the next one is asked for.
    int wanted = Math.max(2, before + 1);
    while (script.lists.get() < wanted) {
      TIME.sleep(Duration.ofMillis(1));
    }
  }

  private String ask(String id) {
    return ViewOf.word(
        placements.find(ViewOf.billing(id), TIME.nanos() + Duration.ofSeconds(5).toNanos()));
  }

  private String recall(String id) {
    return ViewOf.word(placements.recall(ViewOf.billing(id)));
  }

  @Test
  void everyStatusThatIsNotTerminal_isServed() throws Exception {
    tell(
        listing(
            5,
            in("00000000-0000-0000-0000-00000000000a", Status.PENDING),
            in("00000000-0000-0000-0000-00000000000b", Status.RUNNING),
            in("00000000-0000-0000-0000-00000000000c", Status.UNKNOWN),
            in("00000000-0000-0000-0000-00000000000d", Status.COMPLETE),
            in("00000000-0000-0000-0000-00000000000e", Status.FAILED),
            in("00000000-0000-0000-0000-00000000000f", Status.LOST)));
    List<String> words = new ArrayList<>();
    for (String last : List.of("a", "b", "c", "d", "e", "f")) {
      words.add(recall("00000000-0000-0000-0000-00000000000" + last));
    }
    assertThat(words)
        .containsExactly(
            "placed",
            "placed",
            "placed",
            "AllocationStopped",
            "AllocationStopped",
            "AllocationStopped");
  }

  @Test
  void stop_isToldOnce_andRefuses() throws Exception {
    tell(listing(5, alive(ONE), alive(TWO)));
    tell(listing(6, in(ONE, Status.COMPLETE), alive(TWO)));
    tell(listing(7, in(ONE, Status.COMPLETE), alive(TWO)));
    assertThat(stopped).containsExactly(new AllocationId(ONE));
    assertThat(recall(ONE)).isEqualTo("AllocationStopped");
    assertThat(placements.mayHold(new AllocationId(ONE), "server")).isFalse();
    assertThat(recall(TWO)).isEqualTo("placed");
  }

  @Test
  void goneAllocation_isTold_andRefusedOnlyAfterAskingAgain() throws Exception {
    tell(listing(5, alive(ONE)));
    tell(listing(6));
    assertThat(stopped).containsExactly(new AllocationId(ONE));
    assertThat(recall(ONE)).isEqualTo("ask");
    script.truth = listing(6);
    assertThat(ask(ONE)).isEqualTo("AllocationNotHere");
    assertThat(recall(ONE)).as("remembered for two seconds").isEqualTo("AllocationNotHere");
    assertThat(ask(ONE)).isEqualTo("AllocationNotHere");
    assertThat(script.lookUps).hasValue(1);
  }

  @Test
  void youngAllocation_isFoundByALookUp_beforeTheFeedTellsOfIt() throws Exception {
    tell(listing(5, alive(ONE)));
    script.truth = listing(6, alive(ONE), in(TWO, Status.PENDING));
    assertThat(ask(TWO)).isEqualTo("placed");
    assertThat(recall(TWO)).isEqualTo("placed");
    assertThat(script.lookUps).hasValue(1);
  }

  @Test
  void deadTask_isAskedAgainBeforeItIsRefused() throws Exception {
    tell(listing(5, ViewOf.allocation(ONE, 1, Status.RUNNING, true)));
    script.truth = listing(6, alive(ONE));
    assertThat(ask(ONE)).isEqualTo("placed");
    tell(listing(7, ViewOf.allocation(ONE, 2, Status.RUNNING, true)));
    script.truth = listing(7, ViewOf.allocation(ONE, 2, Status.RUNNING, true));
    assertThat(ask(ONE)).isEqualTo("TaskStopped");
    assertThat(placements.mayHold(new AllocationId(ONE), "server")).isFalse();
  }

  @Test
  void manyAskers_shareTheLookUps() throws Exception {
    tell(listing(5));
    script.truth = listing(5);
    script.lookUpsHeld = new CountDownLatch(1);
    List<String> answers = new CopyOnWriteArrayList<>();
    List<Thread> askers = new ArrayList<>();
    for (int i = 0; i < 500; i++) {
      String id = String.format("00000000-0000-0000-0000-%012d", 1000 + i);
      askers.add(Thread.startVirtualThread(() -> answers.add(ask(id))));
    }
    for (Thread asker : askers) {
      while (asker.getState() != Thread.State.TIMED_WAITING) {
        TIME.sleep(Duration.ofMillis(1));
      }
    }
    script.lookUpsHeld.countDown();
    for (Thread asker : askers) {
      asker.join();
    }
    assertThat(answers).hasSize(500).containsOnly("AllocationNotHere");
    assertThat(script.lookUps).as("the first asker's, and one for all who came since").hasValue(2);
  }

  @Test
  void outage_keepsTheView_andRefusesOnlyWhatWasNeverKnown() throws Exception {
    tell(listing(5, alive(ONE)));
    tell(new IOException("connection refused"));
    assertThat(recall(ONE)).isEqualTo("placed");
    assertThat(ask(TWO)).isEqualTo("NomadUnavailable");
    assertThat(feed.state().problem()).isPresent();
    tell(listing(6, alive(ONE)));
    assertThat(feed.state().problem()).isEmpty();
  }

  @Test
  void beforeTheFirstView_nothingIsRefusedForGood() {
    feed.start();
    assertThat(recall(ONE)).isEqualTo("ask");
    assertThat(ask(ONE)).isEqualTo("NomadUnavailable");
    assertThat(placements.mayHold(new AllocationId(ONE), "server")).isTrue();
  }

  @Test
  void indexThatFalls_beginsAnew_andRevivesNothingThatHasEnded() throws Exception {
    tell(listing(50, in(ONE, Status.COMPLETE), alive(TWO)));
    tell(listing(9, alive(ONE)));
    assertThat(recall(TWO)).as("the fallen answer itself is not taken").isEqualTo("placed");
    tell(listing(9, alive(ONE), alive(TWO)));
    assertThat(recall(ONE)).isEqualTo("AllocationStopped");
    assertThat(recall(TWO)).isEqualTo("placed");
    tell(listing(10, alive(ONE), in(TWO, Status.FAILED)));
    assertThat(recall(TWO)).isEqualTo("AllocationStopped");
  }

  @Test
  void lookUpOlderThanTheView_changesNothing() throws Exception {
    tell(listing(50, in(ONE, Status.LOST)));
    script.truth = listing(40, alive(ONE), alive(TWO));
    assertThat(ask(TWO)).isEqualTo("NomadUnavailable");
    assertThat(recall(ONE)).isEqualTo("AllocationStopped");
  }

  @Test
  void lostAllocation_mayComeBack() throws Exception {
    tell(listing(5, in(ONE, Status.LOST)));
    tell(listing(6, alive(ONE)));
    assertThat(recall(ONE)).isEqualTo("placed");
  }

  @Test
  void viewTooOld_isNotTrustedWhereTheOperatorSaysSo() throws Exception {
    NomadPlacements strict = new NomadPlacements(feed, Optional.of(Duration.ofMillis(200)), TIME);
    tell(listing(5, alive(ONE)));
    assertThat(ViewOf.word(strict.recall(ViewOf.billing(ONE)))).isEqualTo("placed");
    TIME.sleep(Duration.ofMillis(250));
    assertThat(ViewOf.word(strict.recall(ViewOf.billing(ONE)))).isEqualTo("ask");
    assertThat(
            ViewOf.word(
                strict.find(ViewOf.billing(ONE), TIME.nanos() + Duration.ofSeconds(2).toNanos())))
        .isEqualTo("NomadUnavailable");
    script.truth = listing(6, alive(ONE));
    assertThat(
            ViewOf.word(
                strict.find(ViewOf.billing(ONE), TIME.nanos() + Duration.ofSeconds(2).toNanos())))
        .isEqualTo("placed");
  }

  /**
   * A model: allocations come to be, run, crash into their restart delay, end and are collected, in
   * any order; the feed hears of it with outages, falling indexes and stale look-ups in between.
   * What is known to have ended is never placed again; what runs is never refused for good.
   */
  @RepeatedTest(40)
  void model_neverServesTheStopped_neverRefusesTheRunning(RepetitionInfo repetition)
      throws Exception {
    long seed = 20_261_123L + repetition.getCurrentRepetition();
    Random random = new Random(seed);
    Map<String, Status> world = new LinkedHashMap<>();
    Set<String> heardToHaveEnded = new HashSet<>();
    long index = 10;
    for (int step = 0; step < 60; step++) {
      String id = String.format("00000000-0000-0000-0000-%012d", random.nextInt(6));
      Status now = world.get(id);
      if (now == null) {
        if (!heardToHaveEnded.contains(id)) {
          world.put(id, Status.PENDING);
        }
      } else if (now.isTerminal()) {
        world.remove(id);
      } else {
        Status[] next = {
          Status.RUNNING, Status.PENDING, Status.UNKNOWN, Status.COMPLETE, Status.FAILED
        };
        world.put(id, next[random.nextInt(next.length)]);
      }
      index++;
      Listing truth =
          new Listing(
              world.entrySet().stream().map(e -> in(e.getKey(), e.getValue())).toList(),
              Set.of(),
              index,
              0);
      script.truth = truth;
      switch (random.nextInt(6)) {
        case 0 -> tell(new IOException("cut"));
        case 1 -> script.truth = new IOException("no leader");
        case 2 -> {
          // The cluster is restored: its index falls, and the list is told again from the start.
          index = 5L + random.nextInt(3);
          Listing fallen = new Listing(truth.changed(), Set.of(), index, 0);
          tell(fallen);
          tell(fallen);
          script.truth = fallen;
          world.forEach((each, status) -> {
            if (status.isTerminal()) {
              heardToHaveEnded.add(each);
            }
          });
        }
        default -> {
          tell(truth);
          world.forEach((each, status) -> {
            if (status.isTerminal()) {
              heardToHaveEnded.add(each);
            }
          });
        }
      }
      for (int i = 0; i < 6; i++) {
        String each = String.format("00000000-0000-0000-0000-%012d", i);
        String word = recall(each);
        Status status = world.get(each);
        if (heardToHaveEnded.contains(each)) {
          assertThat(word).as("seed %d step %d: %s", seed, step, each).isNotEqualTo("placed");
        }
        if (status != null && !status.isTerminal()) {
          assertThat(word).as("seed %d step %d: %s", seed, step, each).isIn("placed", "ask");
        }
      }
    }
  }
}
