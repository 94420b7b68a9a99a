import io.taskrole.demo.Issuer;
import io.taskrole.demo.VerifyingSts;
import io.taskrole.time.TimeSource;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * All that surrounds a daemon in the soak: a Nomad agent whose allocations come and go, an STS, and
 * the tasks that ask. Told what to do line by line; ends with its standard input.
 *
 * <ul>
 *   <li>{@code sts MOOD} and {@code agent down|up}
 *   <li>{@code rotate} signs with a new key from now on, {@code drop} withdraws the older ones
 *   <li>{@code changed JOB} the rule of that job is another one now: its tasks begin anew
 *   <li>{@code vanish on|off} clients that leave in the midst
 *   <li>{@code quiet} no request for a second
 *   <li>{@code begin PORT RATE} begins to ask; {@code figures} tells what was answered; {@code end}
 * </ul>
 */
final class Soak {
  private static final TimeSource TIME = TimeSource.system();
  private static final int JOBS = 8;
  private static final int STABLE = 50;
  private static final int CHANGING = 50;
  private static final int TASKS = 4;
  private static final int SESSION_SECONDS = 360;
  private static final Duration TOKEN_LIFE = Duration.ofMinutes(4);
  private static final Duration TOKEN_RENEWED_AFTER = Duration.ofSeconds(60);
  private static final Duration ASKED_AFTER_THE_STOP = Duration.ofSeconds(6);
  private static final Duration FORGOTTEN_AFTER = Duration.ofSeconds(30);

  /** The four tasks of an allocation. */
  private record Allocation(String id, String job, List<SoakTask> tasks) {}

  private record Ended(Allocation allocation, long atNanos) {}

  private final Issuer issuer = Issuer.start(TIME);
  private final VerifyingSts sts = VerifyingSts.start(issuer, TIME);
  private final Gateway gateway = new Gateway(sts.endpoint(), SESSION_SECONDS);
  private final List<Allocation> stable = new ArrayList<>();
  private final Deque<Allocation> changing = new ArrayDeque<>();
  private final Deque<Ended> ended = new ArrayDeque<>();
  private final List<SoakTask> asking = new CopyOnWriteArrayList<>();
  private int started;
  private SoakLoad load;

  private Soak() throws Exception {
    for (int job = 0; job < JOBS; job++) {
      for (int task = 0; task < TASKS; task++) {
        sts.trust(
            role("job" + job), issuer.token("soak", "job" + job, "group", "task" + task).subject());
      }
    }
    for (int i = 0; i < STABLE; i++) {
      stable.add(allocation());
    }
    for (int i = 0; i < CHANGING; i++) {
      changing.add(allocation());
    }
  }

  public static void main(String[] args) throws Exception {
    Soak soak = new Soak();
    System.out.println("ready " + soak.issuer.issuer() + " " + soak.gateway.endpoint());
    try (BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        System.out.println(soak.obey(line.split(" ")));
      }
    }
    System.exit(0);
  }

  private String obey(String[] words) throws Exception {
    switch (words[0]) {
      case "sts" -> gateway.mood(Gateway.Mood.valueOf(words[1].toUpperCase(Locale.ROOT)));
      case "agent" -> {
        issuer.setDown(words[1].equals("down"));
        load.agent(words[1].equals("up"));
      }
      case "rotate" -> {
        issuer.rotate();
        renew(Duration.ZERO);
      }
      case "drop" -> issuer.dropOldKeys();
      case "changed" -> changed(words[1]);
      case "quiet" -> load.quiet();
      case "vanish" -> load.vanish(words[1].equals("on"));
      case "begin" -> begin(Integer.parseInt(words[1]), Integer.parseInt(words[2]));
      case "figures" -> {
        return load.figures() + " calls=" + gateway.calls();
      }
      case "end" -> {
        return load.end();
      }
      default -> throw new IllegalArgumentException(words[0]);
    }
    return "done";
  }

  private void begin(int port, int rate) throws Exception {
    load = new SoakLoad(port, rate, asking);
    every(Duration.ofSeconds(1), this::replaceOne);
    every(Duration.ofMillis(250), () -> renew(TOKEN_RENEWED_AFTER));
    load.begin();
  }

  private static String role(String job) {
    return "arn:aws:iam::123456789012:role/soak-" + job;
  }

  private synchronized Allocation allocation() {
    String job = "job" + started++ % JOBS;
    String id = UUID.randomUUID().toString();
    issuer.node().run(id, "soak", job, "group", "task0", "task1", "task2", "task3");
    List<SoakTask> tasks = new ArrayList<>();
    for (int i = 0; i < TASKS; i++) {
      Issuer.Token token =
          issuer.token("soak", job, "group", "task" + i).allocation(id).life(TOKEN_LIFE);
      tasks.add(new SoakTask(id + "/task" + i, job, role(job), token));
    }
    asking.addAll(tasks);
    return new Allocation(id, job, tasks);
  }

  /** One allocation stops and another one starts; those long stopped are forgotten. */
  private synchronized void replaceOne() {
    Allocation stopping = changing.removeFirst();
    issuer.node().run(stopping.id(), "", "", "").status("complete");
    long now = System.nanoTime();
    stopping.tasks().forEach(task -> task.stopped(now));
    ended.add(new Ended(stopping, now));
    changing.add(allocation());
    for (Ended one : ended) {
      if (now - one.atNanos() > ASKED_AFTER_THE_STOP.toNanos()) {
        asking.removeAll(one.allocation().tasks());
      }
    }
    while (now - ended.getFirst().atNanos() > FORGOTTEN_AFTER.toNanos()) {
      issuer.node().forget(ended.removeFirst().allocation().id());
    }
  }

  /** As Nomad does ahead of a token's end. */
  private synchronized void renew(Duration age) {
    long now = System.nanoTime();
    stable.forEach(one -> one.tasks().forEach(task -> task.renew(age, now)));
    changing.forEach(one -> one.tasks().forEach(task -> task.renew(age, now)));
  }

  private synchronized void changed(String job) {
    stable.stream().filter(one -> one.job().equals(job)).forEach(Soak::coolDown);
    changing.stream().filter(one -> one.job().equals(job)).forEach(Soak::coolDown);
  }

  private static void coolDown(Allocation allocation) {
    allocation.tasks().forEach(SoakTask::beginAnew);
  }

  private static void every(Duration pause, Runnable work) {
    Thread.ofPlatform()
        .daemon()
        .start(() -> {
          try {
            while (true) {
              TIME.sleep(pause);
              work.run();
            }
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
        });
  }
}
