package io.taskrole.http;

import io.netty.util.NetUtil;
import io.taskrole.broker.Connection;
import io.vertx.core.http.HttpConnection;
import io.vertx.core.net.SocketAddress;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;

/**
 * The two ends of a connection, read once: they do not change while it lasts.
 *
 * @param connection the two ends, and what is found out about them
 * @param host what a client writes as Host to reach that address: literal and port
 */
record ConnectionEnds(Connection connection, String host) {
  InetSocketAddress remote() {
    return connection.remote();
  }

  InetSocketAddress local() {
    return connection.local();
  }

  static ConnectionEnds of(HttpConnection connection) {
    InetSocketAddress local = address(connection.localAddress());
    String literal = local.getAddress().getHostAddress();
    return new ConnectionEnds(
        new Connection(address(connection.remoteAddress()), local),
        (literal.contains(":") ? "[" + literal + "]" : literal) + ":" + local.getPort());
  }

  private static InetSocketAddress address(SocketAddress address) {
    // Never a name: a connection's ends are addresses, and nothing is looked up for them.
    byte[] bytes = NetUtil.createByteArrayFromIpAddressString(address.hostAddress());
    try {
      return new InetSocketAddress(
          InetAddress.getByAddress(bytes == null ? new byte[4] : bytes), address.port());
    } catch (UnknownHostException e) {
      throw new IllegalStateException("4 or 16 bytes are always an address", e);
    }
  }
}
