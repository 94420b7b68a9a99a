package io.taskrole.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.demo.Issuer;
import io.taskrole.testing.Reply;
import io.taskrole.testing.TestDaemon;
import io.taskrole.time.TimeSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.IntSupplier;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What must hold whatever fails: a stream of requests of every kind during a fault, and the
 * invariants that all of them are held against. The daemon runs in this process, so that its
 * threads, its files and its log are the process's.
 */
final class Watch implements AutoCloseable {
  private static final int ANSWER_WITHIN_MILLIS = 850;
  private static final int ALLOWANCE_MILLIS = 150;

  /** What the daemon promises, and what the client on two busy cores needs to see it. */
  static final Duration ANSWERED = Duration.ofMillis(ANSWER_WITHIN_MILLIS + ALLOWANCE_MILLIS);

  private static final Duration HEALED = Duration.ofSeconds(8);
  private static final int MORE_FILES = 40;
  private static final int MORE_THREADS = 40;

  private final TestDaemon taskrole;
  private final TimeSource time = TimeSource.system();
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final AtomicBoolean over = new AtomicBoolean();
  private final List<Future<Void>> streams = new ArrayList<>();
  private final List<Issuer.Token> warm = new ArrayList<>();
  private final Queue<Seen> seen = new ConcurrentLinkedQueue<>();
  private final Map<String, String> ownerOfKey = new ConcurrentHashMap<>();
  private final Log log = new Log();
  private final Starvation starvation = new Starvation();
  private final IntSupplier calls;
  private final int callsBefore;
  private final long begunNanos;
  private final long files;
  private final int platformThreads;

  private record Seen(Kind kind, String token, Reply reply, Duration took) {}

  private enum Kind {
    WARM,
    COLD,
    FORGED,
    UNMAPPED
  }

  /** Makes three tasks warm, and remembers what the process holds. */
  Watch(TestDaemon taskrole) throws IOException {
    this(taskrole, () -> 0);
  }

  /** With calls to STS that the STS itself does not see. */
  Watch(TestDaemon taskrole, IntSupplier keptBack) throws IOException {
    this.taskrole = taskrole;
    this.calls = () -> taskrole.sts().exchanges() + keptBack.getAsInt();
    this.callsBefore = calls.getAsInt();
    this.begunNanos = time.nanos();
    for (int i = 0; i < 3; i++) {
      Issuer.Token token = taskrole.billing();
      assertThat(coldUntilServed(token)).as("healthy before the fault").isEqualTo(200);
      warm.add(token);
    }
    Logger.getLogger("").addHandler(log);
    files = openFiles();
    platformThreads = platformThreads();
  }

  /** Requests of every kind from now on, until {@link #end}. */
  void begin() {
    stream(Kind.WARM, 20, () -> warm.get((int) (time.nanos() / 1_000_000 % 3)).sign());
    stream(Kind.COLD, 60, () -> taskrole.billing().sign());
    stream(Kind.COLD, 90, () -> taskrole.billing().sign());
    stream(Kind.FORGED, 60, () -> forged(taskrole.billing().sign()));
    stream(
        Kind.UNMAPPED,
        60,
        () -> taskrole.issuer().token("payments", "ledger", "api", "server").sign());
  }

  void during(Duration length) throws InterruptedException {
    time.sleep(length);
  }

  /** Ends the requests. */
  void end() throws Exception {
    over.set(true);
    for (Future<Void> stream : streams) {
      stream.get(10, TimeUnit.SECONDS);
    }
  }

  /** What cold callers were answered: codes, "200" for credentials. */
  Set<String> cold() {
    return seen.stream()
        .filter(one -> one.kind() == Kind.COLD)
        .map(one -> one.reply().status() == 200 ? "200" : one.reply().code())
        .collect(Collectors.toCollection(TreeSet::new));
  }

  /** What the daemon has logged since the beginning. */
  String logged() {
    return log.text();
  }

  /** Holds everything that was seen against the invariants, and waits for the daemon to heal. */
  void assertInvariants() throws Exception {
    assertThat(seen.stream().map(Seen::kind)).contains(Kind.values());
    Duration inTime = ANSWERED.plus(starvation.longest());
    for (Seen one : seen) {
      Reply reply = one.reply();
      String what = one.kind() + " " + reply.status() + " " + reply.body();
      assertThat(one.took()).as(what).isLessThan(inTime);
      switch (one.kind()) {
        case WARM -> assertThat(reply.status()).as(what).isEqualTo(200);
        case COLD -> assertThat(reply.status()).as(what).isIn(200, 403, 503);
        case FORGED -> assertThat(reply.code()).as(what).isEqualTo("TokenSignatureInvalid");
        case UNMAPPED ->
            assertThat(reply.code())
                .as(what)
                .isIn("NoRoleForTask", "NomadUnavailable", "ExchangePending");
      }
      if (reply.status() == 200) {
        assertWhole(one);
      } else {
        assertThat(reply.code()).as(what).isNotEmpty().isEqualTo(reply.reasonPhrase());
        assertThat(reply.text("requestId")).as(what).isNotEmpty();
        assertThat(reply.message()).as(what).isNotEmpty();
      }
    }
    long healing = time.nanos();
    assertThat(coldUntilServed(taskrole.billing())).as("healthy after the fault").isEqualTo(200);
    assertThat(Duration.ofNanos(time.nanos() - healing)).isLessThan(HEALED);
    assertInBudget();
    assertAudited();
    assertNoSecrets();
    assertBounded();
  }

