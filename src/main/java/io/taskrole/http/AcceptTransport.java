package io.taskrole.http;

import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFactory;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.ServerChannel;
import io.netty.channel.socket.DatagramChannel;
import io.netty.channel.socket.InternetProtocolFamily;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.datagram.DatagramSocketOptions;
import io.vertx.core.net.SocketAddress;
import io.vertx.core.net.TcpConfig;
import io.vertx.core.spi.transport.Transport;
import java.util.concurrent.ThreadFactory;
import org.jspecify.annotations.Nullable;

/** Vert.x's own transport, in all but how it listens. */
public final class AcceptTransport implements Transport, io.vertx.core.transport.Transport {
  private static final Transport NIO = io.vertx.core.transport.Transport.NIO.implementation();

  private final Listeners listeners;

  private AcceptTransport(Listeners listeners) {
    this.listeners = listeners;
  }

  /**
   * A Vert.x whose servers accept connections through {@link AcceptChannel}, on the sockets that
   * the listeners have or make.
   */
  public static Vertx vertx(VertxOptions options, Listeners listeners) {
    return Vertx.builder().with(options).withTransport(new AcceptTransport(listeners)).build();
  }

  @Override
  public ChannelFactory<? extends ServerChannel> serverChannelFactory(boolean domainSocket) {
    return domainSocket ? NIO.serverChannelFactory(true) : () -> listeners.open();
  }

  @Override
  public String name() {
    return "taskrole";
  }

  @Override
  public boolean available() {
    return true;
  }

  @Override
  public boolean isAvailable() {
    return true;
  }

  @Override
  public @Nullable Throwable unavailabilityCause() {
    return null;
  }

  @Override
  public Transport implementation() {
    return this;
  }

  @Override
  public boolean supportsDomainSockets() {
    return NIO.supportsDomainSockets();
  }

  @Override
  public boolean supportFileRegion() {
    return NIO.supportFileRegion();
  }

  @Override
  public java.net.SocketAddress convert(SocketAddress address) {
    return NIO.convert(address);
  }

  @Override
  public SocketAddress convert(java.net.SocketAddress address) {
    return NIO.convert(address);
  }

  @Override
  public IoHandlerFactory ioHandlerFactory() {
    return NIO.ioHandlerFactory();
  }

  @Override
  public EventLoopGroup eventLoopGroup(
      int type, int threads, ThreadFactory threadFactory, int ioRatio) {
    return NIO.eventLoopGroup(type, threads, threadFactory, ioRatio);
  }

  @Override
  @SuppressWarnings("deprecation") // Vert.x's interface says so
  public DatagramChannel datagramChannel(InternetProtocolFamily family) {
    return NIO.datagramChannel(family);
  }

  @Override
  public ChannelFactory<? extends DatagramChannel> datagramChannelFactory() {
    return NIO.datagramChannelFactory();
  }

  @Override
  public ChannelFactory<? extends Channel> channelFactory(boolean domainSocket) {
    return NIO.channelFactory(domainSocket);
  }

  @Override
  public void configure(DatagramChannel channel, DatagramSocketOptions options) {
    NIO.configure(channel, options);
  }

  @Override
  public void configure(TcpConfig config, boolean domainSocket, Bootstrap bootstrap) {
    NIO.configure(config, domainSocket, bootstrap);
  }

  @Override
  public void configure(TcpConfig config, boolean domainSocket, ServerBootstrap bootstrap) {
    NIO.configure(config, domainSocket, bootstrap);
  }
}
