package io.taskrole.testing;

import io.taskrole.time.TimeSource;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.spi.ToolProvider;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** {@code taskrole agent} as a process of its own. */
public final class AgentProcess implements AutoCloseable {
  private final Process process;
  private final List<String> lines = new CopyOnWriteArrayList<>();
  private final Thread reader;

  private AgentProcess(Process process) {
    this.process = process;
    this.reader = Thread.ofVirtual().start(this::read);
  }

  public static AgentProcess start(Path config) throws IOException {
    return start(config, List.of());
  }

  /** With further options for its JVM. */
  public static AgentProcess start(Path config, List<String> options) throws IOException {
    return startUnder(List.of(), config, options);
  }

  /** As what a command executes in the end, with further options for its JVM. */
  public static AgentProcess startUnder(List<String> command, Path config, List<String> options)
      throws IOException {
    return start(command, config, System.getProperty("java.class.path"), options);
  }

  /**
   * With all classes in jars, as installed: then loading one needs no file descriptor.
   *
   * @param directory where a jar may be made
   */
  public static AgentProcess startFromJars(Path config, Path directory) throws IOException {
    Path jar = directory.resolve("taskrole.jar");
    String[] path = System.getProperty("java.class.path").split(File.pathSeparator, -1);
    String classes =
        Stream.of(path)
            .filter(entry -> Files.exists(Path.of(entry, "io", "taskrole", "Main.class")))
            .findFirst()
            .orElseThrow();
    int made =
        ToolProvider.findFirst("jar")
            .orElseThrow()
            .run(System.out, System.err, "--create", "--file", jar.toString(), "-C", classes, ".");
    if (made != 0) {
      throw new IOException("the jar could not be made");
    }
    return start(
        List.of(),
        config,
        Stream.concat(
                Stream.of(jar.toString()), Stream.of(path).filter(entry -> entry.endsWith(".jar")))
            .collect(Collectors.joining(File.pathSeparator)),
        List.of());
  }

  private static AgentProcess start(
      List<String> before, Path config, String classPath, List<String> options) throws IOException {
    List<String> command = new ArrayList<>(before);
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-XX:TieredStopAtLevel=1");
    command.addAll(options);
    command.addAll(
        List.of("-cp", classPath, "io.taskrole.Main", "agent", "--config", config.toString()));
    return new AgentProcess(new ProcessBuilder(command).redirectErrorStream(true).start());
  }

  /** The first line that begins so; fails after twenty seconds. */
  public String awaitLine(String beginning) throws InterruptedException {
    return await(line -> line.startsWith(beginning));
  }

  /** The first line that holds the text; fails after twenty seconds. */
  public String awaitText(String text) throws InterruptedException {
    return await(line -> line.contains(text));
  }

  public boolean isAlive() {
    return process.isAlive();
  }

  public long id() {
    return process.pid();
  }

  public String output() {
    return String.join("\n", lines);
  }

  public void signal(String name) throws IOException, InterruptedException {
    new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).start().waitFor();
  }

  public int exitCode() throws InterruptedException {
    if (!process.waitFor(20, TimeUnit.SECONDS)) {
      throw new AssertionError("still running:\n" + output());
    }
    reader.join();
    return process.exitValue();
  }

  private String await(Predicate<String> condition) throws InterruptedException {
    for (int i = 0; i < 2000; i++) {
      for (String line : lines) {
        if (condition.test(line)) {
          return line;
        }
      }
      TimeSource.system().sleep(Duration.ofMillis(10));
    }
    throw new AssertionError("did not come:\n" + output());
  }

  private void read() {
    try (BufferedReader in = process.inputReader(StandardCharsets.UTF_8)) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        lines.add(line);
      }
    } catch (IOException e) {
      // the process was ended while it was being read
    }
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
