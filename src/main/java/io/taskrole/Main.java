package io.taskrole;

import io.taskrole.cli.TaskroleCommand;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;

/** The entry point: arguments in, exit code out. */
public final class Main {
  private Main() {}

  /** Runs the command that the arguments name. */
  public static void main(String[] args) {
    PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
    PrintWriter err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
    System.exit(TaskroleCommand.run(args, out, err));
  }
}
