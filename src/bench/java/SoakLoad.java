import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Asks for every task in turn at a fixed rate, nine requests on kept connections to one on a fresh
 * one, and judges every answer: what a task may be answered follows from what it is.
 */
final class SoakLoad {
  private static final long SECOND = 1_000_000_000L;

  /** What the daemon promises, and what the client needs to see it. */
  private static final long ANSWERED_NANOS = (850 + 150) * 1_000_000L;

  /** The loop's own delays from this on are no fault of the daemon's. */
  private static final long HELD_UP_NANOS = 10_000_000L;

  private static final long SEEN_STOPPED = 2 * SECOND;
  private static final int FRESH = 10;
  private static final int STARTS = 20;

  /** Until it asks at its full rate. */
  private static final double WARMING = 20e9;

  /** In use one after the other, so that none is ever idle for so long that the daemon ends it. */
  private static final int KEPT = 200;

  private static final int MOST_CONNECTIONS = 1_000;
  private static final Pattern MEMBER = Pattern.compile("\"(\\w+)\":\"([^\"]*)\"");

  private static final class Connection {
    final ByteBuffer in = ByteBuffer.allocate(8192);
    SocketChannel channel;
    ByteBuffer out;
    SoakTask task;
    boolean isFresh;
    boolean wasWarm;
    long epoch;
    long sentNanos;
    long heldUpBefore;
  }

  private final int port;
  private final int rate;
  private final List<SoakTask> tasks;
  private final Selector selector = Selector.open();
  private final Deque<Connection> idle = new ArrayDeque<>();
  private final Map<String, String> ownerOfKey = new HashMap<>();
  private final AtomicLong vanished = new AtomicLong();
  private final Map<String, Integer> wrong = new TreeMap<>();
  private final long[] latencies = new long[1 << 16];
  private long begunNanos;
  private int recorded;
  private int open;
  private long heldUp;
  private long issued;
  private long told;
  private long refused;
  private long wrongs;
  private long late;
  private long heldUpLate;
  private long ended;
  private long longest;
  private long longestCold;
  private long firsts;
  private volatile boolean agentUp = true;
  private volatile long agentNanos = System.nanoTime() - 3600 * SECOND;
  private volatile boolean vanishing;
  private volatile long quietUntil = System.nanoTime();
  private volatile boolean over;
  private Thread thread;

  SoakLoad(int port, int rate, List<SoakTask> tasks) throws IOException {
    this.port = port;
    this.rate = rate;
    this.tasks = tasks;
  }

  void begin() {
    thread = Thread.ofPlatform().start(this::run);
    Thread.ofPlatform().daemon().start(this::vanishAll);
  }

  void agent(boolean up) {
    agentNanos = System.nanoTime();
    agentUp = up;
  }

  /** Asks nothing for a second, in which the daemon collects its garbage. */
  void quiet() {
    quietUntil = System.nanoTime() + SECOND;
  }

  void vanish(boolean on) {
    vanishing = on;
  }

  /** All counts so far; the latencies are those since the last call. */
  synchronized String figures() {
    long[] sorted = java.util.Arrays.copyOf(latencies, Math.min(recorded, latencies.length));
    java.util.Arrays.sort(sorted);
    long p99 = sorted.length == 0 ? 0 : sorted[(int) (sorted.length * 0.99)];
    recorded = 0;
    return String.format(
        Locale.ROOT,
        "issued=%d told=%d refused=%d wrong=%d late=%d heldUpLate=%d vanished=%d connections=%d"
            + " ended=%d firsts=%d longestCold=%d longest=%d p99=%d",
        issued,
        told,
        refused,
        wrongs,
        late,
        heldUpLate,
        vanished.get(),
        open,
        ended,
        firsts,
        longestCold / 1_000_000,
        longest / 1_000_000,
        p99 / 1_000);
  }

  /** Ends; returns what was wrong, each kind with its number, in one line. */
  String end() throws InterruptedException {
    over = true;
    thread.join(10_000);
    synchronized (this) {
      return "wrong: " + wrong;
    }
  }

  private void run() {
    begunNanos = System.nanoTime();
    long due = System.nanoTime();
    int turn = 0;
    long last = System.nanoTime();
    try {
      while (!over) {
        long now = System.nanoTime();
        synchronized (this) {
          if (now - last > HELD_UP_NANOS) {
            heldUp += now - last;
          }
          last = now;
          due = now - quietUntil < 0 ? now + 1 : due;
          for (int i = 0; i < 64 && due - now <= 0; i++, due += interval(now)) {
            turn = ask(turn, now);
          }
          // What could not be asked in a second is let go: the rate is no debt.
          due = Math.max(due, now - SECOND);
        }
        selector.select(1);
        synchronized (this) {
          for (SelectionKey key : selector.selectedKeys()) {
            go((Connection) key.attachment(), key);
          }
          selector.selectedKeys().clear();
        }
      }
      for (SelectionKey key : selector.keys()) {
        key.channel().close();
      }
    } catch (IOException e) {
      synchronized (this) {
        blame("the load ended: " + e);
      }
    }
  }

