package io.taskrole.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.broker.Caller;
import io.taskrole.broker.CredentialBroker;
import io.taskrole.broker.Outcome;
import io.taskrole.refusal.Reason;
import io.taskrole.telemetry.AuditRecord;
import io.taskrole.telemetry.AuditSink;
import io.taskrole.telemetry.Metrics;
import io.taskrole.testing.RawHttp;
import io.taskrole.time.TimeSource;
import io.vertx.core.Vertx;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A server that has room for 64 connections. */
class ConnectionRoomTest {
  private static final int ROOM = 64;

  private final Vertx vertx = Vertx.vertx();
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final List<Socket> sockets = new ArrayList<>();
  private final CredentialServer server =
      new CredentialServer(
          vertx,
          Listeners.own(new Acceptance(TimeSource.system())),
          new ListenConfig(
              List.of(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)),
              new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
              false,
              false),
          Duration.ofMillis(850),
          2 * ROOM,
          new NoAudit(),
          new Metrics(),
          TimeSource.system(),
          threads);
  private InetSocketAddress address = new InetSocketAddress(0);

  @BeforeEach
  void start() {
    address = server.start(1).getFirst();
    server.open(new Refusing());
  }

  @AfterEach
  void stop() throws Exception {
    for (Socket socket : sockets) {
      socket.close();
    }
    server.close();
    threads.shutdownNow();
    vertx.close().toCompletionStage().toCompletableFuture().get(5, TimeUnit.SECONDS);
  }

  @Test
  void full_theOldestWithoutAWholeRequestGoes() throws Exception {
    Socket idle = open(RawHttp.request(address, "token"));
    assertThat(idle.getInputStream().read()).isPositive();
    Socket oldest = open("GET /v1/credentials HTTP/1.1\r\nHost: 127");
    while (sockets.size() < ROOM) {
      open("GET /v1/credentials HTTP/1.1\r\nHost: 127");
    }
    awaitConnections();

    assertThat(RawHttp.once(address, RawHttp.request(address, "token")).status()).isEqualTo(403);
    assertThat(oldest.getInputStream().read()).as("closed").isNegative();
    idle.getOutputStream()
        .write(RawHttp.request(address, "token").getBytes(StandardCharsets.US_ASCII));
    assertThat(idle.getInputStream().read()).as("still there").isPositive();
    assertThat(server.evictions()).isEqualTo(1);
  }

  @Test
  void full_ofServedConnections_theOneIdleLongestGoes() throws Exception {
    for (int i = 0; i < ROOM; i++) {
      assertThat(open(RawHttp.request(address, "token")).getInputStream().read()).isPositive();
    }
    Socket first = sockets.getFirst();
    first
        .getOutputStream()
        .write(RawHttp.request(address, "token").getBytes(StandardCharsets.US_ASCII));
    TimeSource.system().sleep(Duration.ofMillis(100));

    assertThat(RawHttp.once(address, RawHttp.request(address, "token")).status()).isEqualTo(403);
    assertThat(sockets.get(1).getInputStream().readAllBytes())
        .as("its answer, then the end")
        .isNotEmpty();
    assertThat(first.getInputStream().read()).isPositive();
    assertThat(server.evictions()).isEqualTo(1);
  }

  private Socket open(String text) throws IOException {
    Socket socket = new Socket(address.getAddress(), address.getPort());
    socket.setSoTimeout(4_000);
    socket.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
    sockets.add(socket);
    return socket;
  }

  private void awaitConnections() throws InterruptedException {
    for (int i = 0; i < 200 && server.connections() < ROOM; i++) {
      TimeSource.system().sleep(Duration.ofMillis(10));
    }
    assertThat(server.connections()).isEqualTo(ROOM);
  }

  private static final class Refusing implements CredentialBroker {
    private static final Outcome NO =
        new Outcome.Refused(Reason.ROLE_REFUSED.refusal("Operator: for this test."));

    @Override
    public Outcome recall(Caller caller) {
      return NO;
    }

    @Override
    public Outcome issue(Caller caller) {
      return NO;
    }
  }

  private static final class NoAudit implements AuditSink {
    @Override
    public boolean offer(AuditRecord record) {
      return true;
    }

    @Override
    public void write(AuditRecord record) {}
  }
}
