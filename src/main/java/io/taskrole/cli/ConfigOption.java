package io.taskrole.cli;

import io.taskrole.yaml.Problem;
import io.taskrole.yaml.Problems;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Option;

/** The option {@code --config}, and how problems of what it names are told. */
final class ConfigOption {
  @Option(
      names = "--config",
      required = true,
      paramLabel = "FILE",
      description = "The configuration, taskrole.yaml.")
  @SuppressWarnings("NullAway.Init") // set by picocli
  private Path file;

  Path file() {
    return file;
  }

  static Optional<String> environment(String name) {
    return Optional.ofNullable(System.getenv(name));
  }

  /** Prints every problem on a line of its own. */
  static void tell(Problems problems, PrintWriter to) {
    for (Problem problem : problems.list()) {
      to.println(problem);
    }
  }
}
