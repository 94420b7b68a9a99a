package io.taskrole.cli;

import io.taskrole.demo.Demo;
import io.taskrole.time.TimeSource;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code taskrole demo}: the main job with everything embedded. */
@Command(
    name = "demo",
    description = {
      "Show the main job with everything embedded.",
      "",
      "Starts an issuer that signs like Nomad, an STS that verifies, the daemon and a real AWS SDK client on"
          + " this machine, tells each step and its time, and ends by itself. Needs no Nomad and no AWS."
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {"0:every step held", "1:a step did not hold"})
final class DemoCommand implements Callable<Integer> {
  @Spec
  @SuppressWarnings("NullAway.Init") // set by picocli
  private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    return Demo.run(spec.commandLine().getOut(), TimeSource.system())
        ? TaskroleCommand.OK
        : TaskroleCommand.FAILED;
  }
}
