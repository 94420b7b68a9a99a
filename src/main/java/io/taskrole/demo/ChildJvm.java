package io.taskrole.demo;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A class of this program, run by a Java of its own with the environment it is given and nothing
 * more of AWS. Safe for concurrent use.
 */
final class ChildJvm {
  private static final long LONGEST_SECONDS = 60;

  private final @Nullable Process process;
  private final List<String> lines = new ArrayList<>();
  private boolean ended;

  private ChildJvm(@Nullable Process process) {
    this.process = process;
  }

  /** A child that never was. */
  static ChildJvm none() {
    return new ChildJvm(null);
  }

  /** Starts a class; standard output and error are read together. */
  static ChildJvm start(Map<String, String> environment, String mainClass, String... arguments)
      throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "-Xmx64m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Xshare:auto",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-cp",
            System.getProperty("java.class.path"),
            mainClass));
    command.addAll(List.of(arguments));
    return start(environment, command);
  }

  /** Starts a command; standard output and error are read together. */
  static ChildJvm start(Map<String, String> environment, List<String> command) throws IOException {
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().keySet().removeIf(name -> name.startsWith("AWS_"));
    builder.environment().putAll(environment);
    Process process = builder.start();
    ChildJvm child = new ChildJvm(process);
    Thread.ofVirtual().start(() -> child.read(process));
    return child;
  }

  /** Waits for a line that begins so. */
  synchronized Optional<String> awaitLine(String beginning, Duration most)
      throws InterruptedException {
    long left = most.toMillis() / 100;
    while (find(beginning).isEmpty() && !ended && left-- > 0) {
      wait(100);
    }
    return find(beginning);
  }

  /** What follows the beginning in the first line that has it; empty text when none has. */
  synchronized String line(String beginning) {
    return find(beginning).map(line -> line.substring(beginning.length())).orElse("");
  }

  /** All that was printed so far. */
  synchronized String output() {
    return String.join("\n", lines);
  }

  /** Waits for the end; -1 when it does not come in a minute. */
  int exitCode() throws InterruptedException {
    if (process == null || !process.waitFor(LONGEST_SECONDS, TimeUnit.SECONDS)) {
      return -1;
    }
    synchronized (this) {
      while (!ended) {
        wait(100);
      }
    }
    return process.exitValue();
  }

  /** Asks it to stop; what it still prints is read, unlike with {@link Process#destroy}. */
  void terminate() {
    if (process != null) {
      process.toHandle().destroy();
    }
  }

  private synchronized Optional<String> find(String beginning) {
    return lines.stream().filter(line -> line.startsWith(beginning)).findFirst();
  }

  private void read(Process from) {
    try (BufferedReader reader = from.inputReader(StandardCharsets.UTF_8)) {
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        synchronized (this) {
          lines.add(line);
          notifyAll();
        }
      }
    } catch (IOException e) {
      // the child was ended while it was being read: there is no more to come
    } finally {
      synchronized (this) {
        ended = true;
        notifyAll();
      }
    }
  }
}
