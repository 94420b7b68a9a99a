package io.taskrole.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.testing.Reply;
import io.taskrole.testing.ScriptedHttp;
import io.taskrole.testing.StsAnswers;
import io.taskrole.testing.TestDaemon;
import io.taskrole.time.TimeSource;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** All tasks of a full node start within a second, and STS throttles. */
class HerdTest {
  private static final int TASKS = 500;
  private static final int JOBS = 10;
  private static final int RATE = 150;

  /** What STS allows in a second, and at once. */
  private static final int ALLOWED = 70;

  private static final Duration ALL_SERVED = Duration.ofSeconds(40);

  private final TimeSource time = TimeSource.system();
  @TempDir private Path directory;
  private Relay relay;
  private TestDaemon taskrole;

  /** One task, what it was answered, and what it has in the end. */
  private record Member(String allocation, String role, List<Duration> waits, Reply last) {}

  @BeforeEach
  void start() {
    taskrole =
        TestDaemon.startBehind(
            directory,
            """
            roles:
              - match: {namespace: payments}
                role: "arn:aws:iam::123456789012:role/nomad/{namespace}-{job}"
            """,
            RATE,
            sts -> {
              relay = Relay.before(sts);
              return relay.endpoint();
            });
    for (int job = 0; job < JOBS; job++) {
      taskrole
          .sts()
          .trust(
              role(job), taskrole.issuer().token("payments", "job" + job, "g", "server").subject());
    }
  }

  @AfterEach
  void stop() {
    taskrole.close();
    relay.close();
  }

  @Test
  void fiveHundredInASecond_haveEachTheirOwnRole_eachAnswerInTime_withinTheBudget()
      throws Exception {
    // The first of all loads what every exchange needs.
    var first = taskrole.issuer().token("payments", "job0", "g", "server");
    assertThat(askUntilServed(first.allocation(), role(0), first.sign()).last().status())
        .isEqualTo(200);
    List<Callable<Member>> tasks = new ArrayList<>();
    for (int i = 0; i < TASKS; i++) {
      var token = taskrole.issuer().token("payments", "job" + i % JOBS, "g", "server");
      String signed = token.sign();
      String role = role(i % JOBS);
      tasks.add(() -> askUntilServed(token.allocation(), role, signed));
    }
    Limit limit = new Limit();
    relay.begin((daemon, upstream) -> {
      if (limit.takes()) {
        daemon.getOutputStream().write(upstream.ask());
        return true;
      }
      ScriptedHttp.write(daemon, StsAnswers.error(400, "Throttling", "Rate exceeded"));
      return false;
    });

    Starvation starvation = new Starvation();
    long begun = time.nanos();
    List<Member> herd = new ArrayList<>();
    try (ExecutorService clients = Executors.newVirtualThreadPerTaskExecutor()) {
      for (Future<Member> member : clients.invokeAll(tasks)) {
        herd.add(member.get());
      }
    }
    double seconds = (time.nanos() - begun) / 1e9;

    int calls = taskrole.sts().exchanges() + relay.keptBack();
    System.out.printf(
        "a herd of %d, of which STS takes %d a second: all served in %.1f s, %d calls; the longest"
            + " wait %d ms, threads starved for %d ms%n",
        TASKS,
        ALLOWED,
        seconds,
        calls,
        herd.stream()
            .flatMap(member -> member.waits().stream())
            .mapToLong(Duration::toMillis)
            .max()
            .orElse(0),
        starvation.longest().toMillis());
    Duration inTime = Watch.ANSWERED.plus(starvation.longest());

    Set<String> keys = new HashSet<>();
    for (Member member : herd) {
      assertThat(member.last().status()).as(member.last().body()).isEqualTo(200);
      assertThat(member.last().text("RoleArn")).isEqualTo(member.role());
      assertThat(keys.add(member.last().text("AccessKeyId"))).as("a key of its own").isTrue();
      assertThat(member.waits()).allSatisfy(wait -> assertThat(wait).isLessThan(inTime));
    }
    assertThat(taskrole.sts().exchanges()).isEqualTo(1 + TASKS);
    assertThat(relay.mostAbove(RATE)).as("calls above the budget at some time").isZero();
    assertThat(relay.mostPerSession()).isEqualTo(1);
    assertThat(relay.keptBack()).as("STS did throttle").isPositive();
  }

  /** As SDKs do, but with more patience: a pause that grows, with jitter. */
  private Member askUntilServed(String allocation, String role, String token) throws Exception {
    List<Duration> waits = new ArrayList<>();
    time.sleep(Duration.ofMillis(ThreadLocalRandom.current().nextLong(1_000)));
    long begun = time.nanos();
    for (int attempt = 0; ; attempt++) {
      long asked = time.nanos();
      Reply reply = taskrole.get(token);
      waits.add(Duration.ofNanos(time.nanos() - asked));
      boolean isOver =
          reply.status() != 503 || Duration.ofNanos(time.nanos() - begun).compareTo(ALL_SERVED) > 0;
      if (isOver) {
        return new Member(allocation, role, waits, reply);
      }
      long most = Math.min(1_000, 100L << Math.min(attempt, 4));
      time.sleep(Duration.ofMillis(ThreadLocalRandom.current().nextLong(most / 2, most)));
    }
  }

  private static String role(int job) {
    return "arn:aws:iam::123456789012:role/nomad/payments-job" + job;
  }

  /** A bucket of tokens. */
  private final class Limit {
    private double left = ALLOWED;
    private long filled = time.nanos();

    synchronized boolean takes() {
      long now = time.nanos();
      left = Math.min(ALLOWED, left + (now - filled) * ALLOWED / 1e9);
      filled = now;
      if (left < 1) {
        return false;
      }
      left--;
      return true;
    }
  }
}
