package io.taskrole.http;

import io.taskrole.broker.CredentialBroker;
import io.taskrole.telemetry.AuditSink;
import io.taskrole.telemetry.Metrics;
import io.taskrole.time.TimeSource;
import io.vertx.core.DeploymentOptions;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.net.SocketAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The container credentials endpoint (Amazon ECS developer guide, "task IAM role"; EKS Pod
 * Identity), for every address that is configured. It listens before anything else of the daemon is
 * there, and holds requests until {@link #open}.
 *
 * <p>Safe for concurrent use; {@link #start} and {@link #close} block.
 */
public final class CredentialServer implements AutoCloseable {
  private static final int BACKLOG = 4096;
  private static final int LONGEST_LINE = 1024;
  private static final int LARGEST_HEADER = 8192;
  private static final int IDLE_SECONDS = 75;

  /** Callers that wait for a cold exchange are finished within this time of a stop. */
  private static final Duration DRAIN = Duration.ofSeconds(5);

  /** Whoever has connected before a stop sends his request within this time, or never. */
  private static final Duration PARTING = Duration.ofMillis(500);

  /** A connection that is being made when a successor takes over is made by then. */
  private static final Duration HANDSHAKE = Duration.ofMillis(50);

  private static final Duration LOOK = Duration.ofMillis(5);

  /** What the heap has room for, beside the leases: a connection takes 8 to 15 KiB. */
  private static final int MOST_CONNECTIONS = 12_288;

  private static final int LEAST_CONNECTIONS = 64;

  /** What every connection of every address shares. */
  record Shared(
      Duration answerWithin,
      AuditSink audit,
      Metrics metrics,
      TimeSource time,
      Executor blocking,
      TaskPace pace,
      TaskConnections tasks,
      AtomicInteger connections,
      AtomicInteger strangers,
      LongAdder requests,
      LongAdder evictions,
      int mostConnections,
      CompletableFuture<CredentialBroker> broker,
      AtomicReference<@Nullable InetSocketAddress> probe,
      AtomicBoolean parting,
      CompletableFuture<Void> stopping) {}

  private final Vertx vertx;
  private final Listeners listeners;
  private final ListenConfig listen;
  private final TimeSource time;
  private final Shared shared;
  private final List<CredentialVerticle> verticles = new ArrayList<>();

  /**
   * Builds the server; nothing listens yet.
   *
   * @param listeners the same that the transport of {@code vertx} was made with
   * @param answerWithin the time in which every request is answered, counted from its arrival
   * @param descriptors how many files and sockets the process may have open
   * @param blocking runs the pipeline where it may block: virtual threads
   */
  public CredentialServer(
      Vertx vertx,
      Listeners listeners,
      ListenConfig listen,
      Duration answerWithin,
      long descriptors,
      AuditSink audit,
      Metrics metrics,
      TimeSource time,
      Executor blocking) {
    this.vertx = vertx;
    this.listeners = listeners;
    this.listen = listen;
    this.time = time;
    long connections = Math.clamp(descriptors / 2, LEAST_CONNECTIONS, MOST_CONNECTIONS);
    this.shared =
        new Shared(
            answerWithin,
            audit,
            metrics,
            time,
            blocking,
            new TaskPace(time),
            new TaskConnections(),
            new AtomicInteger(),
            new AtomicInteger(),
            new LongAdder(),
            new LongAdder(),
            (int) connections,
            new CompletableFuture<>(),
            new AtomicReference<>(),
            new AtomicBoolean(),
            new CompletableFuture<>());
  }

  /**
   * Binds every address; from then on requests are held.
   *
   * @param loops event loops to spread the connections of each address over
   * @return the addresses that are bound, in the order of the configuration; a port 0 is now a real
   *     one
   * @throws IllegalStateException when an address cannot be bound; the message names it
   */
  public List<InetSocketAddress> start(int loops) {
    List<InetSocketAddress> bound = new ArrayList<>();
    for (InetSocketAddress address : listen.credentials()) {
      String host = address.getAddress().getHostAddress();
      SocketAddress socket =
          address.getPort() == 0
              ? SocketAddress.sharedRandomPort(1 + bound.size(), host)
              : SocketAddress.inetSocketAddress(address.getPort(), host);
      bound.add(listeners.bind(address, () -> deploy(socket, loops)));
    }
    return bound;
  }

  /** Begins to answer with what the broker says. */
  public void open(CredentialBroker broker) {
    shared.broker().complete(broker);
  }

  /** How many connections are open. */
  public int connections() {
    return shared.connections().get();
  }

  /** How many connections had to go to make room for another so far. */
  public long evictions() {
    return shared.evictions().sum();
  }

  /** How many requests have come so far. */
  public long requests() {
    return shared.requests().sum();
  }

  /**
   * What comes from this address is our own, and asks only to be answered: it counts nowhere and is
   * not audited.
   *
   * @param from null when the connection is about to end: its address may be another's then
   */
  public void expectProbe(@Nullable InetSocketAddress from) {
    shared.probe().set(from);
  }

  /**
   * Leaves new connections to the successor or to the next start, answers those that are there,
   * lets the requests in flight end, and closes the connections.
   */
  @Override
  public void close() {
    try {
      if (listeners.areShared()) {
        listeners.stepAside();
        time.sleep(HANDSHAKE);
      }
      shared.parting().set(true);
      listeners.close();
      awaitFirstRequests();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    shared.stopping().complete(null);
    var ends = verticles.stream().map(verticle -> verticle.shutdown(DRAIN)).toList();
    Binding.await(Future.join(ends).otherwiseEmpty(), DRAIN.plusSeconds(2));
  }

  /** Whoever has connected already must find somebody who answers. */
  private void awaitFirstRequests() throws InterruptedException {
    long last = time.nanos() + PARTING.toNanos();
    do {
      time.sleep(LOOK);
    } while ((listeners.unsettled() > 0 || shared.strangers().get() > 0)
        && time.nanos() - last < 0);
  }

  private Future<Integer> deploy(SocketAddress socket, int loops) {
    List<CredentialVerticle> instances =
        Stream.generate(() -> new CredentialVerticle(socket, options(), shared))
            .limit(loops)
            .toList();
    verticles.addAll(instances);
    Iterator<CredentialVerticle> next = instances.iterator();
    return vertx
        .deployVerticle(next::next, new DeploymentOptions().setInstances(loops))
        .map(_ -> instances.getFirst().port());
  }

  private static HttpServerOptions options() {
    return new HttpServerOptions()
        .setAcceptBacklog(BACKLOG)
        .setMaxInitialLineLength(LONGEST_LINE)
        .setMaxHeaderSize(LARGEST_HEADER)
        .setIdleTimeout(IDLE_SECONDS)
        .setIdleTimeoutUnit(TimeUnit.SECONDS)
        .setHttp2ClearTextEnabled(false)
        .setCompressionSupported(false)
        .setDecompressionSupported(false)
        .setHandle100ContinueAutomatically(false)
        .setPerMessageWebSocketCompressionSupported(false)
        .setPerFrameWebSocketCompressionSupported(false)
        .setRegisterWebSocketWriteHandlers(false);
  }
}
