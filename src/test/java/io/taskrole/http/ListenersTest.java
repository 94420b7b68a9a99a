package io.taskrole.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskrole.broker.Caller;
import io.taskrole.broker.CredentialBroker;
import io.taskrole.broker.Outcome;
import io.taskrole.refusal.Reason;
import io.taskrole.telemetry.AuditRecord;
import io.taskrole.telemetry.AuditSink;
import io.taskrole.telemetry.Metrics;
import io.taskrole.testing.NativeSocket;
import io.taskrole.testing.RawHttp;
import io.taskrole.testing.Reply;
import io.taskrole.time.TimeSource;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.http.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Sockets that outlive a server: handed over by a service manager, or shared with a successor. */
class ListenersTest {
  private static final int REFUSED = 403;

  private final TimeSource time = TimeSource.system();
  private final Acceptance acceptance = new Acceptance(time);
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  @TempDir private Path directory;

  @AfterEach
  void stop() {
    threads.shutdownNow();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void inheritedSocket_isServed_andWhoCameWhileNobodyDid_isServedByTheNext(boolean isIpv6)
      throws Exception {
    try (NativeSocket socket = NativeSocket.listening(isIpv6)) {
      InetSocketAddress address = socket.address();
      try (Instance first = instance(listeners(socket), address)) {
        assertThat(first.bound).containsExactly(address);
        assertThat(get(address).status()).isEqualTo(REFUSED);
      }
      List<Future<Reply>> waiting = new ArrayList<>();
      for (int i = 0; i < 50; i++) {
        waiting.add(threads.submit(() -> get(address)));
      }
      time.sleep(Duration.ofMillis(100));
      assertThat(waiting).noneMatch(Future::isDone);
      try (Instance next = instance(listeners(socket), address)) {
        for (Future<Reply> reply : waiting) {
          assertThat(reply.get(10, TimeUnit.SECONDS).status()).isEqualTo(REFUSED);
        }
        assertThat(next.server.requests()).isEqualTo(waiting.size());
      }
    }
  }

  @Test
  void whoWaits_isNotTaken_beforeAllEventLoopsAreThere() throws Exception {
    try (NativeSocket socket = NativeSocket.listening(false)) {
      InetSocketAddress address = socket.address();
      Listeners listeners = listeners(socket);
      Future<Reply> waiting = threads.submit(() -> get(address));
      Vertx vertx = AcceptTransport.vertx(new VertxOptions(), listeners);
      try {
        Promise<Integer> all = Promise.promise();
        HttpServer server =
            vertx
                .createHttpServer()
                .requestHandler(request -> request.response().setStatusCode(REFUSED).end());
        Future<?> binding =
            threads.submit(() ->
                listeners.bind(
                    address,
                    () -> {
                      var _ = server.listen(address.getPort(), address.getHostString());
                      return all.future();
                    }));
        time.sleep(Duration.ofMillis(300));
        assertThat(server.actualPort()).isEqualTo(address.getPort());
        assertThat(waiting).isNotDone();
        all.complete(address.getPort());
        assertThat(binding.get(5, TimeUnit.SECONDS)).isEqualTo(address);
        assertThat(waiting.get(5, TimeUnit.SECONDS).status()).isEqualTo(REFUSED);
      } finally {
        vertx.close().toCompletionStage().toCompletableFuture().get(5, TimeUnit.SECONDS);
      }
    }
  }

  @Test
  void addressWithoutAnInheritedSocket_isBoundAnew() throws Exception {
    try (NativeSocket socket = NativeSocket.listening(false);
        Instance instance =
            instance(
                listeners(socket),
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                socket.address())) {
      assertThat(instance.bound).hasSize(2).last().isEqualTo(socket.address());
      assertThat(instance.bound).allMatch(address -> get(address).status() == REFUSED);
    }
  }

  @Test
  void inheritedSocketThatNothingNames_isServedAsWell() throws Exception {
    try (NativeSocket socket = NativeSocket.listening(false);
        NativeSocket admin = NativeSocket.listening(false);
        NativeSocket other = NativeSocket.listening(true)) {
      Listeners listeners =
          Listeners.of(
              acceptance, List.of(socket.duplicate(), admin.duplicate(), other.duplicate()), false);
      ListenConfig config =
          new ListenConfig(List.of(socket.address()), admin.address(), false, false);

      assertThat(config.and(listeners.inherited()).credentials())
          .containsExactly(socket.address(), other.address());
      assertThat(config.routable(listeners.inherited())).isEmpty();
    }
  }

  @Test
  void inheritedSocketThatOtherHostsCanReach_isPermittedOnlyByName() {
    InetSocketAddress loopback = new InetSocketAddress(InetAddress.getLoopbackAddress(), 80);
    InetSocketAddress any = new InetSocketAddress("0.0.0.0", 80);

    assertThat(
            new ListenConfig(List.of(loopback), loopback, false, false)
                .routable(List.of(loopback, any)))
        .contains(any);
    assertThat(
            new ListenConfig(List.of(loopback), loopback, true, false)
                .routable(List.of(loopback, any)))
        .isEmpty();
  }

  @Test
  void whatIsNoSocket_isRefusedWithItsNumber() throws Exception {
    Path file = Files.writeString(directory.resolve("file"), "no socket");
    try (var open = Files.newByteChannel(file);
        NativeSocket datagrams = NativeSocket.receiving(directory.resolve("datagrams"))) {
      assertThat(open.isOpen()).isTrue();
      assertThatThrownBy(() -> Listeners.of(acceptance, List.of(987_654), false))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("987654");
      assertThatThrownBy(() -> Listeners.of(acceptance, List.of(datagrams.duplicate()), false))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("listening socket")
          .cause()
          .hasMessageContaining("no socket of TCP that listens");
    }
  }

  /** Twenty successors under load; not one connection is refused, reset or left without answer. */
  @Test
  void sharedAddress_isHandedOver_withoutLosingAConnection() throws Exception {
    Instance serving = instance(Listeners.of(acceptance, List.of(), true), freeAddress());
    InetSocketAddress address = serving.bound.getFirst();
    AtomicBoolean isOver = new AtomicBoolean();
    AtomicInteger answered = new AtomicInteger();
    List<Future<?>> clients = new ArrayList<>();
    try {
      for (int i = 0; i < 4; i++) {
        clients.add(
            threads.submit(() -> {
              while (!isOver.get()) {
                Reply reply = get(address);
                if (reply.status() != REFUSED) {
                  throw new IllegalStateException("status " + reply.status());
                }
                answered.incrementAndGet();
              }
            }));
      }
      for (int i = 0; i < 20; i++) {
        Instance successor = instance(Listeners.of(acceptance, List.of(), true), address);
        serving.close();
        serving = successor;
        int before = answered.get();
        await(() -> answered.get() > before + 20);
      }
    } finally {
      isOver.set(true);
      try {
        for (Future<?> client : clients) {
          client.get(10, TimeUnit.SECONDS);
        }
      } finally {
        serving.close();
      }
    }
    assertThat(answered.get()).isGreaterThan(400);
  }

  @Test
  void addressThatIsNotShared_isOneProcessesOnly() throws Exception {
    try (Instance first = instance(Listeners.own(acceptance), freeAddress())) {
      InetSocketAddress address = first.bound.getFirst();

      assertThatThrownBy(() -> instance(Listeners.of(acceptance, List.of(), true), address))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("another program may hold it");
    }
  }

  @Test
  void ownProbe_isAnswered_andLeavesNoTrace() throws Exception {
    var audited = new AtomicInteger();
    try (Instance instance =
        new Instance(
            Listeners.own(acceptance), new Counting(audited), List.of(freeAddress()), time)) {
      InetSocketAddress address = instance.bound.getFirst();
      try (RawHttp probe = RawHttp.connect(address)) {
        instance.server.expectProbe(probe.localAddress());
        assertThat(
                probe
                    .send("GET /v1/credentials HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                    .reply()
                    .status())
            .isEqualTo(401);
        assertThat(audited.get()).isZero();
        assertThat(instance.server.requests()).isZero();

        instance.server.expectProbe(null);
        assertThat(
                probe
                    .send("GET /v1/credentials HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                    .reply()
                    .status())
            .isEqualTo(401);
        assertThat(audited.get()).isOne();
        assertThat(instance.server.requests()).isOne();
      }
    }
  }

  /** A request that reaches an accepted connection a moment after the stop is still served. */
  @Test
  void stop_answersWhoHasJustConnected_andEndsHisConnection() throws Exception {
    try (Instance instance = instance(Listeners.own(acceptance), freeAddress())) {
      InetSocketAddress address = instance.bound.getFirst();
      try (RawHttp early = RawHttp.connect(address)) {
        await(() -> instance.server.connections() == 1);
        Future<?> closing = threads.submit(instance::close);
        await(() -> isRefused(address));
        Reply reply = early.send(RawHttp.request(address, "token")).reply();

        assertThat(reply.status()).isEqualTo(REFUSED);
        assertThat(reply.header("connection")).isEqualTo("close");
        closing.get(5, TimeUnit.SECONDS);
      }
    }
  }

  /** The stop may fall between the arrival of a connection's first request and its judgement. */
  @Test
  void stop_whileTheFirstRequestIsRead_servesIt() throws Exception {
    AtomicBoolean isSlow = new AtomicBoolean();
    TimeSource slow =
        new TimeSource() {
          @Override
          public long nanos() {
            if (Thread.currentThread().getName().contains("eventloop")
                && isSlow.compareAndSet(true, false)) {
              LockSupport.parkNanos(Duration.ofMillis(100).toNanos());
            }
            return time.nanos();
          }

          @Override
          public Instant instant() {
            return time.instant();
          }

          @Override
          public void sleep(Duration length) throws InterruptedException {
            time.sleep(length);
          }
        };
    try (Instance instance =
        new Instance(
            Listeners.own(acceptance),
            new Counting(new AtomicInteger()),
            List.of(freeAddress()),
            slow)) {
      InetSocketAddress address = instance.bound.getFirst();
      try (RawHttp early = RawHttp.connect(address)) {
        await(() -> instance.server.connections() == 1);
        Future<?> closing = threads.submit(instance::close);
        await(() -> isRefused(address));
        isSlow.set(true);
        Reply reply = early.send(RawHttp.request(address, "token")).reply();
        assertThat(isSlow).isFalse();
        assertThat(reply.status()).isEqualTo(REFUSED);
        closing.get(5, TimeUnit.SECONDS);
      }
    }
  }

  private static boolean isRefused(InetSocketAddress address) {
    // The kernel may drop what asks to connect in the moment of the closing, to hear of it a second
    // later.
    try (Socket socket = new Socket()) {
      socket.connect(address, 100);
      return false;
    } catch (IOException e) {
      return true;
    }
  }

  private static Reply get(InetSocketAddress address) {
    return RawHttp.once(address, RawHttp.request(address, "token"));
  }

  private static InetSocketAddress freeAddress() {
    try (NativeSocket socket = NativeSocket.listening(false)) {
      return socket.address();
    }
  }

  private Listeners listeners(NativeSocket socket) throws IOException {
    return Listeners.of(acceptance, List.of(socket.duplicate()), false);
  }

  private Instance instance(Listeners listeners, InetSocketAddress... addresses) {
    return new Instance(listeners, new Counting(new AtomicInteger()), List.of(addresses), time);
  }

  private void await(java.util.function.BooleanSupplier condition) throws InterruptedException {
    for (int i = 0; i < 2000; i++) {
      if (condition.getAsBoolean()) {
        return;
      }
      time.sleep(Duration.ofMillis(5));
    }
    throw new AssertionError("did not come about");
  }

  /** A credential server as a process of its own would have it. */
  private final class Instance implements AutoCloseable {
    private final Vertx vertx;
    private final CredentialServer server;
    private final List<InetSocketAddress> bound;
    private final AtomicBoolean isClosed = new AtomicBoolean();

    Instance(
        Listeners listeners, AuditSink audit, List<InetSocketAddress> addresses, TimeSource time) {
      vertx = AcceptTransport.vertx(new VertxOptions(), listeners);
      server =
          new CredentialServer(
              vertx,
              listeners,
              new ListenConfig(
                  addresses,
                  new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                  false,
                  listeners.areShared()),
              Duration.ofMillis(850),
              10_000,
              audit,
              new Metrics(),
              time,
              threads);
      try {
        bound = server.start(2);
      } catch (IllegalStateException e) {
        vertx.close();
        throw e;
      }
      server.open(new Refusing());
    }

    @Override
    public void close() {
      if (isClosed.compareAndSet(false, true)) {
        server.close();
        try {
          vertx.close().toCompletionStage().toCompletableFuture().get(5, TimeUnit.SECONDS);
        } catch (InterruptedException | ExecutionException | TimeoutException e) {
          throw new IllegalStateException(e);
        }
      }
    }
  }

  private static final class Refusing implements CredentialBroker {
    @Override
    public Outcome recall(Caller caller) {
      return new Outcome.Refused(Reason.ROLE_REFUSED.refusal("Operator: for this test."));
    }

    @Override
    public Outcome issue(Caller caller) {
      return recall(caller);
    }
  }

  private record Counting(AtomicInteger count) implements AuditSink {
    @Override
    public boolean offer(AuditRecord record) {
      count.incrementAndGet();
      return true;
    }

    @Override
    public void write(AuditRecord record) {
      count.incrementAndGet();
    }
  }
}
