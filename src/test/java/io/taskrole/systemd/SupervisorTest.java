package io.taskrole.systemd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import io.taskrole.testing.NativeSocket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class SupervisorTest {
  private static final long US = 4711;

  @TempDir private Path directory;

  static Stream<Arguments> environments() {
    return Stream.of(
        Arguments.of(Map.of(), List.of(), Optional.empty()),
        Arguments.of(
            Map.of("LISTEN_PID", "4711", "LISTEN_FDS", "2"), List.of(3, 4), Optional.empty()),
        // Meant for the parent, and inherited by chance.
        Arguments.of(Map.of("LISTEN_PID", "1", "LISTEN_FDS", "2"), List.of(), Optional.empty()),
        Arguments.of(Map.of("LISTEN_FDS", "2"), List.of(), Optional.empty()),
        Arguments.of(
            Map.of("LISTEN_PID", "4711", "LISTEN_FDS", "two"), List.of(), Optional.empty()),
        Arguments.of(Map.of("LISTEN_PID", "4711", "LISTEN_FDS", "-1"), List.of(), Optional.empty()),
        Arguments.of(
            Map.of("WATCHDOG_USEC", "15000000"), List.of(), Optional.of(Duration.ofSeconds(15))),
        Arguments.of(
            Map.of("WATCHDOG_USEC", "15000000", "WATCHDOG_PID", "4711"),
            List.of(),
            Optional.of(Duration.ofSeconds(15))),
        Arguments.of(
            Map.of("WATCHDOG_USEC", "15000000", "WATCHDOG_PID", "1"), List.of(), Optional.empty()),
        Arguments.of(Map.of("WATCHDOG_USEC", "0"), List.of(), Optional.empty()));
  }

  @ParameterizedTest
  @MethodSource("environments")
  void environment_isTakenAsFarAsItIsMeantForUs(
      Map<String, String> environment, List<Integer> sockets, Optional<Duration> watchdog) {
    Supervisor supervisor = supervisor(environment);

    assertThat(supervisor.sockets()).isEqualTo(sockets);
    assertThat(supervisor.watchdog()).isEqualTo(watchdog);
  }

  @Test
  void socketAtAPath_hearsWhatIsTold() {
    Path path = directory.resolve("notify");
    try (NativeSocket socket = NativeSocket.receiving(path)) {
      Supervisor supervisor = supervisor(Map.of("NOTIFY_SOCKET", path.toString()));

      supervisor.ready("ready\nMAINPID=1");
      assertThat(socket.receive()).isEqualTo("READY=1\nSTATUS=ready MAINPID=1");
      supervisor.alive();
      assertThat(socket.receive()).isEqualTo("WATCHDOG=1");
      supervisor.stopping();
      assertThat(socket.receive()).isEqualTo("STOPPING=1\nSTATUS=stopping");
    }
  }

  @Test
  void socketThatIsNotThere_isNoError() {
    Supervisor supervisor =
        supervisor(Map.of("NOTIFY_SOCKET", directory.resolve("nobody").toString()));

    assertThatCode(supervisor::alive).doesNotThrowAnyException();
    assertThatCode(() -> supervisor(Map.of("NOTIFY_SOCKET", "/" + "x".repeat(200))).alive())
        .doesNotThrowAnyException();
    assertThatCode(() -> Supervisor.none().ready("ready")).doesNotThrowAnyException();
  }

  private static Supervisor supervisor(Map<String, String> environment) {
    return Supervisor.of(name -> Optional.ofNullable(environment.get(name)), US);
  }
}
