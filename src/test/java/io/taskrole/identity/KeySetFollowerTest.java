package io.taskrole.identity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskrole.demo.Issuer;
import io.taskrole.testing.ManualTime;
import io.taskrole.testing.ScriptedHttp;
import io.taskrole.testing.ScriptedKeySetSource;
import io.taskrole.time.TimeSource;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class KeySetFollowerTest {
  private static final Executor VIRTUAL = task -> Thread.ofVirtual().start(task);
  private static Issuer issuer;
  private static String first;
  private static String second;

  private final ManualTime time = ManualTime.at("2026-11-23T10:00:00Z");
  private final ScriptedKeySetSource source = new ScriptedKeySetSource();

  @BeforeAll
  static void makeKeys() {
    issuer = Issuer.start(TimeSource.system());
    first = issuer.keySetJson();
    issuer.rotate();
    second = issuer.keySetJson();
  }

  @AfterAll
  static void stop() {
    issuer.close();
  }

  private KeySetFollower follower() {
    return new KeySetFollower(source, time, () -> 0.5, VIRTUAL, _ -> {});
  }

  private static void until(BooleanSupplier condition) throws InterruptedException {
    for (int i = 0; i < 500 && !condition.getAsBoolean(); i++) {
      TimeSource.system().sleep(Duration.ofMillis(10));
    }
    assertThat(condition.getAsBoolean()).isTrue();
  }

  private static int keys(KeySetFollower follower) {
    return Optional.ofNullable(follower.current()).map(set -> set.ids().size()).orElse(0);
  }

  @Test
  void nomadServer_isFollowedByLongPoll() throws InterruptedException {
    try (KeySetFollower follower = follower()) {
      source.serve(first, 7);
      follower.start();
      until(() -> keys(follower) == 1 && source.fetches().size() == 2);
      assertThat(source.fetches().get(0).index()).isZero();
      assertThat(source.fetches().get(1))
          .isEqualTo(new ScriptedKeySetSource.Fetch(7, Duration.ofMinutes(5)));
      source.serve(second, 9);
      until(() -> keys(follower) == 2 && source.fetches().size() == 3);
      assertThat(source.fetches().get(2).index()).isEqualTo(9);
    }
  }

  @Test
  void fallenIndex_beginsAnew() throws InterruptedException {
    try (KeySetFollower follower = follower()) {
      source.serve(first, 7).serve(second, 3);
      follower.start();
      until(() -> source.fetches().size() == 3);
      assertThat(source.fetches().get(2).index()).isZero();
      assertThat(keys(follower)).isEqualTo(2);
    }
  }

  @Test
  void otherServer_isAskedBySchedule_atLeastHourlyWhateverMaxAgeSays() throws InterruptedException {
    try (KeySetFollower follower = follower()) {
      source.serve(first, 0);
      follower.start();
      until(() -> source.fetches().size() == 2);
      // Manual time: the sleep between the two fetches is how far the clock has moved.
      assertThat(Duration.between(java.time.Instant.parse("2026-11-23T10:00:00Z"), time.instant()))
          .isEqualTo(Duration.ofHours(1));
      assertThat(source.fetches().get(1).index()).isZero();
    }
  }

  @Test
  void outageAndGarbage_leaveTheLastGoodSet() throws InterruptedException {
    try (KeySetFollower follower = follower()) {
      source.serve(second, 7).fail().serve("<html>", 8).serve("{\"keys\":[]}", 9).fail();
      follower.start();
      until(() -> source.fetches().size() == 6);
      assertThat(keys(follower)).isEqualTo(2);
      assertThat(follower.state().failures()).isEqualTo(4);
      assertThat(follower.state().problem()).isPresent();
      source.serve(first, 10);
      until(() -> keys(follower) == 1);
      assertThat(follower.state().problem()).isEmpty();
    }
  }

  @Test
  void unknownKey_isOneFetchForAnyNumberOfAskers_andOneInTenSeconds() throws Exception {
    KeySetFollower follower = follower();
    int askers = 50;
    CountDownLatch asked = new CountDownLatch(askers);
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < askers; i++) {
      threads.add(
          Thread.ofVirtual()
              .start(() -> {
                asked.countDown();
                follower.reloaded();
              }));
    }
    assertThat(asked.await(5, TimeUnit.SECONDS)).isTrue();
    source.serve(first, 7);
    for (Thread thread : threads) {
      thread.join();
    }
    assertThat(keys(follower)).isEqualTo(1);
    assertThat(source.fetches()).hasSize(1);
    follower.reloaded();
    assertThat(source.fetches()).hasSize(1);
    time.advance(Duration.ofSeconds(10));
    source.serve(second, 8);
    follower.reloaded();
    assertThat(source.fetches()).hasSize(2);
    assertThat(keys(follower)).isEqualTo(2);
  }

  @Test
  void unknownKey_whileNoFetchIsAllowed_waitsForWhatTheLongPollBrings() throws Exception {
    ScriptedKeySetSource reloads = new ScriptedKeySetSource().serve(first, 7);
    KeySetSource both = (index, wait) -> (wait.isZero() ? reloads : source).fetch(index, wait);
    try (KeySetFollower follower = new KeySetFollower(both, time, () -> 0.5, VIRTUAL, _ -> {})) {
      source.serve(first, 7);
      follower.start();
      until(() -> keys(follower) == 1 && source.fetches().size() == 2);
      // A forged token's, which has the only fetch in ten seconds.
      follower.reloaded();
      Thread poll =
          Thread.ofVirtual()
              .start(() -> {
                try {
                  TimeSource.system().sleep(Duration.ofMillis(50));
                  source.serve(second, 9);
                } catch (InterruptedException e) {
                  Thread.currentThread().interrupt();
                }
              });
      assertThat(follower.reloaded()).isNotNull();
      assertThat(keys(follower)).isEqualTo(2);
      assertThat(reloads.fetches()).hasSize(1);
      poll.join();
    }
  }

  @Test
  void realServer_rotationIsKnownAtOnce_andOutagesAreSurvived() throws Exception {
    TimeSource system = TimeSource.system();
    try (Issuer nomad = Issuer.start(system);
        KeySetFollower follower =
            new KeySetFollower(
                new HttpKeySetSource(nomad.keySetUri(), Optional.empty()),
                system,
                () -> 0.5,
                VIRTUAL,
                _ -> {})) {
      follower.start();
      follower.firstLoaded().get(5, TimeUnit.SECONDS);
      nomad.rotate();
      until(() -> keys(follower) == 2);
      nomad.setDown(true);
      until(() -> follower.state().failures() > 0);
      assertThat(keys(follower)).isEqualTo(2);
      nomad.setDown(false);
      nomad.dropOldKeys();
      until(() -> keys(follower) == 1);
    }
  }

  @Test
  void httpSource_takesNothingButAWholeSmall200() throws IOException {
    try (ScriptedHttp server = ScriptedHttp.start()) {
      HttpKeySetSource http = new HttpKeySetSource(server.uri("/keys"), Optional.empty());
      for (String answer :
          List.of(
              "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
              "HTTP/1.1 304 Not Modified\r\n\r\n",
              "HTTP/1.1 500 x\r\nContent-Length: 2\r\n\r\nno",
              "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"keys\":[]}",
              "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + " ".repeat(300_000),
              "garbage\r\n\r\n",
              "")) {
        server.next(answer);
        assertThatThrownBy(() -> http.fetch(0, Duration.ZERO))
            .as(answer.lines().findFirst().orElse("nothing"))
            .isInstanceOf(IOException.class);
      }
      server.next("HTTP/1.1 200 OK\r\nX-Nomad-Index: 12\r\nContent-Length: 2\r\n\r\n{}");
      assertThat(http.fetch(0, Duration.ZERO).index()).hasValue(12);
    }
  }
}
