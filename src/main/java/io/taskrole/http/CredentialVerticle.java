package io.taskrole.http;

import io.netty.handler.codec.http.TooLongHttpHeaderException;
import io.netty.handler.codec.http.TooLongHttpLineException;
import io.taskrole.broker.Caller;
import io.taskrole.broker.CredentialBroker;
import io.taskrole.broker.Outcome;
import io.taskrole.http.CredentialServer.Shared;
import io.taskrole.identity.AllocationId;
import io.taskrole.identity.BearerToken;
import io.taskrole.refusal.Reason;
import io.taskrole.refusal.Refusal;
import io.taskrole.telemetry.AuditRecord;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.http.HttpConnection;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.net.SocketAddress;
import java.time.Duration;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * One event loop's share of the credential endpoint: gate, then memory, then, where memory does not
 * suffice, the whole pipeline on a virtual thread. Everything here runs on the event loop.
 */
final class CredentialVerticle extends VerticleBase {
  private static final System.Logger LOG = System.getLogger(CredentialVerticle.class.getName());

  /** A connection that has not sent a whole request by then is closed. */
  private static final Duration FIRST_REQUEST = Duration.ofSeconds(5);

  private static final HexFormat HEX = HexFormat.of();
  private static final Refusal STARTING =
      Reason.STARTING.refusal("Ask again: taskrole is starting and not ready yet.");
  private static final Refusal STOPPING =
      Reason.STOPPING.refusal("Ask again: taskrole is stopping and will be back.");
  private static final Refusal UNDECIDED =
      Reason.EXCHANGE_PENDING.refusal(
          "Wait and ask again: taskrole could not decide in time; it goes on and serves the retry.");
  private static final Refusal FAULT =
      Reason.STS_UNAVAILABLE.refusal(
          "Operator: taskrole failed on this request; its log has the cause under this request id.");
  private static final Refusal NOT_HTTP =
      Reason.BAD_REQUEST.refusal(
          "Job author: send a plain HTTP/1.1 GET; this request is malformed.");
  private static final Refusal TOO_LARGE =
      Reason.HEADER_TOO_LARGE.refusal(
          "Job author: send less; the request line may have 1 KiB, all headers together 8 KiB.");

  private final SocketAddress socket;
  private final HttpServerOptions options;
  private final Shared shared;

  /** In the order of their last request. */
  private final LinkedHashMap<HttpConnection, Peer> peers = new LinkedHashMap<>(16, 0.75f, true);

  /** Those that have not sent a whole request yet, the oldest first. */
  private final LinkedHashSet<Peer> strangers = new LinkedHashSet<>();

  private @Nullable HttpServer server;

  CredentialVerticle(SocketAddress socket, HttpServerOptions options, Shared shared) {
    this.socket = socket;
    this.options = options;
    this.shared = shared;
  }

  @Override
  public Future<?> start() {
    HttpServer created = vertx.createHttpServer(options);
    server = created;
    return created
        .connectionHandler(this::connected)
        .requestHandler(this::requested)
        .invalidRequestHandler(this::malformed)
        // Never the exception's text: it may quote header values, the token among them.
        .exceptionHandler(_ -> LOG.log(System.Logger.Level.DEBUG, "a connection ended badly"))
        .listen(socket);
  }

  /** The port that is bound. */
  int port() {
    HttpServer listening = server;
    return listening == null ? socket.port() : listening.actualPort();
  }

  /** Stops listening; ends when the requests in flight have ended or the time is over. */
  Future<Void> shutdown(Duration drain) {
    HttpServer listening = server;
    return listening == null ? Future.succeededFuture() : listening.shutdown(drain);
  }

