package io.taskrole;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.systemd.Supervisor;
import io.taskrole.testing.NativeSocket;
import io.taskrole.time.TimeSource;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WatchdogTest {
  private static final Duration PATIENCE = Duration.ofMillis(300);

  @TempDir private Path directory;

  @Test
  void answeredQuestion_isToldAsLife_andAnnouncedOnlyWhileItLasts() throws Exception {
    List<@Nullable InetSocketAddress> announced = Collections.synchronizedList(new ArrayList<>());
    try (NativeSocket notify = NativeSocket.receiving(directory.resolve("notify"));
        Endpoint endpoint = new Endpoint("HTTP/1.1 401 TokenMissing\r\n\r\n");
        Watchdog watchdog = start(endpoint, announced::add)) {
      assertThat(watchdog).isNotNull();
      for (int i = 0; i < 3; i++) {
        assertThat(notify.receive()).isEqualTo("WATCHDOG=1");
      }
      assertThat(endpoint.asked.get()).isGreaterThanOrEqualTo(3);
      assertThat(announced.get(0)).isNotNull();
      assertThat(announced.get(1)).isNull();
    }
  }

  @Test
  void deafDaemon_isNotToldAsLife() throws Exception {
    try (NativeSocket notify = NativeSocket.receiving(directory.resolve("notify"));
        Endpoint endpoint = new Endpoint("");
        Watchdog watchdog = start(endpoint, _ -> {})) {
      assertThat(watchdog).isNotNull();
      endpoint.awaitAsked(3);
      assertThat(notify.isEmpty()).isTrue();
    }
  }

  @Test
  void anotherAnswer_isNotToldAsLife() throws Exception {
    try (NativeSocket notify = NativeSocket.receiving(directory.resolve("notify"));
        Endpoint endpoint = new Endpoint("HTTP/1.1 500 Internal Server Error\r\n\r\n");
        Watchdog watchdog = start(endpoint, _ -> {})) {
      assertThat(watchdog).isNotNull();
      endpoint.awaitAsked(3);
      assertThat(notify.isEmpty()).isTrue();
    }
  }

  private Watchdog start(
      Endpoint endpoint, java.util.function.Consumer<@Nullable InetSocketAddress> announce) {
    Supervisor supervisor =
        Supervisor.of(
            name ->
                name.equals("NOTIFY_SOCKET")
                    ? Optional.of(directory.resolve("notify").toString())
                    : Optional.empty(),
            1);
    return Watchdog.start(supervisor, PATIENCE, endpoint.address(), announce, TimeSource.system());
  }

  /** Accepts, and answers so; with nothing, it keeps the connection and says nothing. */
  private static final class Endpoint implements AutoCloseable {
    private final ServerSocket server;
    private final AtomicInteger asked = new AtomicInteger();
    private final List<Socket> sockets = new CopyOnWriteArrayList<>();

    Endpoint(String answer) throws java.io.IOException {
      server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
      Thread.ofVirtual()
          .start(() -> {
            try {
              while (true) {
                Socket socket = server.accept();
                asked.incrementAndGet();
                sockets.add(socket);
                if (!answer.isEmpty()) {
                  socket.getInputStream().read(new byte[1024]);
                  socket.getOutputStream().write(answer.getBytes(StandardCharsets.US_ASCII));
                  socket.close();
                }
              }
            } catch (java.io.IOException e) {
              // the test is over
            }
          });
    }

    InetSocketAddress address() {
      return (InetSocketAddress) server.getLocalSocketAddress();
    }

    void awaitAsked(int times) throws InterruptedException {
      for (int i = 0; i < 2000 && asked.get() < times; i++) {
        TimeSource.system().sleep(Duration.ofMillis(5));
      }
      assertThat(asked.get()).isGreaterThanOrEqualTo(times);
    }

    @Override
    public void close() throws java.io.IOException {
      server.close();
      for (Socket socket : sockets) {
        socket.close();
      }
    }
  }
}
