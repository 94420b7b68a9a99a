package io.taskrole.demo;

import io.taskrole.json.StrictJson;
import io.taskrole.time.TimeSource;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.stream.Stream;

/**
 * The main job with everything embedded: an issuer that signs as Nomad does, an STS that verifies,
 * the daemon and a real AWS SDK client as processes of their own. Each step says what happened and
 * how long it took; the demo holds when every step held.
 */
public final class Demo implements AutoCloseable {
  private static final String ROLE = "arn:aws:iam::123456789012:role/payments-billing";
  private static final int SERVICE_UNAVAILABLE = 503;
  private static final Duration OUTAGE_ANSWER = Duration.ofSeconds(1);

  /** A step that did not hold. */
  private static final class Broken extends Exception {
    private static final long serialVersionUID = 1;

    Broken(String what) {
      super(what, null, false, false);
    }
  }

  /** One step: does something, and says in a sentence what was seen. */
  private interface Step {
    String take() throws Broken, IOException, InterruptedException;
  }

  /** What the credential endpoint answered. */
  private record Answer(int status, Map<String, Object> json, Duration time) {
    String text(String member) {
      return json.get(member) instanceof String text ? text : "";
    }
  }

  private final PrintWriter out;
  private final TimeSource time;
  private final Path directory;
  private final Issuer issuer;
  private final VerifyingSts sts;
  private final String allocation = UUID.randomUUID().toString();
  private final Path tokenFile;
  private ChildJvm daemon;
  private URI endpoint = URI.create("http://127.0.0.1");
  private int steps;
  private boolean held = true;

  private Demo(PrintWriter out, TimeSource time) throws IOException {
    this.out = out;
    this.time = time;
    this.directory = Files.createTempDirectory("taskrole-demo");
    this.tokenFile = directory.resolve("nomad_aws.jwt");
    this.issuer = Issuer.start(time);
    this.sts = VerifyingSts.start(issuer, time);
    this.daemon = ChildJvm.none();
  }

  /** Runs the demo; returns whether every step held. */
  public static boolean run(PrintWriter out, TimeSource time) throws IOException {
    try (Demo demo = new Demo(out, time)) {
      out.println("taskrole demo: everything runs on 127.0.0.1, nothing leaves this machine.");
      demo.tell();
      out.println();
      out.println(
          demo.held
              ? "Every step held. README.md shows how to do this with Nomad and AWS."
              : "A step did not hold; see above.");
      return demo.held;
    }
  }

  private void tell() {
    step("start the daemon", this::startDaemon);
    step("fetch and use: a task asks through the AWS SDK's default chain", this::fetchAndUse);
    step("refuse a stranger: a genuine token that no rule names", this::refuseStranger);
    step("refuse a forgery: a token signed by somebody else's key", this::refuseForgery);
    step("rotate the token: Nomad rewrites the token file", this::rotateToken);
    step("rotate the key: Nomad signs with a key never seen before", this::rotateKey);
    step("survive an STS outage: the running task asks again", this::surviveOutage);
    step("say so: a new task asks while STS is down", this::tellOutage);
    step("recover: STS is back, nothing was restarted", this::recover);
    step("stop the task: its token buys nothing any more", this::stopTask);
    step("stop: SIGTERM", this::stop);
  }

  private void step(String title, Step step) {
    if (!held) {
      return;
    }
    steps++;
    out.println();
    out.printf(Locale.ROOT, "%2d. %s%n", steps, title);
    out.flush();
    long begun = time.nanos();
    String said;
    try {
      said = step.take();
    } catch (Broken | IOException e) {
      held = false;
      said = "DID NOT HOLD: " + e.getMessage();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      held = false;
      said = "interrupted";
    }
    said.lines().forEach(line -> out.println("    " + line));
    out.printf(
        Locale.ROOT, "    %s in %.2f s%n", held ? "held" : "failed", (time.nanos() - begun) / 1e9);
    out.flush();
  }

