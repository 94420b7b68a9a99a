import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.locks.LockSupport;

/**
 * Asks at a fixed rate whatever the server does: each request has a time at which it is due, and
 * its latency counts from then, so that a stalled server is not asked less (no coordinated
 * omission). Sleeps between due times: one that spins holds a core that the server would have.
 * Prints percentiles in microseconds.
 */
class FixedRate {
  private static final int CONNECTIONS = 128;

  static final class Connection {
    final ByteBuffer in = ByteBuffer.allocate(8192);
    long dueNanos;
    SocketChannel channel;
  }

  public static void main(String[] args) throws Exception {
    int port = Integer.parseInt(args[0]);
    List<String> tokens = Files.readAllLines(Path.of(args[1]));
    int rate = Integer.parseInt(args[2]);
    int seconds = Integer.parseInt(args[3]);
    int warm = Integer.parseInt(args[4]);
    byte[][] requests = new byte[tokens.size()][];
    for (int i = 0; i < requests.length; i++) {
      requests[i] =
          ("GET /v1/credentials HTTP/1.1\r\nHost: 127.0.0.1:"
                  + port
                  + "\r\nAuthorization: "
                  + tokens.get(i)
                  + "\r\n\r\n")
              .getBytes(StandardCharsets.US_ASCII);
    }
    Selector selector = Selector.open();
    Deque<Connection> idle = new ArrayDeque<>();
    for (int i = 0; i < CONNECTIONS; i++) {
      Connection connection = new Connection();
      connection.channel = SocketChannel.open(new InetSocketAddress("127.0.0.1", port));
      connection.channel.setOption(java.net.StandardSocketOptions.TCP_NODELAY, true);
      connection.channel.configureBlocking(false);
      connection.channel.register(selector, SelectionKey.OP_READ, connection);
      idle.add(connection);
    }
    int total = rate * (warm + seconds);
    long interval = 1_000_000_000L / rate;
    long[] latencies = new long[rate * seconds];
    int recorded = 0;
    int sent = 0;
    int answered = 0;
    int failed = 0;
    long begun = System.nanoTime();
    long give = begun + (warm + seconds + 20) * 1_000_000_000L;
    while (answered < total && System.nanoTime() < give) {
      long now = System.nanoTime();
      while (sent < total && !idle.isEmpty() && begun + sent * interval <= now) {
        Connection connection = idle.poll();
        connection.dueNanos = begun + sent * interval;
        ByteBuffer out = ByteBuffer.wrap(requests[sent % requests.length]);
        while (out.hasRemaining()) {
          connection.channel.write(out);
        }
        sent++;
      }
      if (selector.selectNow() == 0 && begun + sent * interval > System.nanoTime()) {
        LockSupport.parkNanos(20_000);
      }
      for (SelectionKey key : selector.selectedKeys()) {
        Connection connection = (Connection) key.attachment();
        if (isWhole(connection)) {
          int index = answered++;
          failed += connection.in.get(9) == '2' ? 0 : 1;
          connection.in.clear();
          if (connection.dueNanos - begun >= warm * 1_000_000_000L && recorded < latencies.length) {
            latencies[recorded++] = System.nanoTime() - connection.dueNanos;
          }
          idle.add(connection);
        }
      }
      selector.selectedKeys().clear();
    }
    long[] sorted = Arrays.copyOf(latencies, recorded);
    Arrays.sort(sorted);
    System.out.printf(
        Locale.ROOT,
        "result answered=%d failed=%d p50=%d p99=%d p999=%d%n",
        answered,
        failed + (total - answered),
        sorted[recorded / 2] / 1000,
        sorted[(int) (recorded * 0.99)] / 1000,
        sorted[(int) (recorded * 0.999)] / 1000);
  }

  private static boolean isWhole(Connection connection) throws IOException {
    if (connection.channel.read(connection.in) < 0) {
      throw new IOException("the server closed a connection");
    }
    String text =
        new String(connection.in.array(), 0, connection.in.position(), StandardCharsets.US_ASCII);
    int end = text.indexOf("\r\n\r\n");
    if (end < 0) {
      return false;
    }
    int at = text.toLowerCase(Locale.ROOT).indexOf("content-length:") + 15;
    int length = Integer.parseInt(text.substring(at, text.indexOf('\r', at)).strip());
    return connection.in.position() >= end + 4 + length;
  }
}
