package io.taskrole.testing;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * A server that reads one request a connection and then does to the socket exactly what the test
 * says: the faults of a network, byte by byte.
 */
public final class ScriptedHttp implements AutoCloseable {
  /** What happens to one connection after its request was read. */
  public interface Act {
    void play(Socket socket) throws IOException, InterruptedException;
  }

  private final ServerSocket server;
  private final Queue<Act> script = new ConcurrentLinkedQueue<>();
  private final List<String> requests = new CopyOnWriteArrayList<>();
  private final CountDownLatch closed = new CountDownLatch(1);
  private volatile Act otherwise = _ -> {};

  private ScriptedHttp() throws IOException {
    server = new ServerSocket(0, 512, InetAddress.getByAddress(new byte[] {127, 0, 0, 1}));
    Thread.ofVirtual().start(this::accept);
  }

  public static ScriptedHttp start() {
    try {
      return new ScriptedHttp();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public URI uri(String path) {
    return URI.create("http://127.0.0.1:" + server.getLocalPort() + path);
  }

  /** Answers one request with these bytes and ends the connection. */
  public ScriptedHttp next(String answer) {
    return next(socket -> write(socket, answer));
  }

  public ScriptedHttp next(Act act) {
    script.add(act);
    return this;
  }

  /** For every request that nothing else is scripted for. */
  public ScriptedHttp always(Act act) {
    otherwise = act;
    return this;
  }

  /** Requests as they came, head and body. */
  public List<String> requests() {
    return requests;
  }

  /** Ends the connection by a reset. */
  public static Act reset() {
    return socket -> socket.setSoLinger(true, 0);
  }

  /** Says nothing until the server closes. */
  public Act silence() {
    return _ -> closed.await();
  }

  /** Sends one byte each time. */
  public Act drip(String answer, Duration pause) {
    return socket -> {
      for (byte single : answer.getBytes(StandardCharsets.ISO_8859_1)) {
        socket.getOutputStream().write(single);
        socket.getOutputStream().flush();
        if (closed.await(pause.toMillis(), TimeUnit.MILLISECONDS)) {
          return;
        }
      }
    };
  }

  public static void write(Socket socket, String answer) throws IOException {
    socket.getOutputStream().write(answer.getBytes(StandardCharsets.ISO_8859_1));
    socket.getOutputStream().flush();
  }

  private void accept() {
    while (!server.isClosed()) {
      try {
        Socket socket = server.accept();
        Thread.ofVirtual().start(() -> serve(socket));
      } catch (SocketException e) {
        return;
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private void serve(Socket socket) {
    try (socket) {
      requests.add(read(socket.getInputStream()));
      Act act = script.poll();
      (act == null ? otherwise : act).play(socket);
    } catch (IOException e) {
      // the client hung up; a test sees that in what the client says
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static String read(InputStream in) throws IOException {
    StringBuilder head = new StringBuilder();
    while (head.indexOf("\r\n\r\n") < 0) {
      int c = in.read();
      if (c < 0) {
        return head.toString();
      }
      head.append((char) c);
    }
    int length =
        head.toString()
            .lines()
            .filter(line -> line.toLowerCase(Locale.ROOT).startsWith("content-length:"))
            .mapToInt(line -> Integer.parseInt(line.substring(15).strip()))
            .findFirst()
            .orElse(0);
    return head + new String(in.readNBytes(length), StandardCharsets.UTF_8);
  }

  @Override
  public void close() {
    closed.countDown();
    try {
      server.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
