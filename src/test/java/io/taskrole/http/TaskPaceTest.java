package io.taskrole.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.identity.AllocationId;
import io.taskrole.testing.ManualTime;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class TaskPaceTest {
  private static final AllocationId FLOODING =
      new AllocationId("00000000-0000-0000-0000-000000000001");
  private static final AllocationId QUIET =
      new AllocationId("00000000-0000-0000-0000-000000000002");

  private final ManualTime time = ManualTime.at("2026-11-23T10:00:00Z");
  private final TaskPace pace = new TaskPace(time);

  @Test
  void burstWithinBounds_isNotDelayed() {
    for (int i = 0; i < 1000; i++) {
      assertThat(pace.delay(FLOODING)).isZero();
    }
  }

  @Test
  void flood_isDelayed_neverBeyondTheCallersPatience_andNobodyElseIs() {
    for (int i = 0; i < 1000; i++) {
      pace.delay(FLOODING);
    }
    Duration before = Duration.ZERO;
    for (int i = 0; i < 5000; i++) {
      Duration delay = pace.delay(FLOODING);
      assertThat(delay).isPositive().isGreaterThanOrEqualTo(before);
      assertThat(delay).isLessThanOrEqualTo(Duration.ofMillis(250));
      before = delay;
    }
    assertThat(pace.delay(QUIET)).isZero();
  }

  @Test
  void floodThatEnds_isForgiven() {
    for (int i = 0; i < 3000; i++) {
      pace.delay(FLOODING);
    }
    time.advance(Duration.ofSeconds(2));
    assertThat(pace.delay(FLOODING)).isZero();
  }
}
