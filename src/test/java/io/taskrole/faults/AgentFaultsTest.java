package io.taskrole.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.demo.Issuer;
import io.taskrole.faults.Relay.Fault;
import io.taskrole.testing.ScriptedHttp;
import io.taskrole.testing.TestDaemon;
import io.taskrole.time.TimeSource;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Everything that the Nomad agent does wrong, with its key set and with its allocations, under
 * traffic: a bad key set never takes the place of a good one, and what was known to run is served.
 */
class AgentFaultsTest {
  private static final Duration LASTS = Duration.ofMillis(600);
  private static final String KEYS = "/.well-known/jwks.json";
  private static final String ALLOCATIONS = "/v1/node/";
  private static final String[] UNKNOWN = {"NomadUnavailable", "ExchangePending"};

  @TempDir private Path directory;
  private Relay relay;
  private TestDaemon taskrole;

  @BeforeEach
  void start() {
    taskrole =
        TestDaemon.startBehindAgent(
            directory,
            agent -> {
              relay = Relay.before(agent);
              return relay.endpoint();
            });
  }

  @AfterEach
  void stop() {
    taskrole.close();
    relay.close();
  }

  /**
   * One row of the table.
   *
   * @param told what cold callers may be answered; "200" for credentials
   */
  record Row(String name, String path, Fault fault, Set<String> told) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static Row row(String name, String path, Fault fault, String... told) {
    return new Row(
        name,
        path,
        (daemon, upstream) -> {
          if (upstream.path().startsWith(path)) {
            return fault.play(daemon, upstream);
          }
          daemon.getOutputStream().write(upstream.ask());
          return true;
        },
        Set.of(told));
  }

  private static Fault says(int status, String body) {
    return says(
        "HTTP/1.1 "
            + status
            + " X\r\nX-Nomad-Index: 7\r\nX-Nomad-KnownLeader: true\r\nContent-Length: "
            + body.length()
            + "\r\n\r\n"
            + body);
  }

  private static Fault says(String answer) {
    return (daemon, upstream) -> {
      ScriptedHttp.write(daemon, answer);
      pause(50);
      return false;
    };
  }

