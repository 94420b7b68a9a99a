package io.taskrole.testing;

import io.taskrole.Daemon;
import io.taskrole.config.ConfigFile;
import io.taskrole.config.TaskroleConfig;
import io.taskrole.demo.Issuer;
import io.taskrole.demo.VerifyingSts;
import io.taskrole.time.TimeSource;
import io.taskrole.yaml.Problems;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.UnaryOperator;

/** The whole daemon in this process, with an issuer and an STS of its own, over real sockets. */
public final class TestDaemon implements AutoCloseable {
  public static final String ROLE = "arn:aws:iam::123456789012:role/payments-billing";
  public static final String ROLES =
      """
      roles:
        - match: {namespace: payments, job: billing}
          role: arn:aws:iam::123456789012:role/payments-billing
      """;

  private static final String LOOPBACK = "127.0.0.1";

  /** Calls to STS a second: more than any test makes. */
  private static final int UNLIMITED = 1000;

  /** Few enough to tell whether they are kept to, while something fails. */
  private static final int SCARCE = 20;

  private final TimeSource time = TimeSource.system();
  private final Path directory;
  private final Issuer issuer;
  private final VerifyingSts sts;
  private final Daemon daemon;
  private final int rate;

  private TestDaemon(
      Path directory,
      String listen,
      String roles,
      int rate,
      String extra,
      String stsExtra,
      UnaryOperator<URI> before,
      UnaryOperator<URI> beforeNomad) {
    try {
      this.directory = directory;
      this.rate = rate;
      issuer = Issuer.start(time);
      sts = VerifyingSts.start(issuer, time);
      sts.trust(ROLE, issuer.token("payments", "billing", "api", "server").subject());
      writeRoles(roles);
      Files.writeString(
          directory.resolve("taskrole.yaml"),
          String.format(
              Locale.ROOT,
              """
              listen: {credentials: ["%s:0"], admin: "127.0.0.1:0"}
              nomad: {address: "%s"}
              sts: {region: eu-west-1, endpoint: "%s", rate: %d%s}
              audit: {file: audit.jsonl}
              %s
              """,
              listen,
              beforeNomad.apply(URI.create(issuer.issuer())),
              before.apply(sts.endpoint()),
              rate,
              String.format(Locale.ROOT, stsExtra, sts.endpoint()),
              extra));
      Problems problems = new Problems();
      TaskroleConfig config =
          ConfigFile.check(directory.resolve("taskrole.yaml"), _ -> Optional.empty(), problems)
              .orElseThrow(() -> new IllegalStateException(problems.list().toString()));
      daemon = Daemon.start(config, problems, OutputStream.nullOutputStream(), time).orElseThrow();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public static TestDaemon start(Path directory) {
    return new TestDaemon(
        directory, LOOPBACK, ROLES, UNLIMITED, "", "", sts -> sts, nomad -> nomad);
  }

  /** With other rules and further configuration keys. */
  public static TestDaemon start(Path directory, String roles, String extra) {
    return new TestDaemon(
        directory, LOOPBACK, roles, UNLIMITED, extra, "", sts -> sts, nomad -> nomad);
  }

  /** On another address. */
  public static TestDaemon startOn(Path directory, String listen, String roles) {
    return new TestDaemon(directory, listen, roles, UNLIMITED, "", "", sts -> sts, nomad -> nomad);
  }

  /** With an STS of the test's own. */
  public static TestDaemon startWithSts(Path directory, String endpoint, String extra) {
    return new TestDaemon(
        directory,
        LOOPBACK,
        ROLES,
        UNLIMITED,
        extra,
        "",
        _ -> URI.create(endpoint),
        nomad -> nomad);
  }

  /** With something between it and its STS at home, which a second Region reaches directly. */
  public static TestDaemon startWithFallback(Path directory, UnaryOperator<URI> before) {
    return new TestDaemon(
        directory,
        LOOPBACK,
        ROLES,
        SCARCE,
        "",
        ", fallback-region: eu-central-1, fallback-endpoint: \"%s\"",
        before,
        nomad -> nomad);
  }

  /** With something between it and its STS; the function makes it, and says where it listens. */
  public static TestDaemon startBehind(Path directory, UnaryOperator<URI> before) {
    return new TestDaemon(directory, LOOPBACK, ROLES, SCARCE, "", "", before, nomad -> nomad);
  }

  /** With other rules, so many calls a second, and something between it and its STS. */
  public static TestDaemon startBehind(
      Path directory, String roles, int rate, UnaryOperator<URI> before) {
    return new TestDaemon(directory, LOOPBACK, roles, rate, "", "", before, nomad -> nomad);
  }

  /** With something between it and its Nomad agent. */
  public static TestDaemon startBehindAgent(Path directory, UnaryOperator<URI> before) {
    return new TestDaemon(directory, LOOPBACK, ROLES, SCARCE, "", "", sts -> sts, before);
  }

  public Issuer issuer() {
    return issuer;
  }

  public VerifyingSts sts() {
    return sts;
  }

  /** {@code sts.rate}. */
  public int rate() {
    return rate;
  }

  public Daemon daemon() {
    return daemon;
  }

  public InetSocketAddress address() {
    return daemon.credentials().getFirst();
  }

  /** A token of the task that {@link #ROLES} names. */
  public Issuer.Token billing() {
    return issuer.token("payments", "billing", "api", "server");
  }

  public Reply get(String token) {
    return RawHttp.once(address(), RawHttp.request(address(), token));
  }

  public Reply admin(String path) {
    return RawHttp.once(
        daemon.admin(),
        "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + daemon.admin().getPort() + "\r\n\r\n");
  }

  /** Replaces the roles file by a rename, as a careful editor does. */
  public void writeRoles(String roles) {
    try {
      Path next = Files.writeString(directory.resolve("roles.yaml.next"), roles);
      Files.move(
          next,
          directory.resolve("roles.yaml"),
          java.nio.file.StandardCopyOption.REPLACE_EXISTING,
          java.nio.file.StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The audit lines, once there are at least so many. */
  public List<String> audit(int least) {
    Path file = directory.resolve("audit.jsonl");
    until(() -> lines(file).size() >= least);
    return lines(file);
  }

  private static List<String> lines(Path file) {
    try {
      return Files.readAllLines(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Waits for something that comes by itself; fails after ten seconds. */
  public void until(BooleanSupplier condition) {
    try {
      for (int i = 0; i < 1000; i++) {
        if (condition.getAsBoolean()) {
          return;
        }
        time.sleep(Duration.ofMillis(10));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    throw new AssertionError("did not come about in 10 s");
  }

  @Override
  public void close() {
    daemon.close();
    sts.close();
    issuer.close();
  }
}
