package io.taskrole.systemd;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * What started the daemon, as far as it is systemd: what it hands over and what it is told. Where
 * there is none, there is nothing to take and telling does nothing.
 *
 * <p>Safe for concurrent use. A message that cannot be sent is told to the log, once, and is no
 * error: the service manager draws its own conclusions.
 */
public final class Supervisor {
  /** {@code SD_LISTEN_FDS_START}. */
  private static final int FIRST_SOCKET = 3;

  private static final int MOST_SOCKETS = 64;
  private static final System.Logger LOG = System.getLogger(Supervisor.class.getName());

  private final List<Integer> sockets;
  private final Optional<Duration> watchdog;
  private final @Nullable NotifySocket notifySocket;
  private volatile boolean hasFailed;

  private Supervisor(
      List<Integer> sockets, Optional<Duration> watchdog, @Nullable NotifySocket notifySocket) {
    this.sockets = sockets;
    this.watchdog = watchdog;
    this.notifySocket = notifySocket;
  }

  /**
   * Reads what the service manager has put into the environment.
   *
   * @param environment values of environment variables
   * @param process our own id: what is meant for another process is not ours
   */
  public static Supervisor of(Function<String, Optional<String>> environment, long process) {
    // LISTEN_PID and WATCHDOG_PID name the process that is meant; a child inherits them as well.
    boolean isForUs = environment.apply("LISTEN_PID").equals(Optional.of(Long.toString(process)));
    int count = isForUs ? environment.apply("LISTEN_FDS").flatMap(Supervisor::number).orElse(0) : 0;
    boolean isWatched =
        environment.apply("WATCHDOG_PID").map(id -> id.equals(Long.toString(process))).orElse(true);
    return new Supervisor(
        IntStream.range(FIRST_SOCKET, FIRST_SOCKET + Math.min(count, MOST_SOCKETS))
            .boxed()
            .toList(),
        environment
            .apply("WATCHDOG_USEC")
            .filter(_ -> isWatched)
            .flatMap(Supervisor::number)
            .filter(micros -> micros > 0)
            .map(micros -> Duration.ofNanos(1_000L * micros)),
        environment.apply("NOTIFY_SOCKET").map(NotifySocket::new).orElse(null));
  }

  /** No service manager. */
  public static Supervisor none() {
    return new Supervisor(List.of(), Optional.empty(), null);
  }

  /** Whether there is one that waits for what it is told. */
  public boolean isPresent() {
    return notifySocket != null;
  }

  /** The file descriptors of the sockets that are handed over, in the manager's order. */
  public List<Integer> sockets() {
    return sockets;
  }

  /** Within this time it must hear {@link #alive} again, or it ends the daemon; empty for never. */
  public Optional<Duration> watchdog() {
    return watchdog;
  }

  /** Everything is started; what waits for the daemon may go on. */
  public void ready(String status) {
    tell("READY=1\nSTATUS=" + status.replace('\n', ' '));
  }

  /** The daemon ends because it was asked to. */
  public void stopping() {
    tell("STOPPING=1\nSTATUS=stopping");
  }

  /** The daemon does its work. */
  public void alive() {
    tell("WATCHDOG=1");
  }

  private void tell(String message) {
    if (notifySocket == null) {
      return;
    }
    try {
      notifySocket.send(message);
      hasFailed = false;
    } catch (IOException e) {
      if (!hasFailed) {
        hasFailed = true;
        LOG.log(
            System.Logger.Level.WARNING,
            "the service manager cannot be told ({0}); NOTIFY_SOCKET must be reachable inside"
                + " RootDirectory=",
            e.getMessage());
      }
    }
  }

  private static Optional<Integer> number(String text) {
    try {
      return Optional.of(Integer.parseInt(text)).filter(number -> number >= 0);
    } catch (NumberFormatException e) {
      return Optional.empty();
    }
  }
}