  static Stream<Row> keySets() {
    String huge =
        IntStream.range(0, 100_000)
            .mapToObj(i -> "{\"kty\":\"oct\",\"kid\":\"" + i + "\"}")
            .collect(Collectors.joining(",", "{\"keys\":[", "]}"));
    return Stream.of(
        row("no keys", KEYS, says(200, "{\"keys\":[]}"), "200"),
        row("no key set", KEYS, says(200, "{}"), "200"),
        row("HTML", KEYS, says(200, "<!doctype html><html></html>"), "200"),
        row("nothing", KEYS, says(200, ""), "200"),
        row("100,000 keys", KEYS, says(200, huge), "200"),
        row(
            "a key twice",
            KEYS,
            altered(s -> s.replaceFirst("\\{\"keys\":\\[(.*)\\]", "{\"keys\":[$1,$1]")),
            "200"),
        row("another algorithm", KEYS, altered(s -> s.replace("RS256", "HS256")), "200"),
        row(
            "private members",
            KEYS,
            altered(s -> s.replace("\"e\":", "\"d\":\"AQAB\",\"e\":")),
            "200"),
        row("an exponent of one", KEYS, altered(s -> s.replace("AQAB", "AQ")), "200"),
        row("304 unasked for", KEYS, says("HTTP/1.1 304 Not Modified\r\n\r\n"), "200"),
        row(
            "302",
            KEYS,
            says(
                "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
            "200"),
        row("500", KEYS, says(500, "No cluster leader"), "200"),
        row("403", KEYS, says(403, "Permission denied"), "200"),
        row("cut", KEYS, says("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"keys\":[{"), "200"),
        row("reset", KEYS, AgentFaultsTest::reset, "200"),
        row("silence", KEYS, AgentFaultsTest::silence, "200"),
        row("max-age 0", KEYS, altered(s -> s.replaceFirst("max-age=\\d+", "max-age=0")), "200"),
        row(
            "index goes back",
            KEYS,
            altered(s -> s.replaceFirst("(?i)x-nomad-index: \\d+", "X-Nomad-Index: 1")),
            "200"));
  }

  static Stream<Row> allocations() {
    return Stream.of(
        row("500", ALLOCATIONS, says(500, "No cluster leader"), UNKNOWN),
        row("403", ALLOCATIONS, says(403, "Permission denied"), UNKNOWN),
        row("404", ALLOCATIONS, says(404, "no"), UNKNOWN),
        row("HTML", ALLOCATIONS, says(200, "<!doctype html><html></html>"), UNKNOWN),
        row("an object for a list", ALLOCATIONS, says(200, "{}"), UNKNOWN),
        row("nothing", ALLOCATIONS, says(200, ""), UNKNOWN),
        row(
            "cut",
            ALLOCATIONS,
            says("HTTP/1.1 200 OK\r\nX-Nomad-Index: 9\r\nContent-Length: 900\r\n\r\n[{\"ID\":"),
            UNKNOWN),
        row("reset", ALLOCATIONS, AgentFaultsTest::reset, UNKNOWN),
        row("silence", ALLOCATIONS, AgentFaultsTest::silence, UNKNOWN),
        row(
            "a new leader's index",
            ALLOCATIONS,
            altered(s -> s.replaceFirst("(?i)x-nomad-index: \\d+", "X-Nomad-Index: 1")),
            "200",
            "NomadUnavailable"));
  }

  @ParameterizedTest
  @MethodSource("keySets")
  void badKeySet_neverTakesTheGoodOnesPlace(Row row) throws Exception {
    holds(row);
  }

  @ParameterizedTest
  @MethodSource("allocations")
  void badList_takesNothingFromWhatRuns(Row row) throws Exception {
    holds(row);
  }

  @Test
  void agentGone_takesNothingFromWhatRuns() throws Exception {
    try (Watch watch = new Watch(taskrole)) {
      relay.refuse();
      watch.begin();
      watch.during(LASTS);
      watch.end();
      relay.accept();
      assertThat(watch.cold()).isNotEmpty().isSubsetOf(UNKNOWN);
      watch.assertInvariants();
    }
  }

  @Test
  void keyRotatedWhileTheKeySetIsAway_isKnownOnceItIsBack() throws Exception {
    Issuer.Token task = taskrole.billing();
    assertThat(taskrole.get(task.sign()).status()).isEqualTo(200);
    relay.begin(row("", KEYS, says(500, "No cluster leader")).fault());
    relay.reset(KEYS);
    taskrole.issuer().rotate();
    assertThat(taskrole.get(task.sign()).code()).isEqualTo("TokenKeyUnknown");

    relay.end();
    int status = 0;
    for (int i = 0; i < 200 && status != 200; i++) {
      status = taskrole.get(task.sign()).status();
      pause(50);
    }
    assertThat(status).isEqualTo(200);
  }

  private void holds(Row row) throws Exception {
    try (Watch watch = new Watch(taskrole)) {
      relay.begin(row.fault());
      relay.reset(row.path());
      watch.begin();
      watch.during(LASTS);
      watch.end();
      relay.end();
      relay.reset(row.path());
      assertThat(watch.cold()).isNotEmpty().isSubsetOf(row.told());
      watch.assertInvariants();
    }
  }

  private interface Change {
    String apply(String answer);
  }

  /** The agent's own answer with something changed; its length is told anew. */
  private static Fault altered(Change change) {
    return (daemon, upstream) -> {
      String answer = new String(upstream.ask(), StandardCharsets.ISO_8859_1);
      String changed = change.apply(answer);
      int body = changed.length() - changed.indexOf("\r\n\r\n") - 4;
      ScriptedHttp.write(
          daemon, changed.replaceFirst("(?i)content-length: \\d+", "Content-Length: " + body));
      pause(20);
      return true;
    };
  }

  private static boolean reset(Socket daemon, Relay.Upstream upstream) throws IOException {
    daemon.setSoLinger(true, 0);
    return false;
  }

  private static boolean silence(Socket daemon, Relay.Upstream upstream)
      throws InterruptedException {
    pause(60_000);
    return false;
  }

  private static void pause(long millis) throws InterruptedException {
    TimeSource.system().sleep(Duration.ofMillis(millis));
  }
}
