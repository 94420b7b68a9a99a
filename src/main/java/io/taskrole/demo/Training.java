package io.taskrole.demo;

import io.taskrole.time.TimeSource;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A short run of the daemon, as a process of its own, from which the JVM learns what to keep in its
 * start-up cache (JEP 514). The issuer, the STS and the asker stay in this process: what the daemon
 * does not load is not in the cache and not in its memory.
 */
public final class Training {
  private static final int ROUNDS = 200;
  private static final Duration START = Duration.ofSeconds(60);

  private Training() {}

  /**
   * Starts the daemon, has it answer, and ends it. Blocks, for some ten seconds with a cache to
   * write.
   *
   * @param daemon the command that runs taskrole, without its subcommand
   * @return whether the daemon became ready and ended
   */
  public static boolean run(List<String> daemon, TimeSource time)
      throws IOException, InterruptedException {
    Path directory = Files.createTempDirectory("taskrole-train");
    Path roles = directory.resolve("roles.yaml");
    Path config = directory.resolve("taskrole.yaml");
    try (Issuer issuer = Issuer.start(time);
        VerifyingSts sts = VerifyingSts.start(issuer, time)) {
      Files.writeString(
          roles,
          """
          roles:
            - match: {namespace: default, job: "train-*"}
              role: arn:aws:iam::123456789012:role/{job}
          """);
      Files.writeString(
          config,
          String.format(
              Locale.ROOT,
              """
              listen: {credentials: ["127.0.0.1:0"], admin: "127.0.0.1:0"}
              nomad: {address: "%s"}
              sts: {region: eu-west-1, endpoint: "%s"}
              """,
              issuer.issuer(),
              sts.endpoint()));
      List<String> command = new ArrayList<>(daemon);
      command.addAll(List.of("agent", "--config", config.toString()));
      ChildJvm child = ChildJvm.start(Map.of(), command);
      try {
        var ready = child.awaitLine("ready ", START);
        if (ready.isEmpty()) {
          return false;
        }
        exercise(ready.get(), issuer, sts);
      } finally {
        child.terminate();
      }
      return child.exitCode() >= 0;
    } finally {
      Files.deleteIfExists(roles);
      Files.deleteIfExists(config);
      Files.deleteIfExists(directory);
    }
  }

  private static void exercise(String ready, Issuer issuer, VerifyingSts sts) throws IOException {
    URI credentials = URI.create(ready.replaceAll(".*\\bcredentials=(\\S+).*", "$1"));
    URI admin = URI.create(ready.replaceAll(".*\\badmin=(\\S+).*", "$1"));
    var task = issuer.token("default", "train-one", "group", "task");
    sts.trust("arn:aws:iam::123456789012:role/train-one", task.subject());
    String good = task.sign();
    String stranger = issuer.token("default", "other", "group", "task").sign();
    for (int i = 0; i < ROUNDS; i++) {
      ask(credentials, good);
      if (i % 4 == 0) {
        // The same task in another allocation: an exchange of its own.
        ask(credentials, issuer.token("default", "train-one", "group", "task").sign());
      }
      if (i % 20 == 0) {
        ask(credentials, stranger);
        ask(credentials.resolve("/other"), good);
        ask(admin.resolve("/metrics"), "");
        ask(admin.resolve("/readyz"), "");
      }
    }
  }

  private static void ask(URI address, String token) throws IOException {
    HttpURLConnection connection =
        (HttpURLConnection) address.toURL().openConnection(Proxy.NO_PROXY);
    connection.setRequestProperty("Authorization", token);
    try (var body =
        connection.getResponseCode() < 400
            ? connection.getInputStream()
            : connection.getErrorStream()) {
      body.readAllBytes();
    }
  }
}
