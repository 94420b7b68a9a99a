package io.taskrole.http;

import io.netty.channel.Channel;
import io.netty.channel.ChannelPromise;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.util.concurrent.ScheduledFuture;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardSocketOptions;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * A listening socket whose accept loop rests instead of running ahead of the event loops that take
 * the connections, and that outlives what may go wrong in it. Netty's own would fill the heap with
 * connections that nobody serves yet, would rest a whole second without file descriptors, and would
 * close for good on a class that could not be loaded for want of one. It accepts nothing before
 * {@link #begin()}: Vert.x resets what comes before its first event loop is there to take it.
 *
 * <p>Everything else here runs on the acceptor's event loop, but for the end of a connection.
 */
final class AcceptChannel extends NioServerSocketChannel {
  private static final Duration REST_WHEN_FULL = Duration.ofMillis(1);
  private static final Duration REST_AFTER_FAILURE = Duration.ofMillis(50);

  private static final System.Logger LOG = System.getLogger(AcceptChannel.class.getName());

  private final Acceptance acceptance;
  private final boolean isShared;
  private final @Nullable InetSocketAddress inherited;

  /**
   * A socket of this process's own.
   *
   * @param isShared whether others may listen on its address as well
   */
  AcceptChannel(Acceptance acceptance, boolean isShared) {
    this.acceptance = acceptance;
    this.isShared = isShared;
    this.inherited = null;
    config().setAutoRead(false);
  }

  /** A socket that listens already. */
  AcceptChannel(Acceptance acceptance, InheritedSocket socket) {
    super(socket.channel());
    this.acceptance = acceptance;
    this.isShared = false;
    this.inherited = socket.address();
    config().setAutoRead(false);
  }

  @Override
  protected void doBind(SocketAddress address) throws Exception {
    if (inherited == null) {
      if (isShared) {
        javaChannel().setOption(StandardSocketOptions.SO_REUSEPORT, true);
      }
      super.doBind(address);
    } else if (!inherited.equals(address)) {
      throw new IOException("the socket that was handed over listens on another address");
    }
  }

  /** Begins to accept; may be called again. Safe on every thread. */
  void begin() {
    config().setAutoRead(true);
  }

  /** Has new connections go to whoever listens beside it, if anybody does. */
  void stepAside() {
    if (isShared) {
      try {
        ReusePort.preferSecond(javaChannel());
      } catch (IOException | RuntimeException e) {
        LOG.log(
            System.Logger.Level.WARNING,
            "connections cannot be left to the successor; some may be reset",
            e);
      }
    }
  }

  @Override
  protected int doReadMessages(List<Object> accepted) {
    if (acceptance.isFull()) {
      rest(REST_WHEN_FULL);
      return 0;
    }
    try {
      SocketChannel socket = javaChannel().accept();
      if (socket == null) {
        return 0;
      }
      accepted.add(connection(socket));
      return 1;
    } catch (IOException | RuntimeException | LinkageError e) {
      if (isOpen()) {
        acceptance.failed(e);
        rest(REST_AFTER_FAILURE);
      }
      return 0;
    }
  }

  private Channel connection(SocketChannel socket) throws IOException {
    try {
      return new Accepted(this, socket, acceptance);
    } catch (RuntimeException | LinkageError e) {
      socket.close();
      throw e;
    }
  }

  private void rest(Duration length) {
    config().setAutoRead(false);
    ScheduledFuture<?> _ =
        eventLoop()
            .schedule(() -> config().setAutoRead(true), length.toNanos(), TimeUnit.NANOSECONDS);
  }

  /** A connection, counted until its event loop has taken it. */
  private static final class Accepted extends NioSocketChannel {
    private final Acceptance acceptance;
    private final AtomicBoolean isSettled = new AtomicBoolean();

    Accepted(AcceptChannel parent, SocketChannel socket, Acceptance acceptance) {
      super(parent, socket);
      this.acceptance = acceptance;
      acceptance.accepted();
    }

    @Override
    protected void doRegister(ChannelPromise promise) {
      super.doRegister(promise);
      // Once the server has counted it: a stop must find it there or here.
      eventLoop().execute(this::settle);
    }

    @Override
    protected void doClose() throws Exception {
      settle();
      super.doClose();
    }

    private void settle() {
      if (isSettled.compareAndSet(false, true)) {
        acceptance.settled();
      }
    }
  }
}
