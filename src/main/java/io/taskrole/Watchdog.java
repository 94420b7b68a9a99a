package io.taskrole;

import io.taskrole.config.IpEndpoint;
import io.taskrole.systemd.Supervisor;
import io.taskrole.time.TimeSource;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Asks the daemon a real question, through the acceptor and an event loop, and tells the service
 * manager that it lives when there is an answer; a timer alone would live on beside a deaf daemon.
 * Three questions fit into the time after which the service manager ends the daemon.
 */
final class Watchdog implements AutoCloseable {
  private static final int QUESTIONS = 3;
  private static final String ANSWER = "HTTP/1.1 401 ";
  private static final System.Logger LOG = System.getLogger(Watchdog.class.getName());

  private final Supervisor supervisor;
  private final InetSocketAddress endpoint;
  private final Consumer<@Nullable InetSocketAddress> announce;
  private final TimeSource time;
  private final Duration pause;
  private final byte[] question;
  private final Thread thread;

  private Watchdog(
      Supervisor supervisor,
      Duration patience,
      InetSocketAddress endpoint,
      Consumer<@Nullable InetSocketAddress> announce,
      TimeSource time) {
    this.supervisor = supervisor;
    this.endpoint = endpoint;
    this.announce = announce;
    this.time = time;
    this.pause = patience.dividedBy(QUESTIONS);
    this.question = question(endpoint).getBytes(StandardCharsets.US_ASCII);
    this.thread = Thread.ofVirtual().name("watchdog").unstarted(this::run);
  }

  /**
   * Starts to ask.
   *
   * @param patience after this time without a word the service manager ends the daemon
   * @param endpoint where the daemon answers
   * @param announce is told the address that a question comes from, and null when it is over
   */
  static Watchdog start(
      Supervisor supervisor,
      Duration patience,
      InetSocketAddress endpoint,
      Consumer<@Nullable InetSocketAddress> announce,
      TimeSource time) {
    Watchdog watchdog = new Watchdog(supervisor, patience, endpoint, announce, time);
    watchdog.thread.start();
    return watchdog;
  }

  @Override
  public void close() {
    thread.interrupt();
  }

  private static String question(InetSocketAddress endpoint) {
    return "GET /v1/credentials HTTP/1.1\r\nHost: "
        + IpEndpoint.format(endpoint)
        + "\r\nConnection: close\r\n\r\n";
  }

  private void run() {
    while (!Thread.currentThread().isInterrupted()) {
      try {
        ask();
        time.sleep(pause);
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  private void ask() {
    try {
      if (isAnswered()) {
        supervisor.alive();
      }
    } catch (RuntimeException | LinkageError e) {
      LOG.log(System.Logger.Level.ERROR, "the watchdog could not ask", e);
    }
  }

  /** Whether a request without a token is refused as it must be. */
  private boolean isAnswered() {
    String answer;
    try (Socket socket = new Socket()) {
      socket.setSoTimeout((int) pause.toMillis());
      socket.connect(endpoint, (int) pause.toMillis());
      announce.accept((InetSocketAddress) socket.getLocalSocketAddress());
      try {
        socket.getOutputStream().write(question);
        answer =
            new String(
                socket.getInputStream().readNBytes(ANSWER.length()), StandardCharsets.US_ASCII);
      } finally {
        // Before the socket is closed: its port may be another's then.
        announce.accept(null);
      }
    } catch (IOException e) {
      LOG.log(System.Logger.Level.WARNING, "the endpoint does not answer: {0}", e.getMessage());
      return false;
    }
    if (!answer.equals(ANSWER)) {
      LOG.log(System.Logger.Level.WARNING, "the endpoint answers otherwise: {0}", answer);
    }
    return answer.equals(ANSWER);
  }
}
