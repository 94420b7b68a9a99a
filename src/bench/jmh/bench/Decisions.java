package bench;

import io.taskrole.attest.ConnectionAttestor;
import io.taskrole.broker.Broker;
import io.taskrole.broker.BrokerConfig;
import io.taskrole.broker.Caller;
import io.taskrole.broker.ExchangeLimits;
import io.taskrole.broker.CredentialSource.Exchange;
import io.taskrole.broker.Outcome;
import io.taskrole.broker.SessionCredentials;
import io.taskrole.broker.Connection;
import io.taskrole.broker.Placement;
import io.taskrole.broker.PlacementConfig;
import io.taskrole.broker.Placements;
import io.taskrole.demo.Issuer;
import io.taskrole.identity.AllocationId;
import io.taskrole.identity.BearerToken;
import io.taskrole.identity.IdentityConfig;
import io.taskrole.identity.KeySet;
import io.taskrole.identity.Keys;
import io.taskrole.identity.TokenVerifier;
import io.taskrole.identity.Verification;
import io.taskrole.identity.WorkloadIdentity;
import io.taskrole.policy.Applicant;
import io.taskrole.policy.LiveRules;
import io.taskrole.policy.Region;
import io.taskrole.secret.Secret;
import io.taskrole.telemetry.AuditRecord;
import io.taskrole.telemetry.AuditSink;
import io.taskrole.time.TimeSource;
import io.taskrole.yaml.Problems;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.infra.Blackhole;

/** What one decision costs without sockets, beside the one hash that no decision can do without. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class Decisions {
  private static final IdentityConfig IDENTITY =
      new IdentityConfig(
          "sts.amazonaws.com",
          Optional.empty(),
          URI.create("http://127.0.0.1/.well-known/jwks.json"),
          Duration.ofSeconds(5));

  private final TimeSource time = TimeSource.system();
  private final InetSocketAddress peer = new InetSocketAddress("127.0.0.1", 40000);
  private String text;
  private BearerToken token;
  private Keys keys;
  private TokenVerifier verifier;
  private LiveRules rules;
  private Broker broker;

  @Setup
  public void build() throws IOException {
    try (Issuer issuer = Issuer.start(time)) {
      text = issuer.token("payments", "billing", "api", "server").sign();
      KeySet set = KeySet.parse(issuer.keySetJson().getBytes(StandardCharsets.UTF_8)).orElseThrow();
      keys =
          new Keys() {
            @Override
            public KeySet current() {
              return set;
            }

            @Override
            public KeySet reloaded() {
              return set;
            }
          };
    }
    token = BearerToken.of(text);
    verifier = new TokenVerifier(IDENTITY, keys, time);
    Path file = Files.createTempFile("roles", ".yaml");
    Files.writeString(
        file,
        "roles: [{match: {namespace: payments}, role: \"arn:aws:iam::123456789012:role/{job}\"}]\n");
    rules =
        LiveRules.load(file, new Region("eu-west-1"), new Problems(), time, () -> {}).orElseThrow();
    Files.delete(file);
    AuditSink audit =
        new AuditSink() {
          @Override
          public boolean offer(AuditRecord record) {
            return true;
          }

          @Override
          public void write(AuditRecord record) {}
        };
    broker =
        new Broker(
            new BrokerConfig(Duration.ofMillis(850), Optional.empty()),
            PlacementConfig.STANDARD,
            new ExchangeLimits(16, 50),
            verifier,
            new Everywhere(),
            new ConnectionAttestor(
                new Everywhere(), Path.of("/run/netns"), "nomad.slice"),
            rules,
            (grant, session, bearer) -> credentials(),
            (grant, exchange, took) -> {},
            audit,
            time,
            () -> 0.5,
            ForkJoinPool.commonPool());
    if (!(broker.issue(caller()) instanceof Outcome.Issued)) {
      throw new IllegalStateException("the first request was not answered with credentials");
    }
  }

  private Exchange credentials() {
    return new Exchange.Obtained(
        new SessionCredentials(
            "ASIAEXAMPLE",
            Secret.of("secret"),
            Secret.of("token"),
            time.instant().plusSeconds(3600),
            "123456789012",
            Optional.empty()));
  }

  private Caller caller() {
    return new Caller(BearerToken.of(text), new Connection(peer, peer), "0123456789abcdef", time.nanos());
  }

  /** The measure of the others. */
  @Benchmark
  public byte[] sha256OfTheToken() throws NoSuchAlgorithmException {
    return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.ISO_8859_1));
  }

  @Benchmark
  public Verification tokenSeenBefore() {
    return verifier.recall(BearerToken.of(text));
  }

  /** The whole warm pipeline: token, placement, attestation, role, lease, audit record. */
  @Benchmark
  public Outcome warmDecision() {
    return broker.recall(caller());
  }

  /** All checks and the RS256 signature. */
  @Benchmark
  public void tokenSeenForTheFirstTime(Blackhole hole) {
    hole.consume(new TokenVerifier(IDENTITY, keys, time).verify(token));
  }

  /** Every task runs here: the look at the view is one look into a map. */
  private static final class Everywhere implements Placements {
    @Override
    public Finding find(WorkloadIdentity identity, long deadlineNanos) {
      return new Finding.Placed(
          new Placement(identity, Applicant.of(identity.workload()), true, Set.of()));
    }

    @Override
    public Finding recall(WorkloadIdentity identity) {
      return find(identity, 0);
    }

    @Override
    public boolean isAnothers(InetAddress address, AllocationId allocation) {
      return false;
    }

    @Override
    public boolean mayHold(AllocationId allocation, String task) {
      return true;
    }
  }
}
