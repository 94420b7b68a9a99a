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
import io.vertx.core.VertxOptions;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Connections that come faster than the one event loop takes them. */
class AcceptanceTest {
  private static final int RUSH = 600;

  private final TimeSource time = TimeSource.system();
  private final Acceptance acceptance = new Acceptance(time);
  private final Listeners listeners = Listeners.own(acceptance);
  private final Vertx vertx = AcceptTransport.vertx(new VertxOptions(), listeners);
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final List<RawHttp> connections = new ArrayList<>();
  private final CredentialServer server =
      new CredentialServer(
          vertx,
          listeners,
          new ListenConfig(
              List.of(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)),
              new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
              false,
              false),
          Duration.ofMillis(850),
          8 * RUSH,
          new NoAudit(),
          new Metrics(),
          time,
          threads);

  @AfterEach
  void stop() throws Exception {
    connections.forEach(RawHttp::close);
    server.close();
    threads.shutdownNow();
    vertx.close().toCompletionStage().toCompletableFuture().get(5, TimeUnit.SECONDS);
  }

  @Test
  void busyEventLoop_connectionsWaitInTheKernel_andAreServedAfterwards() throws Exception {
    InetSocketAddress address = server.start(1).getFirst();
    Busy busy = new Busy();
    server.open(busy);
    connections.add(RawHttp.connect(address).send(RawHttp.request(address, "token")));
    busy.begun.await();

    for (int i = 0; i < RUSH; i++) {
      connections.add(RawHttp.connect(address).send(RawHttp.request(address, "token")));
    }
    awaitFull();
    for (int i = 0; i < 20; i++) {
      time.sleep(Duration.ofMillis(10));
      assertThat(acceptance.unsettled()).isEqualTo(Acceptance.MOST_UNSETTLED);
    }
    assertThat(server.connections()).isEqualTo(1);

    busy.end.countDown();
    for (RawHttp connection : connections) {
      assertThat(connection.reply().status()).isEqualTo(403);
    }
    assertThat(acceptance.unsettled()).isZero();
    assertThat(acceptance.failures()).isZero();
    assertThat(acceptance.problem()).isEmpty();
  }

  private void awaitFull() throws InterruptedException {
    for (int i = 0; i < 500 && !acceptance.isFull(); i++) {
      time.sleep(Duration.ofMillis(10));
    }
  }

  /** Holds the event loop, as a long collection would. */
  private static final class Busy implements CredentialBroker {
    private static final Outcome NO =
        new Outcome.Refused(Reason.ROLE_REFUSED.refusal("Operator: for this test."));

    private final CountDownLatch begun = new CountDownLatch(1);
    private final CountDownLatch end = new CountDownLatch(1);

    @Override
    public Outcome recall(Caller caller) {
      begun.countDown();
      try {
        end.await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
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
