package io.taskrole.http;

import io.vertx.core.Future;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Where listening sockets come from: handed over by the service manager, else made anew; and where
 * they are found again when the daemon stops.
 *
 * <p>Addresses are bound one after another, so {@link #bind} belongs to one thread at a time;
 * everything else is safe for concurrent use.
 */
public final class Listeners {
  private static final Duration CLOSE = Duration.ofSeconds(1);

  private final Acceptance acceptance;
  private final Map<InetSocketAddress, InheritedSocket> inherited;
  private final boolean isShared;
  private final List<AcceptChannel> open = new CopyOnWriteArrayList<>();
  private volatile @Nullable InheritedSocket expected;

  private Listeners(
      Acceptance acceptance, Map<InetSocketAddress, InheritedSocket> inherited, boolean isShared) {
    this.acceptance = acceptance;
    this.inherited = inherited;
    this.isShared = isShared;
  }

  /** All sockets are made anew, and are this process's alone. */
  public static Listeners own(Acceptance acceptance) {
    return new Listeners(acceptance, Map.of(), false);
  }

  /**
   * Takes over what the service manager has opened.
   *
   * @param acceptance what all sockets share
   * @param descriptors file descriptors of listening sockets
   * @param isShared whether others of this user may listen on the same addresses as well ({@code
   *     SO_REUSEPORT}, socket(7)): one that takes this one's place
   * @throws IOException when one is not a listening socket of TCP; the message names it
   */
  public static Listeners of(Acceptance acceptance, List<Integer> descriptors, boolean isShared)
      throws IOException {
    Map<InetSocketAddress, InheritedSocket> sockets = new LinkedHashMap<>();
    for (int descriptor : descriptors) {
      InheritedSocket socket = InheritedSocket.of(descriptor);
      sockets.put(socket.address(), socket);
    }
    return new Listeners(acceptance, sockets, isShared);
  }

  /** The addresses of the sockets that were handed over. */
  public List<InetSocketAddress> inherited() {
    return List.copyOf(inherited.keySet());
  }

  /**
   * Binds an address, and accepts connections once that is done and its event loops are there.
   *
   * @param listen has Vert.x listen there, and tells the port
   * @return the address with the port as it really is
   * @throws IllegalStateException when it cannot be bound; the message names it
   */
  InetSocketAddress bind(InetSocketAddress address, Supplier<Future<Integer>> listen) {
    expected = inherited.get(address);
    InetSocketAddress bound = Binding.bind(address, listen);
    open.forEach(AcceptChannel::begin);
    return bound;
  }

  /** A socket for the address that is being bound. */
  AcceptChannel open() {
    InheritedSocket socket = expected;
    expected = null;
    AcceptChannel channel =
        socket == null
            ? new AcceptChannel(acceptance, isShared)
            : new AcceptChannel(acceptance, socket);
    open.add(channel);
    return channel;
  }

  /** Whether another process may be listening on the same addresses, to take this one's place. */
  boolean areShared() {
    return isShared;
  }

  /** How many accepted connections wait for their event loop. */
  int unsettled() {
    return acceptance.unsettled();
  }

  /** Leaves new connections to the successor, if there is one; those that wait are still taken. */
  void stepAside() {
    open.forEach(AcceptChannel::stepAside);
  }

  /**
   * Accepts no more connections. What waits at a socket that was handed over stays there, for the
   * daemon's next start.
   */
  void close() {
    open.stream()
        .map(AcceptChannel::close)
        .toList()
        .forEach(closing -> closing.awaitUninterruptibly(CLOSE.toMillis()));
    open.clear();
  }
}