  private void connected(HttpConnection connection) {
    boolean isFull = shared.connections().incrementAndGet() > shared.mostConnections();
    Peer peer = new Peer(connection);
    connection.closeHandler(_ -> {
      shared.connections().decrementAndGet();
      peer.disarm();
      peer.leave();
      peers.remove(connection);
    });
    connection.exceptionHandler(_ -> {});
    if (isFull) {
      shared.evictions().increment();
      Peer leaves = leastMissed();
      (leaves == null ? peer : leaves).connection.close();
    }
    peers.put(connection, peer);
    peer.arm();
  }

  /**
   * Who goes when there is no room: the one that has taken longest over its first request, else the
   * one that has been idle longest; null when every connection waits for its answer.
   */
  private @Nullable Peer leastMissed() {
    if (!strangers.isEmpty()) {
      Peer oldest = strangers.getFirst();
      oldest.disarm();
      return oldest;
    }
    for (Peer peer : peers.values()) {
      if (peer.isIdle()) {
        return peer;
      }
    }
    return null;
  }

  private Peer peer(HttpServerRequest request) {
    Peer known = peers.get(request.connection());
    return known == null ? new Peer(request.connection()) : known;
  }

  private void requested(HttpServerRequest request) {
    new Exchange(request, peer(request)).begin();
  }

  private void malformed(HttpServerRequest request) {
    Throwable cause = request.decoderResult().cause();
    boolean isTooLarge =
        cause instanceof TooLongHttpLineException || cause instanceof TooLongHttpHeaderException;
    new Exchange(request, peer(request)).refuse(isTooLarge ? TOO_LARGE : NOT_HTTP, true);
  }

  /** One connection: its two ends, and the timer that ends it when no whole request comes. */
  private final class Peer {
    private final HttpConnection connection;
    private final ConnectionEnds ends;
    private @Nullable Long timer;
    private @Nullable Exchange latest;
    private @Nullable AllocationId allocation;
    private boolean isWelcome = true;

    Peer(HttpConnection connection) {
      this.connection = connection;
      this.ends = ConnectionEnds.of(connection);
    }

    boolean isIdle() {
      return latest == null || latest.answered;
    }

    /** Whose connection it is, once known; whether it may stay open. */
    boolean belongsTo(AllocationId owner) {
      if (allocation == null && peers.containsKey(connection)) {
        allocation = owner;
        isWelcome = shared.tasks().opened(owner);
      }
      return isWelcome;
    }

    void leave() {
      if (allocation != null) {
        shared.tasks().closed(allocation);
      }
    }

    void arm() {
      strangers.add(this);
      shared.strangers().incrementAndGet();
      timer =
          vertx.setTimer(
              FIRST_REQUEST.toMillis(),
              _ -> {
                timer = null;
                connection.close();
              });
    }

    void disarm() {
      if (strangers.remove(this)) {
        shared.strangers().decrementAndGet();
      }
      if (timer != null) {
        vertx.cancelTimer(timer);
        timer = null;
      }
    }
  }

  /** One request until its answer is written. */
  private final class Exchange {
    private final HttpServerRequest request;
    private final Peer peer;
    private final ConnectionEnds ends;
    private final long arrivedNanos = shared.time().nanos();

    /** Read while the connection may be a stranger's still: a stop waits for those. */
    private final boolean isTooLate = shared.stopping().isDone();

    private final String requestId = HEX.toHexDigits(ThreadLocalRandom.current().nextLong());
    private @Nullable Long guard;
    private boolean answered;

    Exchange(HttpServerRequest request, Peer peer) {
      this.request = request;
      this.peer = peer;
      this.ends = peer.ends;
      peer.latest = this;
      peer.disarm();
      if (!isProbe()) {
        shared.requests().increment();
      }
    }

    void begin() {
      try {
        switch (RequestGate.judge(request, ends)) {
          case RequestGate.Verdict.Stop(var refusal, var closes) -> refuse(refusal, closes);
          case RequestGate.Verdict.Pass(var token) -> judge(token);
        }
      } catch (RuntimeException | LinkageError e) {
        fail(e);
      }
    }

