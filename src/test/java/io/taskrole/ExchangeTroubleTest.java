package io.taskrole;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.refusal.Reason;
import io.taskrole.refusal.Refusal;
import io.taskrole.testing.ManualTime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ExchangeTroubleTest {
  private static final Refusal OVERLOADED = Reason.STS_UNAVAILABLE.refusal("overloaded");
  private static final Refusal UNREACHABLE = Reason.STS_UNAVAILABLE.refusal("unreachable");

  private final ManualTime time = ManualTime.at("2026-11-23T10:00:00Z");
  private final ExchangeTrouble trouble = new ExchangeTrouble(time);
  private final Logger logger = Logger.getLogger(ExchangeTrouble.class.getName());
  private final List<String> logged = new ArrayList<>();
  private final Handler handler =
      new Handler() {
        @Override
        public void publish(LogRecord line) {
          logged.add(line.getLevel() + " " + line.getMessage());
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
      };

  @BeforeEach
  void listen() {
    logger.addHandler(handler);
  }

  @AfterEach
  void stop() {
    logger.removeHandler(handler);
  }

  @Test
  void trouble_isToldOnce_andItsEnd() {
    for (int i = 0; i < 100; i++) {
      trouble.failed(OVERLOADED);
      time.advance(Duration.ofSeconds(1));
    }
    assertThat(trouble.now()).isEqualTo(OVERLOADED);
    trouble.answered();
    trouble.answered();

    assertThat(trouble.now()).isNull();
    assertThat(logged)
        .containsExactly("WARNING exchanges fail: overloaded", "INFO STS answers again");
  }

  @Test
  void anotherTrouble_isToldToo() {
    trouble.failed(OVERLOADED);
    time.advance(Duration.ofSeconds(11));
    trouble.failed(UNREACHABLE);

    assertThat(logged)
        .containsExactly(
            "WARNING exchanges fail: overloaded", "WARNING exchanges fail: unreachable");
  }

  /** As when STS throttles every other call: a minute of it is a dozen lines, not thousands. */
  @Test
  void flicker_doesNotFloodTheLog() {
    for (int i = 0; i < 600; i++) {
      trouble.failed(i % 2 == 0 ? OVERLOADED : UNREACHABLE);
      trouble.answered();
      time.advance(Duration.ofMillis(100));
    }

    assertThat(logged).hasSize(12).contains("INFO STS answers again");
  }
}
