package io.taskrole.attest;

import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.OptionalLong;

/**
 * The cgroup of the process that made the other end of a connection on this host, by
 * NETLINK_SOCK_DIAG (sock_diag(7), linux/inet_diag.h). The kernel fixes it when the socket is made.
 */
final class PeerCgroup {
  private static final short SOCK_DIAG_BY_FAMILY = 20;
  private static final int LENGTH = 72;
  private static final byte TCP = 6;
  private static final byte INET = 2;
  private static final byte INET6 = 10;
  private static final byte ESTABLISHED = 1;
  private static final int NO_ENTRY = 2;
  private static final int STATE = 17;
  private static final int ID = 20;
  private static final int ATTRIBUTES = 88;

  /** {@code INET_DIAG_CGROUP_ID}, since Linux 5.8. */
  private static final int CGROUP_ID = 21;

  private PeerCgroup() {}

  /**
   * Asks for the client's end of a connection.
   *
   * @return the id of its cgroup, empty when the kernel tells none: no such socket on this host, or
   *     closed already, or an older kernel
   * @throws IOException when the kernel cannot be asked
   */
  static OptionalLong of(InetSocketAddress client, InetSocketAddress server) throws IOException {
    byte[] from = address(client.getAddress());
    byte[] to = address(server.getAddress());
    byte family = client.getAddress() instanceof Inet4Address ? INET : INET6;
    // The tuple as the client sees it: the other way round it would be our own socket.
    ByteBuffer request = Netlink.message(LENGTH, SOCK_DIAG_BY_FAMILY);
    request.put(family).put(TCP).put((byte) 0).put((byte) 0).putInt(-1);
    request.order(ByteOrder.BIG_ENDIAN);
    request.putShort((short) client.getPort()).putShort((short) server.getPort());
    request.order(ByteOrder.nativeOrder());
    request.put(from).put(to).putInt(0).putInt(-1).putInt(-1);
    ByteBuffer answer;
    try {
      answer = Netlink.ask(Netlink.SOCK_DIAG, request);
    } catch (Netlink.Refused e) {
      if (e.errno() == NO_ENTRY) {
        return OptionalLong.empty();
      }
      throw e;
    }
    if (answer.limit() < ATTRIBUTES
        || answer.get(STATE) != ESTABLISHED
        || !isAsked(answer, client, server)) {
      return OptionalLong.empty();
    }
    int at = Netlink.attribute(answer, ATTRIBUTES, CGROUP_ID);
    return at < 0 || at + 8 > answer.limit()
        ? OptionalLong.empty()
        : OptionalLong.of(answer.getLong(at));
  }

  /** Whether the answer is about the client's socket, and not about ours. */
  private static boolean isAsked(
      ByteBuffer answer, InetSocketAddress client, InetSocketAddress server) {
    byte family = answer.get(Netlink.HEADER);
    int clientPort = port(answer, ID);
    int serverPort = port(answer, ID + 2);
    return clientPort == client.getPort()
        && serverPort == server.getPort()
        && isSame(answer, ID + 4, family, client.getAddress())
        && isSame(answer, ID + 20, family, server.getAddress());
  }

  /** A port, in network byte order. */
  private static int port(ByteBuffer answer, int at) {
    return Byte.toUnsignedInt(answer.get(at)) << 8 | Byte.toUnsignedInt(answer.get(at + 1));
  }

  private static boolean isSame(ByteBuffer answer, int at, byte family, InetAddress address) {
    byte[] told = new byte[family == INET ? 4 : 16];
    answer.get(at, told);
    try {
      // The address of a dual-stack socket comes IPv4-mapped; this unmaps it.
      return InetAddress.getByAddress(told).equals(address);
    } catch (UnknownHostException e) {
      throw new IllegalStateException("4 or 16 bytes are always an address", e);
    }
  }

  private static byte[] address(InetAddress address) {
    byte[] bytes = address.getAddress();
    byte[] padded = new byte[16];
    System.arraycopy(bytes, 0, padded, 0, bytes.length);
    return padded;
  }
}
