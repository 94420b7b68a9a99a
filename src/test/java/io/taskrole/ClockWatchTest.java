package io.taskrole;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.testing.ManualTime;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ClockWatchTest {
  private final ManualTime time = ManualTime.at("2026-11-23T08:31:00Z");
  private final ClockWatch clock = new ClockWatch(time);

  @ParameterizedTest
  @CsvSource({
    "PT1H, forward by 3600 s",
    "PT-1H, back by 3600 s",
    "PT87600H, forward by 315360000 s",
    "PT-87600H, back by 315360000 s",
    "PT6S, forward by 6 s"
  })
  void jump_isNoticedOnce_andToldForTenMinutes(Duration length, String told) {
    time.advance(Duration.ofSeconds(1));
    assertThat(clock.hasJumped()).isFalse();

    time.jumpWallClock(length);
    time.advance(Duration.ofSeconds(1));
    assertThat(clock.hasJumped()).isTrue();
    assertThat(clock.problem().orElseThrow()).contains(told);
    assertThat(clock.jumps()).isEqualTo(1);

    time.advance(Duration.ofMinutes(9));
    assertThat(clock.hasJumped()).isFalse();
    assertThat(clock.problem()).isPresent();
    time.advance(Duration.ofMinutes(1));
    assertThat(clock.problem()).isEmpty();
    assertThat(clock.jumps()).isEqualTo(1);
  }

  @Test
  void slewAndStall_areNoJumps() {
    for (int i = 0; i < 100_000; i++) {
      time.advance(Duration.ofSeconds(1));
      time.jumpWallClock(Duration.ofNanos(500_000));
      assertThat(clock.hasJumped()).isFalse();
    }
    // A stopped process: both clocks go on.
    time.advance(Duration.ofMinutes(30));
    assertThat(clock.hasJumped()).isFalse();
    assertThat(clock.jumps()).isZero();
  }
}
