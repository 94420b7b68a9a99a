package io.taskrole;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.testing.ManualTime;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class HeapCollectionTest {
  private static final long MEGABYTE = 1 << 20;

  private final ManualTime time = ManualTime.at("2026-11-23T08:31:00Z");
  private long requests;
  private long used = 8 * MEGABYTE;
  private int collections;
  private final HeapCollection collection =
      new HeapCollection(
          () -> requests,
          () -> used,
          () -> {
            collections++;
            used = 5 * MEGABYTE;
          },
          time);

  /** As the daemon looks: five times a second. */
  private void lookFor(Duration span, int requestsBetweenLooks) {
    for (long i = 0; i < span.toMillis() / 200; i++) {
      time.advance(Duration.ofMillis(200));
      requests += requestsBetweenLooks;
      collection.look();
    }
  }

  @Test
  void quietDaemon_collectsWhatItsStartLeft_once() {
    lookFor(Duration.ofMillis(2800), 0);
    assertThat(collections).isZero();
    lookFor(Duration.ofMinutes(1), 0);
    assertThat(collections).isEqualTo(1);
  }

  @Test
  void busyDaemon_isLeftAlone_untilItIsQuiet() {
    used = 50 * MEGABYTE;
    lookFor(Duration.ofSeconds(14), 1);
    assertThat(collections).isZero();
    lookFor(Duration.ofMillis(400), 0);
    assertThat(collections).isEqualTo(1);
  }

  @Test
  void daemonThatIsNeverQuiet_collectsEveryFifteenSeconds_whenMuchHasGathered() {
    lookFor(Duration.ofSeconds(4), 0);
    used += 8 * MEGABYTE - 1;
    lookFor(Duration.ofMinutes(10), 1);
    assertThat(collections).isEqualTo(1);
    used += 1;
    lookFor(Duration.ofMillis(200), 1);
    assertThat(collections).isEqualTo(2);
    used += 50 * MEGABYTE;
    lookFor(Duration.ofSeconds(14), 1);
    assertThat(collections).isEqualTo(2);
    lookFor(Duration.ofSeconds(2), 1);
    assertThat(collections).isEqualTo(3);
  }

  @Test
  void collectionThatTheJvmMadeItself_isCountedFrom() {
    lookFor(Duration.ofSeconds(4), 0);
    used = 2 * MEGABYTE;
    lookFor(Duration.ofMinutes(2), 1);
    used = 10 * MEGABYTE - 1;
    lookFor(Duration.ofMinutes(2), 1);
    assertThat(collections).isEqualTo(1);
    used += 1;
    lookFor(Duration.ofMillis(200), 1);
    assertThat(collections).isEqualTo(2);
  }

  @Test
  void collections_areApart_andWorthIt() {
    lookFor(Duration.ofSeconds(4), 0);
    used += MEGABYTE - 1;
    lookFor(Duration.ofMinutes(1), 0);
    assertThat(collections).isEqualTo(1);
    used += 1;
    lookFor(Duration.ofMillis(400), 0);
    assertThat(collections).isEqualTo(2);
    used += 9 * MEGABYTE;
    lookFor(Duration.ofMillis(2600), 0);
    assertThat(collections).isEqualTo(2);
    lookFor(Duration.ofMillis(600), 0);
    assertThat(collections).isEqualTo(3);
  }
}
