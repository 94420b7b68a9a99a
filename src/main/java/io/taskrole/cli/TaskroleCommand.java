package io.taskrole.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The command {@code taskrole}, under which the others stand. */
@Command(
    name = "taskrole",
    description = {
      "Gives each Nomad task its own AWS IAM role.",
      "",
      "A task presents the JWT that Nomad signed for it and gets short-lived credentials of the role that"
          + " roles.yaml names for it, on the endpoint that every AWS SDK knows."
    },
    subcommands = {
      AgentCommand.class,
      CheckCommand.class,
      DemoCommand.class,
      TrainCommand.class,
      VersionCommand.class
    },
    mixinStandardHelpOptions = false,
    usageHelpAutoWidth = true,
    footer = {"", "Begin with: taskrole demo"})
public final class TaskroleCommand implements Callable<Integer> {
  /** Done. */
  static final int OK = 0;

  /** Failed while running. */
  static final int FAILED = 1;

  /** A bad configuration or command line. */
  static final int USAGE = 2;

  @Spec
  @SuppressWarnings("NullAway.Init") // set by picocli
  private CommandSpec spec;

  @Option(
      names = "--help",
      usageHelp = true,
      scope = ScopeType.INHERIT,
      description = "Show this help and end.")
  @SuppressWarnings("unused") // its presence alone makes picocli show the help
  private boolean help;

  @Option(
      names = "--debug",
      scope = ScopeType.INHERIT,
      description = "Log more, and show stack traces.")
  private boolean debug;

  /** Runs the command that the arguments name; returns its exit code. Never throws. */
  public static int run(String[] args, PrintWriter out, PrintWriter err) {
    // The daemon runs for months: it does not carry the parser that would read its line once.
    boolean isPlainAgent =
        args.length == 3 && args[0].equals("agent") && args[1].equals("--config");
    return isPlainAgent ? agent(args[2], err) : parse(args, out, err);
  }

  private static int agent(String config, PrintWriter err) {
    LogLines.install(false);
    try {
      return AgentCommand.run(Path.of(config), err);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return FAILED;
    } catch (IOException | RuntimeException e) {
      err.println("taskrole: " + describe(e));
      return FAILED;
    } finally {
      err.flush();
    }
  }

  private static int parse(String[] args, PrintWriter out, PrintWriter err) {
    TaskroleCommand root = new TaskroleCommand();
    CommandLine line =
        new CommandLine(root)
            .setOut(out)
            .setErr(err)
            .setColorScheme(CommandLine.Help.defaultColorScheme(CommandLine.Help.Ansi.OFF))
            .setExecutionStrategy(parsed -> {
              LogLines.install(root.debug);
              return new CommandLine.RunLast().execute(parsed);
            })
            .setParameterExceptionHandler((problem, _) -> {
              String command = problem.getCommandLine().getCommandSpec().qualifiedName();
              err.println("taskrole: " + problem.getMessage() + "; see " + command + " --help");
              return USAGE;
            })
            .setExecutionExceptionHandler((problem, _, _) -> {
              err.println("taskrole: " + describe(problem));
              if (root.debug) {
                err.println(LogLines.stackTrace(problem));
              }
              return FAILED;
            });
    int code = line.execute(args);
    out.flush();
    err.flush();
    return code;
  }

  @Override
  public Integer call() {
    spec.commandLine().usage(spec.commandLine().getErr());
    return USAGE;
  }

  private static String describe(Exception problem) {
    String message = problem.getMessage();
    return message == null || message.isBlank()
        ? "failed (" + problem.getClass().getSimpleName() + "); --debug shows where"
        : message;
  }
}
