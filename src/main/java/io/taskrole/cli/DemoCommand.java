package io.taskrole.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** {@code taskrole demo}. */
@Command(name = "demo", description = "Show the main job with everything embedded.")
final class DemoCommand implements Callable<Integer> {
  @Override
  public Integer call() {
    return TaskroleCommand.OK;
  }
}
