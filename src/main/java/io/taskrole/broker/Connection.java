package io.taskrole.broker;

import io.taskrole.identity.AllocationId;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * One connection to the endpoint: its two ends, and what was found out about it, which holds as
 * long as it lasts. Safe for concurrent use.
 */
public final class Connection {
  /** Where the other end is. */
  public sealed interface Side {
    /** On this host, in its own network namespace. */
    record Host() implements Side {}

    /**
     * Behind a bridge of this host.
     *
     * @param index the bridge's interface index
     */
    record Bridge(int index) implements Side {}

    /** Anywhere else. */
    record Network() implements Side {}
  }

  private final InetSocketAddress remote;
  private final InetSocketAddress local;
  private volatile @Nullable Side side;
  private volatile @Nullable AllocationId owner;

  /**
   * Makes a connection of which nothing is known yet.
   *
   * @param remote where it comes from
   * @param local the address of ours that it reached
   */
  public Connection(InetSocketAddress remote, InetSocketAddress local) {
    this.remote = remote;
    this.local = local;
  }

  public InetSocketAddress remote() {
    return remote;
  }

  public InetSocketAddress local() {
    return local;
  }

  /** Where the other end is, null until that was found out. */
  public @Nullable Side side() {
    return side;
  }

  /** Keeps where the other end is. */
  public void found(Side found) {
    side = found;
  }

  /** The allocation whose process made the other end, null until the kernel has named it. */
  public @Nullable AllocationId owner() {
    return owner;
  }

  /** Keeps whose process made the other end: the kernel fixes it when the socket is made. */
  public void found(AllocationId found) {
    owner = found;
  }
}
