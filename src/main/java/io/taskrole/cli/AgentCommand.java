package io.taskrole.cli;

import io.taskrole.Daemon;
import io.taskrole.config.ConfigFile;
import io.taskrole.config.EffectiveConfig;
import io.taskrole.config.IpEndpoint;
import io.taskrole.config.TaskroleConfig;
import io.taskrole.libc.Libc;
import io.taskrole.systemd.Supervisor;
import io.taskrole.time.TimeSource;
import io.taskrole.yaml.Problems;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintWriter;
import java.lang.management.ManagementFactory;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code taskrole agent}: the daemon, until it is told to stop. */
@Command(
    name = "agent",
    description = {
      "Run the daemon.",
      "",
      "Prints its configuration and a line that begins with \"ready\" on standard error; the audit log goes"
          + " to standard output unless audit.file is set. SIGTERM stops it, SIGHUP makes it read the roles"
          + " file again."
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {"0:stopped on request", "1:failed", "2:bad configuration or command line"})
final class AgentCommand implements Callable<Integer> {
  private static final Duration BEFORE_THE_NEXT_TRY = Duration.ofSeconds(2);

  @Mixin private final ConfigOption config = new ConfigOption();

  @Spec
  @SuppressWarnings("NullAway.Init") // set by picocli
  private CommandSpec spec;

  @Override
  public Integer call() throws IOException, InterruptedException {
    return run(config.file(), spec.commandLine().getErr());
  }

  /**
   * Runs the daemon until it is told to stop.
   *
   * @return the exit code
   */
  static int run(Path file, PrintWriter err) throws IOException, InterruptedException {
    NameCache.outlivesTheNameServer();
    AtomicReference<@Nullable Daemon> running = new AtomicReference<>();
    // Before the start: a stop that comes in the midst of it is a stop on request as well.
    Signals signals =
        Signals.install(() -> Optional.ofNullable(running.get()).ifPresent(Daemon::reload));
    Problems problems = new Problems();
    Supervisor supervisor = Supervisor.of(ConfigOption::environment, ProcessHandle.current().pid());
    Optional<TaskroleConfig> loaded = ConfigFile.check(file, ConfigOption::environment, problems);
    if (loaded.isEmpty()) {
      return refuse(problems, supervisor, err);
    }
    EffectiveConfig.lines(loaded.get()).forEach(err::println);
    err.flush();
    Optional<Daemon> started =
        Daemon.start(
            loaded.get(),
            problems,
            new FileOutputStream(FileDescriptor.out),
            TimeSource.system(),
            supervisor);
    if (started.isEmpty()) {
      return refuse(problems, supervisor, err);
    }
    try (Daemon daemon = started.get()) {
      running.set(daemon);
      String ready = ready(daemon);
      err.println(ready);
      err.flush();
      supervisor.ready(ready);
      signals.awaitStop();
      supervisor.stopping();
      err.println("stopping");
      err.flush();
    }
    if (supervisor.isPresent()) {
      // All is closed and written, and callers wait at its sockets for the next start.
      Libc.exit(TaskroleCommand.OK);
    }
    return TaskroleCommand.OK;
  }

  /** Tells what is wrong; a service manager would try again at once, and for as long as it is. */
  private static int refuse(Problems problems, Supervisor supervisor, PrintWriter err)
      throws InterruptedException {
    ConfigOption.tell(problems, err);
    err.flush();
    if (supervisor.isPresent()) {
      TimeSource.system().sleep(BEFORE_THE_NEXT_TRY);
    }
    return TaskroleCommand.USAGE;
  }

  private static String ready(Daemon daemon) {
    long sinceExec = ManagementFactory.getRuntimeMXBean().getUptime();
    return "ready credentials="
        + daemon.credentials().stream()
            .map(address -> "http://" + IpEndpoint.format(address) + "/v1/credentials")
            .collect(Collectors.joining(","))
        + " admin=http://"
        + IpEndpoint.format(daemon.admin())
        + " in "
        + BigDecimal.valueOf(sinceExec, 3).setScale(2, RoundingMode.HALF_UP)
        + "s";
  }
}