    private void judge(BearerToken token) {
      if (isTooLate) {
        refuse(STOPPING, true);
        return;
      }
      Caller caller = new Caller(token, ends.connection(), requestId, arrivedNanos);
      if (shared.broker().isDone()) {
        ask(shared.broker().join(), caller);
      } else {
        guard(STARTING);
        Future.fromCompletionStage(shared.broker(), context)
            .onSuccess(broker -> {
              if (!answered) {
                disarmGuard();
                ask(broker, caller);
              }
            });
      }
    }

    private void ask(CredentialBroker broker, Caller caller) {
      Outcome known = broker.recall(caller);
      if (known != null) {
        tell(known);
        return;
      }
      guard(UNDECIDED);
      Future.fromCompletionStage(
              CompletableFuture.supplyAsync(() -> broker.issue(caller), shared.blocking()), context)
          .onComplete(this::tell, this::fail);
    }

    /** Answers with this refusal when nothing else has by the end of the caller's time. */
    private void guard(Refusal refusal) {
      long spent = (shared.time().nanos() - arrivedNanos) / 1_000_000;
      long left = Math.max(1, shared.answerWithin().toMillis() - spent);
      guard =
          vertx.setTimer(
              left,
              _ -> {
                guard = null;
                if (!answered) {
                  refuse(refusal, false);
                }
              });
    }

    private void disarmGuard() {
      if (guard != null) {
        vertx.cancelTimer(guard);
        guard = null;
      }
    }

    private void tell(Outcome outcome) {
      Duration delay =
          outcome instanceof Outcome.Issued(var lease)
              ? shared.pace().delay(lease.key().allocation())
              : Duration.ZERO;
      if (delay.compareTo(Duration.ofMillis(1)) < 0) {
        write(outcome, false);
      } else {
        vertx.setTimer(delay.toMillis(), _ -> write(outcome, false));
      }
    }

    void refuse(Refusal refusal, boolean closes) {
      try {
        audit(refusal);
      } finally {
        write(new Outcome.Refused(refusal), closes);
      }
    }

    private void fail(Throwable fault) {
      LOG.log(System.Logger.Level.ERROR, "request " + requestId + " failed", fault);
      write(new Outcome.Refused(FAULT), true);
    }

    private void write(Outcome outcome, boolean closes) {
      if (answered) {
        return;
      }
      answered = true;
      disarmGuard();
      try {
        send(outcome, closes);
      } catch (RuntimeException | LinkageError e) {
        // Without any answer the caller would wait for its own deadline.
        request.connection().close();
        throw e;
      }
    }

    private void send(Outcome outcome, boolean closes) {
      long nanos = shared.time().nanos() - arrivedNanos;
      switch (outcome) {
        case Outcome.Issued(var lease) -> {
          boolean stays = peer.belongsTo(lease.key().allocation());
          if (Answers.issue(request, lease, closes || !stays || shared.parting().get())) {
            shared.metrics().issued(nanos);
          } else {
            refuse(UNDECIDED, closes, nanos);
          }
        }
        case Outcome.Refused(var refusal) -> refuse(refusal, closes, nanos);
      }
    }

    private void refuse(Refusal refusal, boolean closes, long nanos) {
      Answers.refuse(request, refusal, requestId, closes || shared.parting().get());
      if (!isProbe()) {
        shared.metrics().refused(refusal.reason().code(), nanos);
      }
    }

    private boolean isProbe() {
      return ends.remote().equals(shared.probe().get());
    }

    /** The pipeline audits what it decides; this is for what ends before or beside it. */
    private void audit(Refusal refusal) {
      if (isProbe()) {
        return;
      }
      shared
          .audit()
          .offer(
              AuditRecord.refusedEarly(
                  shared.time().instant(),
                  refusal.reason().code(),
                  ends.remote().getAddress().getHostAddress(),
                  requestId,
                  (shared.time().nanos() - arrivedNanos) / 1_000_000));
    }
  }
}
