import io.taskrole.demo.ClientNode;
import io.taskrole.demo.Issuer;
import io.taskrole.demo.VerifyingSts;
import io.taskrole.time.TimeSource;
import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;

/**
 * Nomad agent and STS as a process, told what to do line by line. Ends with its standard input.
 *
 * <ul>
 *   <li>{@code tokens COUNT FILE} writes that many tokens, of four tasks in each allocation
 *   <li>{@code fleet COUNT BYTES} adds that many allocations, with job specifications of that size
 *   <li>{@code events PER_SECOND SECONDS} changes allocations of the fleet meanwhile, in the
 *       background
 *   <li>{@code stops COUNT PORT} stops that many served allocations one by one, and prints how long
 *       their tokens were still good
 * </ul>
 */
class Upstream {
  private static final int TASKS = 4;
  private static final TimeSource TIME = TimeSource.system();

  public static void main(String[] args) throws Exception {
    try (Issuer issuer = Issuer.start(TIME);
        VerifyingSts sts = VerifyingSts.start(issuer, TIME);
        BufferedReader in =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      for (int i = 0; i < TASKS; i++) {
        sts.trust(
            "arn:aws:iam::123456789012:role/bench",
            issuer.token("default", "bench", "group", "task" + i).subject());
      }
      List<ClientNode.Run> fleet = new ArrayList<>();
      System.out.println("ready " + issuer.issuer() + " " + sts.endpoint());
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        String[] words = line.split(" ");
        int first = Integer.parseInt(words[1]);
        switch (words[0]) {
          case "tokens" -> tokens(issuer, first, Path.of(words[2]));
          case "fleet" -> {
            for (int i = 0; i < first; i++) {
              fleet.add(
                  issuer
                      .node()
                      .run(UUID.randomUUID().toString(), "default", "fleet", "group", "task0")
                      .weight(Integer.parseInt(words[2])));
            }
          }
          case "events" ->
              Thread.ofVirtual().start(() -> events(fleet, first, Integer.parseInt(words[2])));
          case "stops" -> stops(issuer, first, Integer.parseInt(words[2]));
          default -> throw new IllegalArgumentException(line);
        }
        System.out.println("written");
      }
    }
  }

  private static void tokens(Issuer issuer, int count, Path file) throws Exception {
    List<String> tokens = new ArrayList<>();
    String allocation = "";
    for (int i = 0; i < count; i++) {
      if (i % TASKS == 0) {
        allocation = UUID.randomUUID().toString();
        issuer
            .node()
            .run(allocation, "default", "bench", "group", "task0", "task1", "task2", "task3");
      }
      tokens.add(
          issuer
              .token("default", "bench", "group", "task" + i % TASKS)
              .allocation(allocation)
              .sign());
    }
    Files.write(file, tokens);
  }

  private static void events(List<ClientNode.Run> fleet, int perSecond, int seconds) {
    try {
      for (int i = 0; i < perSecond * seconds; i++) {
        // A crash into the restart delay and back: each is news.
        fleet.get(i % fleet.size()).status(i / fleet.size() % 2 == 0 ? "pending" : "running");
        TIME.sleep(Duration.ofNanos(1_000_000_000L / perSecond));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void stops(Issuer issuer, int count, int port) throws Exception {
    long[] micros = new long[count];
    for (int i = 0; i < count; i++) {
      Issuer.Token task = issuer.token("default", "bench", "group", "task0");
      String token = task.sign();
      while (ask(port, token) != 200) {
        TIME.sleep(Duration.ofMillis(20));
      }
      long begun = TIME.nanos();
      issuer.node().run(task.allocation(), "", "", "").status("complete");
      while (ask(port, token) == 200) {
        TIME.sleep(Duration.ofMillis(1));
      }
      micros[i] = (TIME.nanos() - begun) / 1000;
    }
    Arrays.sort(micros);
    System.out.println(
        "stopped p50="
            + micros[count / 2]
            + " p99="
            + micros[count * 99 / 100]
            + " max="
            + micros[count - 1]);
  }

  private static int ask(int port, String token) throws Exception {
    HttpURLConnection connection =
        (HttpURLConnection)
            URI.create("http://127.0.0.1:" + port + "/v1/credentials")
                .toURL()
                .openConnection(Proxy.NO_PROXY);
    connection.setRequestProperty("Authorization", token);
    int status = connection.getResponseCode();
    try (InputStream body =
        status < 400 ? connection.getInputStream() : connection.getErrorStream()) {
      body.readAllBytes();
    }
    return status;
  }
}
