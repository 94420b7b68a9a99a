package io.taskrole.faults;

import static io.taskrole.testing.StsAnswers.error;
import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.faults.Relay.Fault;
import io.taskrole.testing.ScriptedHttp;
import io.taskrole.testing.TestDaemon;
import io.taskrole.time.TimeSource;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Faults of STS at home, while a second Region is well: cold tasks get credentials from there. */
class SecondRegionFaultsTest {
  private static final Duration LASTS = Duration.ofMillis(2_500);

  @TempDir private Path directory;
  private Relay relay;
  private TestDaemon taskrole;

  @BeforeEach
  void start() {
    taskrole =
        TestDaemon.startWithFallback(
            directory,
            sts -> {
              relay = Relay.before(sts);
              return relay.endpoint();
            });
  }

  @AfterEach
  void stop() {
    taskrole.close();
    relay.close();
  }

  /**
   * One row of the table.
   *
   * @param told what cold callers may be answered
   */
  record Row(String name, Fault fault, Set<String> told) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static Fault says(int status, String code) {
    return (daemon, upstream) -> {
      ScriptedHttp.write(daemon, error(status, code, "no"));
      return false;
    };
  }

  static Stream<Row> rows() {
    return Stream.of(
        new Row(
            "reset",
            (daemon, upstream) -> {
              daemon.setSoLinger(true, 0);
              return false;
            },
            Set.of("200")),
        new Row("ServiceUnavailable", says(503, "ServiceUnavailable"), Set.of("200")),
        new Row("Throttling", says(400, "Throttling"), Set.of("200")),
        new Row(
            "silence",
            (daemon, upstream) -> {
              TimeSource.system().sleep(Duration.ofMinutes(1));
              return false;
            },
            Set.of("200", "ExchangePending")),
        new Row("AccessDenied", says(403, "AccessDenied"), Set.of("RoleRefused")));
  }

  @ParameterizedTest
  @MethodSource("rows")
  void faultAtHome(Row row) throws Exception {
    try (Watch watch = new Watch(taskrole, relay::keptBack)) {
      relay.begin(row.fault());
      watch.begin();
      watch.during(LASTS);
      watch.end();
      relay.end();
      assertThat(watch.cold()).isEqualTo(row.told());
      watch.assertInvariants();
    }
    assertThat(obtainedInTheSecond()).isEqualTo(row.told().contains("200"));
  }

  @Test
  void homeWell_theSecondIsNotAsked() throws Exception {
    assertThat(taskrole.get(taskrole.billing().sign()).status()).isEqualTo(200);

    assertThat(obtainedInTheSecond()).isFalse();
  }

  private boolean obtainedInTheSecond() {
    String series = "taskrole_fallback_exchanges_total{result=\"obtained\"} ";
    String metrics = taskrole.admin("/metrics").body();
    assertThat(metrics).contains(series);
    return !metrics.contains(series + "0.0\n");
  }
}
