package io.taskrole.cli;

import io.taskrole.demo.Training;
import io.taskrole.time.TimeSource;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/**
 * {@code taskrole train -- <command>}: a short run of the daemon that makes its start-up cache.
 * Started by the launcher, not by people.
 */
@Command(name = "train", hidden = true, description = "Exercise the daemon for the start-up cache.")
final class TrainCommand implements Callable<Integer> {
  @Parameters(
      arity = "1..*",
      description = "The command that runs taskrole, without its subcommand.")
  private List<String> command = List.of();

  @Override
  public Integer call() throws IOException, InterruptedException {
    return Training.run(command, TimeSource.system()) ? TaskroleCommand.OK : TaskroleCommand.FAILED;
  }
}
