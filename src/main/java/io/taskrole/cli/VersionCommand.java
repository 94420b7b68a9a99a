package io.taskrole.cli;

import io.taskrole.BuildInfo;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code taskrole version}. */
@Command(name = "version", description = "Print version, commit and Java.")
final class VersionCommand implements Callable<Integer> {
  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @Spec
  @SuppressWarnings("NullAway.Init") // set by picocli
  private CommandSpec spec;

  @Override
  public Integer call() {
    BuildInfo build = BuildInfo.read();
    PrintWriter out = spec.commandLine().getOut();
    out.println(
        String.format(
            Locale.ROOT,
            json
                ? "{\"version\":\"%s\",\"commit\":\"%s\",\"java\":\"%s\"}"
                : "taskrole %s (commit %s, Java %s)",
            build.version(),
            build.commit(),
            Runtime.version()));
    return TaskroleCommand.OK;
  }
}
