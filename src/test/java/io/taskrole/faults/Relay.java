package io.taskrole.faults;

import io.taskrole.time.TimeSource;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Stands between the daemon and a server, passes everything on, and while a fault is set does to
 * each answer exactly what the fault says, byte by byte. Counts what is in flight.
 */
final class Relay implements AutoCloseable {
  /** What happens to one request that has come whole. */
  @FunctionalInterface
  interface Fault {
    /**
     * Answers, or does not. Returns whether the connection may carry another request.
     *
     * @param daemon the connection that the request came on
     * @param upstream asks the real server, and returns the bytes of its answer
     */
    boolean play(Socket daemon, Upstream upstream) throws IOException, InterruptedException;
  }

  /** The real server, and what it is to be asked. */
  interface Upstream {
    /** The bytes of its answer. */
    byte[] ask() throws IOException;

    /** The request's path and query. */
    String path();
  }

  private static final Pattern LENGTH = Pattern.compile("(?im)^content-length:\\s*(\\d+)\\s*$");
  private static final Pattern SESSION = Pattern.compile("RoleSessionName=([^&]+)");
  private static final Fault NONE =
      (daemon, upstream) -> {
        daemon.getOutputStream().write(upstream.ask());
        return true;
      };

  private final InetSocketAddress target;
  private final int port;
  private final Map<String, AtomicInteger> inFlight = new ConcurrentHashMap<>();
  private final AtomicInteger mostPerSession = new AtomicInteger();
  private final AtomicInteger total = new AtomicInteger();
  private final AtomicInteger most = new AtomicInteger();
  private final Queue<Long> calls = new ConcurrentLinkedQueue<>();
  private final AtomicInteger passedOn = new AtomicInteger();

  /** What was last asked for on each open connection. */
  private final Map<Socket, String> paths = new ConcurrentHashMap<>();

  private volatile ServerSocket server;
  private volatile Fault fault = NONE;

  private Relay(URI target) throws IOException {
    this.target = new InetSocketAddress(target.getHost(), target.getPort());
    this.server = listen(0);
    this.port = server.getLocalPort();
  }

  static Relay before(URI target) {
    try {
      return new Relay(target);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  URI endpoint() {
    return URI.create("http://127.0.0.1:" + port);
  }

  void begin(Fault begun) {
    fault = begun;
  }

  void end() {
    fault = NONE;
  }

  /** Has connections refused, those that are open reset. */
  void refuse() throws IOException {
    server.close();
    reset("");
  }

  /** Resets the connections on which such a path was asked for, so that who waits asks anew. */
  void reset(String path) {
    for (Map.Entry<Socket, String> open : paths.entrySet()) {
      if (open.getValue().startsWith(path)) {
        try {
          open.getKey().setSoLinger(true, 0);
          open.getKey().close();
        } catch (IOException e) {
          // It has ended by itself.
        }
      }
    }
  }

  void accept() throws IOException {
    server = listen(port);
  }

  /** How many calls were in flight at once at the most, and for one session name. */
  int most() {
    return most.get();
  }

  int mostPerSession() {
    return mostPerSession.get();
  }

  /** How many calls have come that the real server never saw. */
  int keptBack() {
    return calls.size() - passedOn.get();
  }

  /**
   * By how many calls more came in some stretch of time than such a rate and a second's worth at
   * once allow; the stretch is taken longer by half a second, for calls that were held up on the
   * way.
   */
  double mostAbove(int rate) {
    double least = Double.MAX_VALUE;
    double most = 0;
    int came = 0;
    for (long nanos : calls) {
      double due = rate * (nanos / 1e9);
      least = Math.min(least, came - due);
      came++;
      most = Math.max(most, came - due - least - rate * 1.5);
    }
    return most;
  }

  private ServerSocket listen(int at) throws IOException {
    ServerSocket listening = new ServerSocket();
    listening.setReuseAddress(true);
    listening.bind(
        new InetSocketAddress(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), at), 512);
    Thread.ofVirtual().start(() -> run(listening));
    return listening;
  }

  private void run(ServerSocket listening) {
    while (!listening.isClosed()) {
      try {
        Socket socket = listening.accept();
        paths.put(socket, "");
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
      boolean goesOn = true;
      while (goesOn) {
        byte[] request = message(socket.getInputStream());
        goesOn = request.length > 0 && relay(socket, request);
      }
    } catch (IOException e) {
      // The daemon hung up, or the fault was one for it.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      paths.remove(socket);
    }
  }

  private boolean relay(Socket socket, byte[] request) throws IOException, InterruptedException {
    Matcher named = SESSION.matcher(new String(request, StandardCharsets.ISO_8859_1));
    String session = named.find() ? named.group(1) : "";
    AtomicInteger own = inFlight.computeIfAbsent(session, _ -> new AtomicInteger());
    Asked asked = new Asked(request);
    paths.put(socket, asked.path());
    calls.add(TimeSource.system().nanos());
    mostPerSession.accumulateAndGet(own.incrementAndGet(), Math::max);
    most.accumulateAndGet(total.incrementAndGet(), Math::max);
    try {
      return fault.play(socket, asked);
    } finally {
      own.decrementAndGet();
      total.decrementAndGet();
    }
  }

  private final class Asked implements Upstream {
    private final byte[] request;

    Asked(byte[] request) {
      this.request = request;
    }

    @Override
    public byte[] ask() throws IOException {
      try (Socket upstream = new Socket(target.getAddress(), target.getPort())) {
        passedOn.incrementAndGet();
        upstream.getOutputStream().write(request);
        return message(upstream.getInputStream());
      }
    }

    @Override
    public String path() {
      return new String(request, StandardCharsets.ISO_8859_1).split(" ", 3)[1];
    }
  }

  /** A whole message, head and body; empty at the end of the stream. */
  private static byte[] message(InputStream in) throws IOException {
    ByteArrayOutputStream whole = new ByteArrayOutputStream();
    StringBuilder head = new StringBuilder();
    while (head.indexOf("\r\n\r\n") < 0) {
      int next = in.read();
      if (next < 0) {
        return new byte[0];
      }
      whole.write(next);
      head.append((char) next);
    }
    Matcher length = LENGTH.matcher(head);
    if (length.find()) {
      whole.write(in.readNBytes(Integer.parseInt(length.group(1))));
    }
    return whole.toByteArray();
  }

  @Override
  public void close() {
    try {
      refuse();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