  /** Between two requests; the first ones are fewer, as many as there are tasks to ask for. */
  private long interval(long now) {
    double begun = Math.min(1, (now - begunNanos) / WARMING);
    return (long) (SECOND / (rate * Math.max(0.05, begun)));
  }

  /**
   * Asks for the next task whose turn it is; one that has no credentials asks as an SDK does. At
   * the beginning the tasks start one after the other.
   */
  private int ask(int turn, long now) throws IOException {
    List<SoakTask> all = tasks;
    long begun = 1 + (now - begunNanos) * STARTS / SECOND;
    for (int i = 0; i < 8; i++) {
      SoakTask task;
      try {
        task = all.get((int) Math.floorMod(turn++, Math.min(begun, all.size())));
      } catch (IndexOutOfBoundsException e) {
        continue; // the list has just become shorter
      }
      boolean patient = !task.isWarm() || task.isStopped(now);
      if (!patient || (!task.asked && now - task.notBeforeNanos >= 0)) {
        send(task, now, turn % FRESH == 0);
        return turn;
      }
    }
    return turn;
  }

  private void send(SoakTask task, long now, boolean fresh) throws IOException {
    Connection connection = fresh ? null : idle.poll();
    if (connection == null) {
      if (open >= MOST_CONNECTIONS) {
        return;
      }
      connection = new Connection();
      connection.channel = SocketChannel.open();
      connection.channel.configureBlocking(false);
      connection.channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
      connection.isFresh = fresh;
      open++;
      connection.channel.register(selector, SelectionKey.OP_CONNECT, connection);
      connection.channel.connect(new InetSocketAddress("127.0.0.1", port));
    }
    connection.task = task;
    connection.wasWarm = task.isWarm();
    connection.epoch = task.epoch();
    connection.sentNanos = now;
    connection.heldUpBefore = heldUp;
    connection.out =
        ByteBuffer.wrap(
            ("GET /v1/credentials HTTP/1.1\r\nHost: 127.0.0.1:"
                    + port
                    + "\r\nAuthorization: "
                    + new String(task.token(), StandardCharsets.US_ASCII)
                    + "\r\n\r\n")
                .getBytes(StandardCharsets.US_ASCII));
    task.asks(now);
    if (connection.channel.isConnected()) {
      connection.channel.write(connection.out);
    }
  }

  private void go(Connection connection, SelectionKey key) throws IOException {
    try {
      if (key.isConnectable()) {
        connection.channel.finishConnect();
        key.interestOps(SelectionKey.OP_READ);
        connection.channel.write(connection.out);
      } else if (connection.channel.read(connection.in) < 0) {
        throw new IOException("closed");
      } else {
        String answer = whole(connection.in);
        if (answer != null) {
          answered(connection, answer, System.nanoTime());
        }
      }
    } catch (IOException e) {
      connection.channel.close();
      open--;
      if (!idle.remove(connection)) {
        connection.task.asked = false;
        blame(
            "no answer on a "
                + (connection.isFresh ? "fresh" : "kept")
                + " connection: "
                + e.getMessage());
      }
    }
  }

  private void answered(Connection connection, String answer, long now) throws IOException {
    SoakTask task = connection.task;
    long took = now - connection.sentNanos;
    if (recorded < latencies.length) {
      latencies[recorded++] = took;
    }
    longest = Math.max(longest, took);
    if (took > ANSWERED_NANOS) {
      if (took - (heldUp - connection.heldUpBefore) > ANSWERED_NANOS) {
        late++;
        note("later than allowed");
      } else {
        heldUpLate++;
      }
    }
    judge(connection, answer, now);
    task.asked = false;
    task.notBeforeNanos = now + SECOND / 2;
    connection.in.clear();
    boolean isLast = answer.toLowerCase(Locale.ROOT).contains("\r\nconnection: close\r\n");
    if (connection.isFresh || isLast || idle.size() >= KEPT) {
      connection.channel.close();
      open--;
    } else {
      idle.add(connection);
    }
  }

