package io.taskrole;

import io.taskrole.attest.ConnectionAttestor;
import io.taskrole.broker.Broker;
import io.taskrole.broker.CredentialSource.Exchange;
import io.taskrole.broker.ExchangeLimits;
import io.taskrole.broker.ExchangeListener;
import io.taskrole.broker.Prefetched;
import io.taskrole.config.IpEndpoint;
import io.taskrole.config.TaskroleConfig;
import io.taskrole.http.AcceptTransport;
import io.taskrole.http.Acceptance;
import io.taskrole.http.AdminServer;
import io.taskrole.http.CredentialServer;
import io.taskrole.http.Listeners;
import io.taskrole.identity.AllocationId;
import io.taskrole.identity.BearerToken;
import io.taskrole.identity.KeySetFollower;
import io.taskrole.identity.TokenVerifier;
import io.taskrole.nomad.NomadView;
import io.taskrole.policy.AttestLevel;
import io.taskrole.policy.LiveRules;
import io.taskrole.refusal.Reason;
import io.taskrole.refusal.Refusal;
import io.taskrole.sts.StsConfig;
import io.taskrole.sts.StsSource;
import io.taskrole.systemd.Supervisor;
import io.taskrole.telemetry.AuditLog;
import io.taskrole.telemetry.Health;
import io.taskrole.telemetry.Metrics;
import io.taskrole.time.TimeSource;
import io.taskrole.yaml.Place;
import io.taskrole.yaml.Problems;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.file.FileSystemOptions;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.DoubleSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The daemon put together: constructors, an ordered start and an ordered stop.
 *
 * <p>{@link #start} and {@link #close} block and belong to one thread; {@link #reload} may be
 * called from any.
 */
public final class Daemon implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(Daemon.class.getName());

  /** Where Nomad and its CNI plugins name the network namespaces of allocations. */
  private static final Path NAMESPACES = Path.of("/run/netns");

  /** The default of Nomad's {@code client.cgroup_parent}. */
  private static final String CGROUP_PARENT = "nomad.slice";

  private static final Duration TEND_EVERY = Duration.ofSeconds(1);
  private static final int ERASURES = 5;

  /** Callers are told meanwhile that taskrole is starting. */
  private static final Duration WARM_UP = Duration.ofSeconds(10);

  private static final Duration FIRST_KEY_SET = Duration.ofMillis(500);
  private static final int LOOPS = Math.max(1, Runtime.getRuntime().availableProcessors());

  private final Deque<AutoCloseable> parts = new ArrayDeque<>();
  private final TaskroleConfig config;
  private final TimeSource time;
  private final Metrics metrics = new Metrics();
  private final Health health;
  private final Acceptance acceptance;
  private final Supervisor supervisor;
  private final ExecutorService blocking = Executors.newVirtualThreadPerTaskExecutor();
  private final ExchangeTrouble exchangeTrouble;
  private @Nullable LiveRules rules;
  private @Nullable AuditLog audit;
  private List<InetSocketAddress> credentials = List.of();
  private @Nullable InetSocketAddress admin;

  private Daemon(TaskroleConfig config, TimeSource time, Supervisor supervisor) {
    this.config = config;
    this.time = time;
    this.supervisor = supervisor;
    this.health = new Health(time);
    this.acceptance = new Acceptance(time);
    this.exchangeTrouble = new ExchangeTrouble(time);
  }

  /**
   * Starts the daemon; returns when it answers requests.
   *
   * @param problems takes what is wrong with the roles file, or with the sockets that are handed
   *     over; empty result then
   * @param standard where the audit log goes when it has no file
   * @param supervisor hands sockets over, and is told how the daemon is
   * @throws IOException when the audit log cannot be opened
   * @throws IllegalStateException when an address cannot be bound
   */
  public static Optional<Daemon> start(
      TaskroleConfig config,
      Problems problems,
      OutputStream standard,
      TimeSource time,
      Supervisor supervisor)
      throws IOException {
    Daemon daemon = new Daemon(config, time, supervisor);
    boolean started = false;
    try {
      started = daemon.start(problems, standard);
      return started ? Optional.of(daemon) : Optional.empty();
    } finally {
      if (!started) {
        daemon.close();
      }
    }
  }

  private boolean start(Problems problems, OutputStream standard) throws IOException {
    DoubleSupplier jitter = () -> ThreadLocalRandom.current().nextDouble();
    var onRulesChanged = new Later();
    Optional<Listeners> sockets = listeners(problems);
    Optional<LiveRules> loaded =
        LiveRules.load(config.roles(), config.sts().region(), problems, time, onRulesChanged);
    if (loaded.isEmpty() || sockets.isEmpty()) {
      return false;
    }
    Listeners listeners = sockets.get();
    LiveRules live = own(loaded.get());
    rules = live;
    AuditLog log = own(AuditLog.open(config.audit(), standard));
    audit = log;
    Vertx vertx = vertx(listeners);
    CredentialServer server =
        new CredentialServer(
            vertx,
            listeners,
            config.listen().and(listeners.inherited()),
            config.broker().answerWithin(),
            Footprint.mostDescriptors(),
            log,
            metrics,
            time,
            blocking);
    // First of all: a connection that is refused sends several SDKs to the instance's own role.
    credentials = server.start(LOOPS);

    StsSource sts = own(new StsSource(config.sts(), time));
    Thread warming = warmUp(sts, live.demands(AttestLevel.KERNEL));
    var onNomad = new NomadEvents();
    NomadView nomad =
        own(
            new NomadView(
                config.nomad(),
                config.placement(),
                config.identity().audience(),
                time,
                jitter,
                blocking,
                onNomad));
    KeySetFollower keys =
        own(
            new KeySetFollower(
                NomadView.keySet(config.nomad(), config.identity().keySet()),
                time,
                jitter,
                blocking,
                _ -> {}));
    keys.start();
    TokenVerifier verifier = new TokenVerifier(config.identity(), keys, time);
    Broker broker =
        own(
            new Broker(
                config.broker(),
                config.placement(),
                new ExchangeLimits(config.sts().concurrency(), config.sts().rate()),
                verifier,
                nomad.placements(),
                new ConnectionAttestor(nomad.placements(), NAMESPACES, CGROUP_PARENT),
                live,
                sts,
                exchanged(config.sts()),
                log,
                time,
                jitter,
                blocking));
    // Closed before the broker: the callers that it still holds get their answers.
    own(server);
    onRulesChanged.set(broker::rulesChanged);
    onNomad.broker = broker;
    nomad.start();
    await(warming);
    server.open(broker);
    live.start();
    ClockWatch clock = new ClockWatch(time);
    tend(broker, server, verifier, clock);
    new Vitals(health, metrics)
        .watch(keys, nomad, live, broker, server, acceptance, clock, log, exchangeTrouble::now);
    AdminServer administration =
        own(new AdminServer(vertx, listeners, config.listen().admin(), health, metrics));
    admin = administration.start();
    supervisor
        .watchdog()
        .ifPresent(patience ->
            own(
                Watchdog.start(
                    supervisor, patience, nearest(credentials), server::expectProbe, time)));
    awaitFirst(keys, nomad);
    return true;
  }

  /** The addresses of the credential endpoint, ports as they really are. */
  public List<InetSocketAddress> credentials() {
    return credentials;
  }

  /** The address of {@code /healthz /readyz /metrics}. */
  public InetSocketAddress admin() {
    if (admin == null) {
      throw new IllegalStateException("not started");
    }
    return admin;
  }

  /** Reads the roles file again and opens the audit log anew, as SIGHUP asks for. */
  public void reload() {
    LOG.log(System.Logger.Level.INFO, "reload asked for");
    if (audit != null) {
      audit.reopen();
    }
    if (rules != null) {
      rules.reload();
    }
  }

  /** Stops: no new connections, requests in flight are answered, then everything ends. */
  @Override
  public void close() {
    while (!parts.isEmpty()) {
      try {
        parts.pop().close();
      } catch (Exception e) {
        LOG.log(System.Logger.Level.WARNING, "a part did not stop cleanly", e);
      }
    }
    blocking.shutdownNow();
  }

  private <T extends AutoCloseable> T own(T part) {
    parts.push(part);
    return part;
  }

  /** The sockets that are handed over, which must not be those that other hosts can reach. */
  private Optional<Listeners> listeners(Problems problems) throws IOException {
    Listeners listeners =
        Listeners.of(acceptance, supervisor.sockets(), config.listen().reusePort());
    Optional<InetSocketAddress> routable = config.listen().routable(listeners.inherited());
    routable.ifPresent(address ->
        problems.add(
            Place.beginningOf(config.file().toString()),
            "the service manager hands over a socket at "
                + IpEndpoint.format(address)
                + ", which can be reached from other hosts",
            "take it out of taskrole.socket; or risk it with listen.expose-to-network: true"));
    return routable.isEmpty() ? Optional.of(listeners) : Optional.empty();
  }

  /** A loopback address if there is one: it is there, whatever becomes of the others. */
  private static InetSocketAddress nearest(List<InetSocketAddress> endpoints) {
    return endpoints.stream()
        .filter(endpoint -> endpoint.getAddress().isLoopbackAddress())
        .findFirst()
        .orElse(endpoints.getFirst());
  }

  private Vertx vertx(Listeners listeners) {
    Vertx vertx =
        AcceptTransport.vertx(
            new VertxOptions()
                .setEventLoopPoolSize(LOOPS)
                .setWorkerPoolSize(1)
                .setInternalBlockingPoolSize(1)
                // Its stack traces help no operator; a blocked loop shows in the request times.
                .setBlockedThreadCheckInterval(1)
                .setBlockedThreadCheckIntervalUnit(TimeUnit.HOURS)
                .setFileSystemOptions(
                    new FileSystemOptions()
                        .setFileCachingEnabled(false)
                        .setClassPathResolvingEnabled(false)),
            listeners);
    parts.push(
        () -> vertx.close().toCompletionStage().toCompletableFuture().get(5, TimeUnit.SECONDS));
    return vertx;
  }

  /**
   * Loads what exchanges need, and questions to the kernel where rules ask for them, on a thread
   * that holds no carrier, before the first of them; what fails here is told when it is asked for.
   */
  private static Thread warmUp(StsSource sts, boolean asksKernel) {
    return Thread.ofPlatform()
        .daemon()
        .name("warm-up")
        .start(() -> {
          try {
            sts.warmUp();
            if (asksKernel) {
              ConnectionAttestor.warmUp(CGROUP_PARENT);
            }
          } catch (RuntimeException | LinkageError e) {
            LOG.log(System.Logger.Level.ERROR, "not all could be made ready", e);
          }
        });
  }

  private static void await(Thread warming) {
    try {
      warming.join(WARM_UP);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void tend(
      Broker broker, CredentialServer server, TokenVerifier verifier, ClockWatch clock) {
    var collection = HeapCollection.ofThisProcess(server::requests, time);
    var cold = ColdPages.ofThisProcess(time);
    Thread tending =
        Thread.ofVirtual()
            .name("leases")
            .start(() -> {
              while (!Thread.currentThread().isInterrupted()) {
                try {
                  for (int i = 0; i < ERASURES; i++) {
                    time.sleep(TEND_EVERY.dividedBy(ERASURES));
                    broker.erase();
                    collection.look();
                  }
                  if (clock.hasJumped()) {
                    verifier.forget();
                  }
                  verifier.tend();
                  broker.tend();
                  cold.look();
                } catch (InterruptedException e) {
                  return;
                } catch (RuntimeException | LinkageError e) {
                  LOG.log(System.Logger.Level.ERROR, "the leases could not be tended", e);
                }
              }
            });
    parts.push(tending::interrupt);
  }

  /** Counts exchanges; whether STS is well, those at home tell. */
  private ExchangeListener exchanged(StsConfig sts) {
    Optional<String> second = sts.fallback().map(fallback -> fallback.region().name());
    return (grant, exchange, nanos) -> {
      boolean isSecond = second.isPresent() && grant.region().equals(second);
      Refusal refusal =
          switch (exchange) {
            case Exchange.Obtained _ -> null;
            case Exchange.Denied(var denied) -> denied;
            case Exchange.Failed(var failed) -> failed;
          };
      String result =
          switch (exchange) {
            case Exchange.Obtained _ -> "obtained";
            case Exchange.Denied _ -> "denied";
            case Exchange.Failed _ -> "failed";
          };
      metrics.exchanged(result, refusal == null ? "" : refusal.reason().code(), nanos);
      if (isSecond) {
        metrics.exchangedInSecondRegion(result);
      } else if (refusal != null && refusal.reason() == Reason.STS_UNAVAILABLE) {
        exchangeTrouble.failed(refusal);
      } else {
        exchangeTrouble.answered();
      }
    };
  }

  private static void awaitFirst(KeySetFollower keys, NomadView nomad) {
    try {
      CompletableFuture.allOf(keys.firstLoaded(), nomad.firstLoaded())
          .get(FIRST_KEY_SET.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (ExecutionException | TimeoutException e) {
      LOG.log(
          System.Logger.Level.WARNING,
          "the key set or the allocations of this node are not loaded yet; until they are, requests"
              + " are answered KeySetUnavailable or NomadUnavailable");
    }
  }

  /** What Nomad tells, for a broker that is made later; until then nothing is held. */
  private static final class NomadEvents implements NomadView.Events {
    private volatile @Nullable Broker broker;

    @Override
    public void stopped(AllocationId allocation) {
      Broker present = broker;
      if (present != null) {
        present.drop(allocation);
      }
    }

    @Override
    public Prefetched tokenRead(AllocationId allocation, String task, BearerToken token) {
      Broker present = broker;
      return present == null ? Prefetched.LATER : present.prefetch(allocation, task, token);
    }
  }

  /** Something to run that is known only later; until then nothing. */
  private static final class Later implements Runnable {
    private volatile Runnable task = () -> {};

    void set(Runnable task) {
      this.task = task;
    }

    @Override
    public void run() {
      task.run();
    }
  }
}
