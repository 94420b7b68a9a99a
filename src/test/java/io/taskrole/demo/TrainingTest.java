package io.taskrole.demo;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.time.TimeSource;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

@Timeout(90)
@Execution(ExecutionMode.CONCURRENT)
class TrainingTest {
  private static final String JAVA =
      Path.of(System.getProperty("java.home"), "bin", "java").toString();

  @Test
  void daemon_isStartedAskedAndEnded() throws Exception {
    List<String> daemon =
        List.of(JAVA, "-cp", System.getProperty("java.class.path"), "io.taskrole.Main");
    assertThat(Training.run(daemon, TimeSource.system())).isTrue();
  }

  @Test
  void programThatIsNoDaemon_isTold() throws Exception {
    assertThat(Training.run(List.of(JAVA, "--version"), TimeSource.system())).isFalse();
  }
}
