import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Stands before an STS and does to its callers what it is told to. Sessions are cut to a few
 * minutes, so that a short run sees several renewals of each.
 */
final class Gateway {
  enum Mood {
    WELL,
    DOWN,
    SLOW,
    THROTTLING,
    RESETTING,
    REFUSING
  }

  private static final int SLOW_MILLIS = 3_000;

  private final URI sts;
  private final int sessionSeconds;
  private final int port;
  private final AtomicInteger calls = new AtomicInteger();
  private final Set<Socket> open = ConcurrentHashMap.newKeySet();
  private volatile Mood mood = Mood.WELL;
  private ServerSocket server;

  Gateway(URI sts, int sessionSeconds) throws IOException {
    this.sts = sts;
    this.sessionSeconds = sessionSeconds;
    listen(0);
    port = server.getLocalPort();
  }

  URI endpoint() {
    return URI.create("http://127.0.0.1:" + port);
  }

  /** Calls that have come whole, answered or not. */
  int calls() {
    return calls.get();
  }

  synchronized void mood(Mood next) throws IOException {
    if (next == Mood.REFUSING) {
      server.close();
    } else if (mood == Mood.REFUSING) {
      listen(port);
    }
    mood = next;
    // Kept connections would be answered in the old mood, or go on while new ones are refused.
    for (Socket socket : open) {
      socket.close();
    }
  }

  private void listen(int where) throws IOException {
    ServerSocket listening = new ServerSocket();
    listening.setReuseAddress(true);
    listening.bind(
        new InetSocketAddress(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), where), 256);
    server = listening;
    Thread.ofVirtual()
        .start(() -> {
          while (!listening.isClosed()) {
            try {
              Socket socket = listening.accept();
              Thread.ofVirtual().start(() -> serve(socket));
            } catch (IOException e) {
              // closed, or one connection that came to nothing
            }
          }
        });
  }

  private void serve(Socket socket) {
    open.add(socket);
    try (socket) {
      InputStream in = socket.getInputStream();
      for (String form = request(in); form != null; form = request(in)) {
        calls.incrementAndGet();
        byte[] answer = answer(form);
        if (answer == null) {
          socket.setSoLinger(true, 0);
          return;
        }
        socket.getOutputStream().write(answer);
      }
    } catch (IOException e) {
      // the daemon hung up, or the mood changed
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      open.remove(socket);
    }
  }

  private byte[] answer(String form) throws IOException, InterruptedException {
    return switch (mood) {
      case WELL -> ask(form);
      case SLOW -> {
        Thread.sleep(SLOW_MILLIS);
        yield ask(form);
      }
      case DOWN -> error(503, "ServiceUnavailable");
      case THROTTLING -> error(400, "Throttling");
      case RESETTING, REFUSING -> null;
    };
  }

  private byte[] ask(String form) throws IOException {
    HttpURLConnection connection =
        (HttpURLConnection) sts.resolve("/").toURL().openConnection(Proxy.NO_PROXY);
    connection.setDoOutput(true);
    connection
        .getOutputStream()
        .write(
            form.replaceFirst("DurationSeconds=\\d+", "DurationSeconds=" + sessionSeconds)
                .getBytes(StandardCharsets.UTF_8));
    int status = connection.getResponseCode();
    try (InputStream body =
        status < 400 ? connection.getInputStream() : connection.getErrorStream()) {
      return whole(status, body.readAllBytes());
    }
  }

  private static byte[] error(int status, String code) {
    return whole(
        status,
        ("<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>"
                + "<Code>"
                + code
                + "</Code><Message>as scripted</Message></Error><RequestId>r</RequestId></ErrorResponse>")
            .getBytes(StandardCharsets.UTF_8));
  }

  private static byte[] whole(int status, byte[] body) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(
        ("HTTP/1.1 "
                + status
                + " X\r\nContent-Type: text/xml\r\nContent-Length: "
                + body.length
                + "\r\n\r\n")
            .getBytes(StandardCharsets.US_ASCII));
    out.writeBytes(body);
    return out.toByteArray();
  }

  /** The body of the next request; null when there is none. */
  private static String request(InputStream in) throws IOException {
    StringBuilder head = new StringBuilder();
    while (head.indexOf("\r\n\r\n") < 0) {
      int c = in.read();
      if (c < 0) {
        return null;
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
    return new String(in.readNBytes(length), StandardCharsets.UTF_8);
  }
}