  private void assertWhole(Seen one) {
    Reply reply = one.reply();
    for (String member : List.of("AccessKeyId", "SecretAccessKey", "Token", "AccountId")) {
      assertThat(reply.text(member)).as(member).isNotEmpty();
    }
    assertThat(reply.text("RoleArn")).isEqualTo(TestDaemon.ROLE);
    assertThat(Instant.parse(reply.text("Expiration"))).isAfter(time.instant());
    String owner = allocation(one.token());
    assertThat(ownerOfKey.putIfAbsent(reply.text("AccessKeyId"), owner)).isIn(null, owner);
  }

  /** After a quiet time a second's worth of calls may come at once. */
  private void assertInBudget() {
    double seconds = (time.nanos() - begunNanos) / 1e9;
    assertThat((double) calls.getAsInt() - callsBefore)
        .as("calls to STS in %.1f s", seconds)
        .isLessThanOrEqualTo(taskrole.rate() * (1 + seconds));
  }

  private void assertAudited() throws IOException {
    List<String> requests =
        seen.stream()
            .filter(one -> one.reply().status() != 200)
            .map(one -> one.reply().text("requestId"))
            .toList();
    String audit = String.join("\n", taskrole.audit(seen.size()));
    assertThat(requests).allSatisfy(id -> assertThat(audit).contains(id));
    assertThat(audit).doesNotContain("eyJ");
  }

  private void assertNoSecrets() {
    String logged = log.text();
    assertThat(logged).doesNotContain("eyJ");
    for (Seen one : seen) {
      if (one.reply().status() == 200) {
        assertThat(logged).doesNotContain(one.reply().text("SecretAccessKey"));
        assertThat(logged).doesNotContain(one.reply().text("Token"));
      } else {
        assertThat(one.reply().body()).doesNotContain("eyJ");
      }
    }
    assertThat(taskrole.admin("/metrics").body()).doesNotContain("eyJ");
  }

  private void assertBounded() throws Exception {
    for (int i = 0; i < 200 && openFiles() > files + MORE_FILES; i++) {
      time.sleep(Duration.ofMillis(20));
    }
    assertThat(openFiles()).isLessThanOrEqualTo(files + MORE_FILES);
    assertThat(platformThreads()).isLessThanOrEqualTo(platformThreads + MORE_THREADS);
  }

  private void stream(Kind kind, int pauseMillis, TokenSource tokens) {
    streams.add(
        threads.submit(() -> {
          while (!over.get()) {
            String token = tokens.next();
            long begun = time.nanos();
            Reply reply = taskrole.get(token);
            seen.add(new Seen(kind, token, reply, Duration.ofNanos(time.nanos() - begun)));
            time.sleep(Duration.ofMillis(pauseMillis));
          }
          return null;
        }));
  }

  private interface TokenSource {
    String next();
  }

  private int coldUntilServed(Issuer.Token token) {
    int status = 0;
    for (int i = 0; i < 100 && status != 200; i++) {
      status = taskrole.get(token.sign()).status();
    }
    return status;
  }

  /** Another last character but one of the signature: it is still well-formed. */
  private static String forged(String token) {
    int at = token.length() - 2;
    return token.substring(0, at) + (token.charAt(at) == 'A' ? 'B' : 'A') + token.substring(at + 1);
  }

  private static String allocation(String token) {
    String payload = token.split("\\.", -1)[1];
    String json =
        new String(
            java.util.Base64.getUrlDecoder().decode(payload),
            java.nio.charset.StandardCharsets.UTF_8);
    return json.replaceAll(".*\"nomad_allocation_id\":\"([^\"]+)\".*", "$1");
  }

  private static long openFiles() throws IOException {
    try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
      return open.count();
    }
  }

  private static int platformThreads() {
    return Thread.getAllStackTraces().size();
  }

  @Override
  public void close() {
    over.set(true);
    threads.shutdownNow();
    Logger.getLogger("").removeHandler(log);
  }

  private static final class Log extends Handler {
    private final Queue<String> lines = new ConcurrentLinkedQueue<>();

    @Override
    public void publish(LogRecord entry) {
      lines.add(entry.getMessage() + " " + entry.getThrown());
    }

    String text() {
      return String.join("\n", lines);
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}
  }
}