  private String startDaemon() throws Broken, IOException, InterruptedException {
    Issuer.Token task = task();
    sts.trust(ROLE, task.subject());
    Files.writeString(tokenFile, task.sign());
    Files.writeString(
        directory.resolve("roles.yaml"),
        """
        roles:
          - match: {namespace: payments, job: billing}
            role: arn:aws:iam::123456789012:role/{namespace}-{job}
        """);
    Path config =
        Files.writeString(
            directory.resolve("taskrole.yaml"),
            String.format(
                Locale.ROOT,
                """
                listen: {credentials: ["127.0.0.1:0"], admin: "127.0.0.1:0"}
                nomad: {address: "%s"}
                identity: {issuer: "%s"}
                sts: {region: eu-west-1, endpoint: "%s"}
                audit: {file: audit.jsonl}
                """,
                issuer.issuer(),
                issuer.issuer(),
                sts.endpoint()));
    daemon = ChildJvm.start(Map.of(), "io.taskrole.Main", "agent", "--config", config.toString());
    String ready =
        daemon
            .awaitLine("ready ", Duration.ofSeconds(30))
            .orElseThrow(() -> new Broken("the daemon did not become ready\n" + daemon.output()));
    endpoint = URI.create(ready.replaceAll("^ready credentials=(\\S+).*", "$1"));
    return "issuer at " + issuer.issuer() + ", STS at " + sts.endpoint() + "\ndaemon: " + ready;
  }

  private String fetchAndUse() throws Broken, IOException, InterruptedException {
    ChildJvm client = client(tokenFile, "use");
    require(client.exitCode() == 0, client.output());
    String arn = client.line("arn ");
    require(arn.startsWith("arn:aws:sts::123456789012:assumed-role/payments-billing/"), arn);
    require(sts.exchanges() == 1, "expected one exchange, saw " + sts.exchanges());
    return "the SDK got " + client.line("key ") + "\nthe STS knows the signed request as " + arn;
  }

  private String refuseStranger() throws Broken, IOException, InterruptedException {
    Path file =
        Files.writeString(
            directory.resolve("stranger.jwt"),
            issuer.token("payments", "unknown", "web", "server").sign());
    ChildJvm client = client(file);
    require(client.exitCode() == 1, client.output());
    Answer answer = ask(Files.readString(file));
    require(
        answer.status() == 403 && answer.text("code").equals("NoRoleForTask"), answer.toString());
    return "the SDK ends without credentials: "
        + client.line("refused ")
        + "\ntaskrole says: "
        + answer.text("message");
  }

  private String refuseForgery() throws Broken, IOException {
    try (Issuer other = Issuer.start(time)) {
      Answer answer =
          ask(other.token("payments", "billing", "api", "server").allocation(allocation).sign());
      require(
          answer.status() == 403 && answer.text("code").equals("TokenKeyUnknown"),
          answer.toString());
      return "taskrole says: " + answer.text("message");
    }
  }

  private String rotateToken() throws Broken, IOException, InterruptedException {
    int before = sts.exchanges();
    Files.writeString(tokenFile, task().sign());
    ChildJvm client = client(tokenFile, "use");
    require(client.exitCode() == 0, client.output());
    require(sts.exchanges() == before, "the renewed token cost another STS call");
    return "same task, same lease: " + client.line("key ") + ", and no call to STS";
  }

  private String rotateKey() throws Broken, IOException, InterruptedException {
    issuer.rotate();
    Files.writeString(tokenFile, task().sign());
    Answer answer = ask(Files.readString(tokenFile));
    require(answer.status() == 200, answer.toString());
    return "the new key is followed: 200 after " + answer.time().toMillis() + " ms";
  }

  private String surviveOutage() throws Broken, IOException, InterruptedException {
    sts.setDown(true);
    int before = sts.exchanges();
    ChildJvm client = client(tokenFile);
    require(client.exitCode() == 0, client.output());
    require(sts.exchanges() == before, "a running task needed STS");
    return "it has " + client.line("key ") + " still, until they really expire";
  }