  private void judge(Connection connection, String answer, long now) {
    SoakTask task = connection.task;
    Map<String, String> body = new HashMap<>();
    Matcher member = MEMBER.matcher(answer);
    while (member.find()) {
      body.put(member.group(1), member.group(2));
    }
    if (answer.startsWith("HTTP/1.1 200 ")) {
      issued++;
      judgeIssued(connection, body, now);
      return;
    }
    String code = body.getOrDefault("code", answer.lines().findFirst().orElse(""));
    boolean isGone = task.isStopped(now);
    switch (code) {
      case "AllocationStopped", "AllocationNotHere", "TaskStopped" -> {
        refused++;
        if (!isGone) {
          blame(code + " to one that runs");
        }
      }
      case "StsUnavailable", "ExchangePending" -> {
        told++;
        if (connection.wasWarm && connection.epoch == task.epoch() && !isGone) {
          if (Instant.now().isBefore(task.servedUntil())) {
            blame(code + " to one that had credentials");
          } else {
            ended++;
          }
        }
      }
      case "NomadUnavailable" -> {
        told++;
        if (agentUp && now - agentNanos > 3 * SECOND || connection.wasWarm && !isGone) {
          blame(
              code + (connection.wasWarm ? " to one that had credentials" : " while Nomad is up"));
        }
      }
      case "TokenKeyUnknown" -> {
        refused++;
        if (!isGone) {
          blame(code + " to one that runs");
        }
      }
      default -> blame(code);
    }
  }

  private void judgeIssued(Connection connection, Map<String, String> body, long now) {
    SoakTask task = connection.task;
    String key = body.getOrDefault("AccessKeyId", "");
    String owner = ownerOfKey.putIfAbsent(key, task.name);
    boolean isWhole =
        task.role.equals(body.get("RoleArn"))
            && "123456789012".equals(body.get("AccountId"))
            && !key.isEmpty()
            && !body.getOrDefault("SecretAccessKey", "").isEmpty()
            && !body.getOrDefault("Token", "").isEmpty()
            && Instant.parse(body.getOrDefault("Expiration", "1970-01-01T00:00:00Z"))
                .isAfter(Instant.now());
    if (!isWhole || (owner != null && !owner.equals(task.name))) {
      blame("credentials of " + body.get("RoleArn") + ", key of " + owner + ", to " + task.name);
    }
    // Nomad tells of a stop only while it answers.
    long toldNanos = Math.max(task.stoppedAt(), agentNanos);
    if (task.isStopped(now) && agentUp && connection.sentNanos - toldNanos > SEEN_STOPPED) {
      blame("credentials to one that stopped");
    }
    if (connection.epoch == task.epoch()) {
      task.has(Instant.parse(body.getOrDefault("Expiration", "1970-01-01T00:00:00Z")));
      long without = task.served(now);
      firsts += without > 0 ? 1 : 0;
      longestCold = Math.max(longestCold, without);
    }
  }

  private void blame(String what) {
    wrongs++;
    note(what);
  }

  private void note(String what) {
    wrong.merge(what, 1, Integer::sum);
  }

  private static String whole(ByteBuffer in) {
    String text = new String(in.array(), 0, in.position(), StandardCharsets.US_ASCII);
    int end = text.indexOf("\r\n\r\n");
    if (end < 0) {
      return null;
    }
    int at = text.toLowerCase(Locale.ROOT).indexOf("content-length:") + 15;
    int length = Integer.parseInt(text.substring(at, text.indexOf('\r', at)).strip());
    return text.length() >= end + 4 + length ? text : null;
  }

  /** Clients of five kinds that leave in the midst, ten of each a second. */
  private void vanishAll() {
    try {
      while (!over) {
        Thread.sleep(100);
        for (int kind = 0; vanishing && kind < 5; kind++) {
          int chosen = kind;
          Thread.ofVirtual().start(() -> vanishOne(chosen));
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void vanishOne(int kind) {
    List<SoakTask> all = tasks;
    byte[] whole =
        ("GET /v1/credentials HTTP/1.1\r\nHost: 127.0.0.1:"
                + port
                + "\r\nAuthorization: "
                + new String(all.get(0).token(), StandardCharsets.US_ASCII)
                + "\r\n\r\n")
            .getBytes(StandardCharsets.US_ASCII);
    vanished.incrementAndGet();
    try (Socket socket = new Socket("127.0.0.1", port)) {
      socket.setSoTimeout(10_000);
      switch (kind) {
        case 0 -> { // begins a request and is silent; the daemon ends it
          socket.getOutputStream().write(whole, 0, 200);
          socket.getInputStream().readAllBytes();
        }
        case 1 -> { // asks and is gone
          socket.getOutputStream().write(whole);
          socket.setSoLinger(true, 0);
        }
        case 2 -> { // closes its half and waits for the answer
          socket.getOutputStream().write(whole);
          socket.shutdownOutput();
          socket.getInputStream().readAllBytes();
        }
        case 3 -> socket.getInputStream().readAllBytes(); // says nothing
        default -> { // asks and never reads
          socket.getOutputStream().write(whole);
          Thread.sleep(5_000);
        }
      }
    } catch (IOException e) {
      // the daemon ended it first
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
