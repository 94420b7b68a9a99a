package io.taskrole.attest;

import io.taskrole.identity.AllocationId;
import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.OptionalInt;

/**
 * The network namespace behind an address on a bridge of this host, by NETLINK_ROUTE
 * (rtnetlink(7)): address to hardware address by the neighbour table, to the bridge's port by its
 * forwarding table, to the namespace at the other end of the port's pair. Only the kernel writes
 * the last step; a neighbour that spoofs an address is led to its own port.
 */
final class Bridge {
  private static final short GET_NEIGHBOUR = 30;
  private static final short GET_LINK = 18;
  private static final short GET_NAMESPACE = 90;
  private static final int NEIGHBOUR = 12;
  private static final int LINK = 16;
  private static final int NAMESPACE = 4;
  private static final byte AF_INET = 2;
  private static final byte AF_INET6 = 10;
  private static final byte AF_BRIDGE = 7;
  private static final short DESTINATION = 1;
  private static final short LINK_LAYER = 2;
  private static final short MASTER = 9;
  private static final int LINK_NAMESPACE = 37;
  private static final int NAMESPACE_ID = 1;
  private static final short NAMESPACE_DESCRIPTOR = 3;
  private static final int MAC = 6;

  private Bridge() {}

  /**
   * The id that our namespace gives the one at the other end of the bridge's port for an address.
   *
   * @param bridge the bridge's interface index
   * @return empty when the port leads into no other namespace
   * @throws IOException when the kernel does not know the address or cannot be asked
   */
  static OptionalInt namespaceBehind(int bridge, InetAddress address) throws IOException {
    return linkNamespace(port(bridge, mac(bridge, address)));
  }

  /**
   * The id of an allocation's namespace, as {@link #namespaceBehind} tells them.
   *
   * @param namespaces where Nomad names them, as a rule {@code /run/netns}
   * @throws IOException when the allocation has none there
   */
  static OptionalInt namespaceOf(Path namespaces, AllocationId allocation) throws IOException {
    return Netlink.withOpen(
        namespaces.resolve(allocation.value()),
        descriptor -> {
          ByteBuffer request = Netlink.message(Netlink.HEADER + NAMESPACE + 8, GET_NAMESPACE);
          request.putInt(0);
          attribute(request, NAMESPACE_DESCRIPTOR, 4).putInt(descriptor);
          ByteBuffer answer = Netlink.ask(Netlink.ROUTE, request);
          return number(answer, Netlink.HEADER + NAMESPACE, NAMESPACE_ID);
        });
  }

  private static byte[] mac(int bridge, InetAddress address) throws IOException {
    byte[] bytes = address.getAddress();
    ByteBuffer request =
        Netlink.message(Netlink.HEADER + NEIGHBOUR + 4 + bytes.length, GET_NEIGHBOUR);
    neighbour(request, address instanceof Inet4Address ? AF_INET : AF_INET6, bridge);
    attribute(request, DESTINATION, bytes.length).put(bytes);
    ByteBuffer answer = Netlink.ask(Netlink.ROUTE, request);
    int at = Netlink.attribute(answer, Netlink.HEADER + NEIGHBOUR, LINK_LAYER);
    if (at < 0 || at + MAC > answer.limit()) {
      throw new IOException("the neighbour table has no hardware address");
    }
    byte[] mac = new byte[MAC];
    answer.get(at, mac);
    return mac;
  }

  private static int port(int bridge, byte[] mac) throws IOException {
    ByteBuffer request = Netlink.message(Netlink.HEADER + NEIGHBOUR + 12 + 8, GET_NEIGHBOUR);
    neighbour(request, AF_BRIDGE, 0);
    attribute(request, LINK_LAYER, MAC).put(mac).putShort((short) 0);
    attribute(request, MASTER, 4).putInt(bridge);
    return Netlink.ask(Netlink.ROUTE, request).getInt(Netlink.HEADER + 4);
  }

  private static OptionalInt linkNamespace(int port) throws IOException {
    ByteBuffer request = Netlink.message(Netlink.HEADER + LINK, GET_LINK);
    request.putInt(0).putInt(port).putInt(0).putInt(0);
    ByteBuffer answer = Netlink.ask(Netlink.ROUTE, request);
    return number(answer, Netlink.HEADER + LINK, LINK_NAMESPACE);
  }

  private static void neighbour(ByteBuffer request, byte family, int index) {
    request.put(family).put((byte) 0).putShort((short) 0).putInt(index).putInt(0);
  }

  /** Begins an attribute; its value follows, padded by the caller to a multiple of four. */
  private static ByteBuffer attribute(ByteBuffer request, short type, int length) {
    return request.putShort((short) (4 + length)).putShort(type);
  }

  private static OptionalInt number(ByteBuffer answer, int from, int type) {
    int at = Netlink.attribute(answer, from, type);
    return at < 0 || at + 4 > answer.limit() || answer.getInt(at) < 0
        ? OptionalInt.empty()
        : OptionalInt.of(answer.getInt(at));
  }
}