  private String tellOutage() throws Broken, IOException {
    Answer answer = ask(otherTask().sign());
    require(
        answer.status() == SERVICE_UNAVAILABLE && answer.text("code").equals("StsUnavailable"),
        answer.toString());
    require(answer.time().compareTo(OUTAGE_ANSWER) < 0, "too late: " + answer.time());
    return "answered after "
        + answer.time().toMillis()
        + " ms, inside every SDK's deadline\ntaskrole says: "
        + answer.text("message");
  }

  private String recover() throws Broken, IOException, InterruptedException {
    sts.setDown(false);
    long begun = time.nanos();
    Answer answer = ask(otherTask().sign());
    while (answer.status() != 200 && time.nanos() - begun < Duration.ofSeconds(10).toNanos()) {
      time.sleep(Duration.ofMillis(200));
      answer = ask(otherTask().sign());
    }
    require(answer.status() == 200, answer.toString());
    return "the new task has " + answer.text("AccessKeyId");
  }

  private String stopTask() throws Broken, IOException, InterruptedException {
    String token = Files.readString(tokenFile);
    require(ask(token).status() == 200, "the task was refused before it stopped");
    ClientNode.Run run = issuer.node().find(allocation);
    require(run != null, "the agent does not know the allocation");
    long begun = time.nanos();
    Objects.requireNonNull(run).status("complete");
    Answer answer = ask(token);
    while (answer.status() == 200 && time.nanos() - begun < Duration.ofSeconds(5).toNanos()) {
      time.sleep(Duration.ofMillis(5));
      answer = ask(token);
    }
    require(
        answer.status() == 403 && answer.text("code").equals("AllocationStopped"),
        answer.toString());
    return "refused "
        + (time.nanos() - begun) / 1_000_000
        + " ms after Nomad knew, though the token is still in time\ntaskrole says: "
        + answer.text("message");
  }

  private String stop() throws Broken, InterruptedException {
    daemon.terminate();
    int code = daemon.exitCode();
    require(code == 0, "exit code " + code + "\n" + daemon.output());
    return "exit code 0; the audit log told every decision";
  }

  private Issuer.Token task() {
    return issuer.token("payments", "billing", "api", "server").allocation(allocation);
  }

  private Issuer.Token otherTask() {
    return issuer
        .token("payments", "billing", "api", "server")
        .allocation("0".repeat(7) + "1" + allocation.substring(8));
  }

  private ChildJvm client(Path token, String... arguments)
      throws IOException, InterruptedException {
    ChildJvm client =
        ChildJvm.start(
            Map.of(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI", endpoint.toString(),
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.toString(),
                "AWS_REGION", "eu-west-1",
                "AWS_ENDPOINT_URL_STS", sts.endpoint().toString(),
                "AWS_EC2_METADATA_DISABLED", "true",
                // No profile of the person who runs the demo may answer in the daemon's place.
                "AWS_CONFIG_FILE", directory.resolve("none").toString(),
                "AWS_SHARED_CREDENTIALS_FILE", directory.resolve("none").toString()),
            DemoClient.class.getName(),
            arguments);
    client.exitCode();
    return client;
  }

  private Answer ask(String token) throws IOException {
    long begun = time.nanos();
    HttpURLConnection connection =
        (HttpURLConnection) endpoint.toURL().openConnection(Proxy.NO_PROXY);
    connection.setRequestProperty("Authorization", token);
    connection.setReadTimeout(30_000);
    int status = connection.getResponseCode();
    byte[] body =
        (status < 400 ? connection.getInputStream() : connection.getErrorStream()).readAllBytes();
    Duration spent = Duration.ofNanos(time.nanos() - begun);
    return new Answer(status, StrictJson.parse(body).orElse(Map.of()), spent);
  }

  private static void require(boolean condition, String otherwise) throws Broken {
    if (!condition) {
      throw new Broken(otherwise);
    }
  }

  @Override
  public void close() {
    daemon.terminate();
    sts.close();
    issuer.close();
    try (Stream<Path> files = Files.walk(directory)) {
      List<Path> all = files.sorted(Comparator.reverseOrder()).toList();
      for (Path file : all) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
