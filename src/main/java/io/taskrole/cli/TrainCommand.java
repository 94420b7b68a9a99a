package io.taskrole.cli;

import io.taskrole.Daemon;
import io.taskrole.config.ConfigFile;
import io.taskrole.config.TaskroleConfig;
import io.taskrole.demo.Issuer;
import io.taskrole.demo.VerifyingSts;
import io.taskrole.time.TimeSource;
import io.taskrole.yaml.Problems;
import java.io.IOException;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/**
 * {@code taskrole train}: a short run of the daemon against an embedded issuer and STS, from which
 * the JVM learns what to keep in its start-up cache (JEP 514). Started by the launcher, not by
 * people.
 */
@Command(name = "train", hidden = true, description = "Exercise the daemon for the start-up cache.")
final class TrainCommand implements Callable<Integer> {
  private static final int ROUNDS = 200;

  @Override
  public Integer call() throws IOException {
    TimeSource time = TimeSource.system();
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
      Problems problems = new Problems();
      Optional<Daemon> daemon =
          ConfigFile.check(config, ConfigOption::environment, problems)
              .flatMap(loaded -> start(loaded, problems, time));
      if (daemon.isEmpty()) {
        return TaskroleCommand.FAILED;
      }
      try (Daemon running = daemon.get()) {
        exercise(running, issuer, sts);
      }
      return TaskroleCommand.OK;
    } finally {
      Files.deleteIfExists(roles);
      Files.deleteIfExists(config);
      Files.deleteIfExists(directory);
    }
  }

  private static Optional<Daemon> start(TaskroleConfig config, Problems problems, TimeSource time) {
    try {
      return Daemon.start(config, problems, OutputStream.nullOutputStream(), time);
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  private static void exercise(Daemon daemon, Issuer issuer, VerifyingSts sts) throws IOException {
    var task = issuer.token("default", "train-one", "group", "task");
    sts.trust("arn:aws:iam::123456789012:role/train-one", task.subject());
    String good = task.sign();
    String stranger = issuer.token("default", "other", "group", "task").sign();
    for (int i = 0; i < ROUNDS; i++) {
      ask(daemon.credentials().getFirst(), "/v1/credentials", good);
      if (i % 4 == 0) {
        // The same task in another allocation: an exchange of its own.
        ask(
            daemon.credentials().getFirst(),
            "/v1/credentials",
            issuer.token("default", "train-one", "group", "task").sign());
      }
      if (i % 20 == 0) {
        ask(daemon.credentials().getFirst(), "/v1/credentials", stranger);
        ask(daemon.credentials().getFirst(), "/other", good);
        ask(daemon.admin(), "/metrics", "");
        ask(daemon.admin(), "/readyz", "");
      }
    }
  }

  private static void ask(InetSocketAddress address, String path, String token) throws IOException {
    HttpURLConnection connection =
        (HttpURLConnection)
            URI.create("http://127.0.0.1:" + address.getPort() + path)
                .toURL()
                .openConnection(Proxy.NO_PROXY);
    connection.setRequestProperty("Authorization", token);
    try (var body =
        connection.getResponseCode() < 400
            ? connection.getInputStream()
            : connection.getErrorStream()) {
      body.readAllBytes();
    }
  }
}
