package io.taskrole.cli;

import io.taskrole.config.ConfigFile;
import io.taskrole.yaml.Problems;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code taskrole check}: configuration and roles, offline. */
@Command(
    name = "check",
    description = {
      "Check taskrole.yaml and the roles file it names, offline.",
      "",
      "Prints every problem at once, as file:line:column: problem; mend."
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {"0:nothing is wrong", "2:there are problems"})
final class CheckCommand implements Callable<Integer> {
  @Mixin private final ConfigOption config = new ConfigOption();

  @Spec
  @SuppressWarnings("NullAway.Init") // set by picocli
  private CommandSpec spec;

  @Override
  public Integer call() {
    Problems problems = new Problems();
    boolean good = ConfigFile.check(config.file(), ConfigOption::environment, problems).isPresent();
    ConfigOption.tell(problems, spec.commandLine().getErr());
    if (!good) {
      return TaskroleCommand.USAGE;
    }
    spec.commandLine().getOut().println(config.file() + ": nothing is wrong");
    return TaskroleCommand.OK;
  }
}
