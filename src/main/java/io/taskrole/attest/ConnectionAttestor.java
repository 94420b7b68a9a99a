package io.taskrole.attest;

import io.taskrole.broker.Caller;
import io.taskrole.broker.CallerAttestor;
import io.taskrole.broker.Connection;
import io.taskrole.broker.Connection.Side;
import io.taskrole.broker.Placement;
import io.taskrole.broker.Placements;
import io.taskrole.identity.AllocationId;
import io.taskrole.policy.AttestLevel;
import io.taskrole.refusal.Reason;
import io.taskrole.refusal.Refusal;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.InterfaceAddress;
import java.net.NetworkInterface;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * Compares where a connection comes from with where Nomad put the allocation, and asks the kernel
 * where more than an address is wanted: for a caller on the host its cgroup, for one behind a
 * bridge its network namespace. A contradiction is refused whatever is wanted.
 *
 * <p>Safe for concurrent use.
 */
public final class ConnectionAttestor implements CallerAttestor {
  private static final System.Logger LOG = System.getLogger(ConnectionAttestor.class.getName());
  private static final Path INTERFACES = Path.of("/sys/class/net");
  private static final Attestation BEARER = new Attestation.Attested(AttestLevel.BEARER);
  private static final Attestation ADDRESS = new Attestation.Attested(AttestLevel.ADDRESS);
  private static final Attestation KERNEL = new Attestation.Attested(AttestLevel.KERNEL);

  private final Placements placements;
  private final Path namespaces;
  private final String cgroupParent;

  /**
   * Makes an attestor for this host.
   *
   * @param namespaces where Nomad names the network namespaces of its allocations
   * @param cgroupParent Nomad's {@code client.cgroup_parent}
   */
  public ConnectionAttestor(Placements placements, Path namespaces, String cgroupParent) {
    this.placements = placements;
    this.namespaces = namespaces;
    this.cgroupParent = cgroupParent;
  }

  /**
   * Asks the kernel once, about a connection that there is not: what the first question loads then
   * takes no caller's time. The tasks' cgroups are not gone through: a full node has many. To be
   * called on a platform thread.
   *
   * @param cgroupParent Nomad's {@code client.cgroup_parent}
   */
  public static void warmUp(String cgroupParent) {
    InetSocketAddress nobody = new InetSocketAddress(InetAddress.getLoopbackAddress(), 1);
    try {
      OptionalLong _ = PeerCgroup.of(nobody, nobody);
      Optional<Cgroups> _ = Cgroups.find(cgroupParent);
    } catch (IOException e) {
      LOG.log(System.Logger.Level.DEBUG, "the kernel was asked in vain", e);
    }
  }

  @Override
  public @Nullable Attestation recall(Placement placement, Caller caller, AttestLevel wanted) {
    Connection connection = caller.connection();
    Side side = connection.side();
    if (side == null && isPlainlyHost(connection)) {
      side = new Side.Host();
    }
    return side == null ? null : judge(placement, connection, side, wanted, false);
  }

  @Override
  public Attestation attest(Placement placement, Caller caller, AttestLevel wanted) {
    Connection connection = caller.connection();
    Side side = connection.side();
    try {
      if (side == null) {
        side = find(connection);
        connection.found(side);
      }
    } catch (IOException e) {
      return new Attestation.Mismatch(
          Reason.CALLER_NOT_ALLOCATION.refusal(
              "Operator: let taskrole read the host's interfaces; it cannot tell where this caller"
                  + " is."));
    }
    Attestation judged = judge(placement, connection, side, wanted, true);
    return judged == null ? BEARER : judged;
  }

  /** Null when the kernel has to be asked and must not be. */
  private @Nullable Attestation judge(
      Placement placement, Connection connection, Side side, AttestLevel wanted, boolean mayAsk) {
    InetAddress address = connection.remote().getAddress();
    boolean hasOwn = !placement.addresses().isEmpty();
    boolean isOwn = placement.addresses().contains(address);
    AllocationId allocation = placement.identity().allocation();
    boolean isContradicted =
        side instanceof Side.Network
            || hasOwn
            || (side instanceof Side.Bridge && placements.isAnothers(address, allocation));
    if (!isOwn && isContradicted) {
      return elsewhere(address);
    }
    Attestation proven = isOwn ? ADDRESS : BEARER;
    if ((isOwn ? AttestLevel.ADDRESS : AttestLevel.BEARER).compareTo(wanted) >= 0) {
      return proven;
    }
    AllocationId owner = connection.owner();
    if (side instanceof Side.Host && owner != null) {
      return owner.equals(allocation) ? KERNEL : elsewhere(address);
    }
    if (!mayAsk) {
      return null;
    }
    AttestLevel reached = isOwn ? AttestLevel.ADDRESS : AttestLevel.BEARER;
    try {
      return switch (side) {
        case Side.Bridge(int bridge) -> byNamespace(placement, bridge, address, reached);
        case Side.Host() -> byCgroup(allocation, connection);
        case Side.Network() ->
            new Attestation.Attested(reached, "the caller's network has no bridge on this host");
      };
    } catch (IOException e) {
      return new Attestation.Attested(reached, "the kernel does not tell: " + e.getMessage());
    }
  }

  private Attestation byCgroup(AllocationId allocation, Connection connection) throws IOException {
    Optional<Cgroups> cgroups = Cgroups.find(cgroupParent);
    if (cgroups.isEmpty()) {
      return new Attestation.Attested(AttestLevel.BEARER, "this host has no cgroup v2");
    }
    OptionalLong id = PeerCgroup.of(connection.remote(), connection.local());
    if (id.isEmpty()) {
      return new Attestation.Attested(
          AttestLevel.BEARER, "the kernel names no cgroup for the caller's socket");
    }
    Optional<AllocationId> owner = cgroups.get().owner(id.getAsLong(), allocation);
    if (owner.isEmpty()) {
      return new Attestation.Attested(
          AttestLevel.BEARER,
          "the caller's cgroup is not one that Nomad makes for a task (docker in host mode, a"
              + " shell)");
    }
    connection.found(owner.get());
    return owner.get().equals(allocation) ? KERNEL : elsewhere(connection.remote().getAddress());
  }

  private Attestation byNamespace(
      Placement placement, int bridge, InetAddress address, AttestLevel reached)
      throws IOException {
    AllocationId allocation = placement.identity().allocation();
    if (!Files.exists(namespaces.resolve(allocation.value()))) {
      return new Attestation.Attested(
          reached,
          "there is no " + namespaces.resolve(allocation.value()) + " (docker names its own)");
    }
    OptionalInt own = Bridge.namespaceOf(namespaces, allocation);
    OptionalInt callers = Bridge.namespaceBehind(bridge, address);
    if (own.isPresent() && callers.isPresent()) {
      return own.getAsInt() == callers.getAsInt() ? KERNEL : elsewhere(address);
    }
    if (callers.isPresent()) {
      // No port of ours leads into the allocation's namespace, and the caller is behind one.
      return elsewhere(address);
    }
    return new Attestation.Attested(reached, "the bridge's port leads into no network namespace");
  }

  private static Attestation elsewhere(InetAddress address) {
    Refusal refusal =
        Reason.CALLER_NOT_ALLOCATION.refusal(
            "Job author: ask from the task itself; this connection comes from "
                + address.getHostAddress()
                + ", not from the token's allocation.");
    return new Attestation.Mismatch(refusal);
  }

  /** Whether no look at the interfaces is needed. */
  private static boolean isPlainlyHost(Connection connection) {
    InetAddress address = connection.remote().getAddress();
    return address.isLoopbackAddress() || address.equals(connection.local().getAddress());
  }

  private static Side find(Connection connection) throws IOException {
    if (isPlainlyHost(connection)) {
      return new Side.Host();
    }
    InetAddress address = connection.remote().getAddress();
    Side side = new Side.Network();
    for (NetworkInterface each : NetworkInterface.networkInterfaces().toList()) {
      for (InterfaceAddress own : each.getInterfaceAddresses()) {
        if (own.getAddress().equals(address)) {
          return new Side.Host();
        }
        if (isWithin(address, own)
            && Files.exists(INTERFACES.resolve(each.getName() + "/bridge"))) {
          side = new Side.Bridge(each.getIndex());
        }
      }
    }
    return side;
  }

  private static boolean isWithin(InetAddress address, InterfaceAddress network) {
    byte[] one = address.getAddress();
    byte[] other = network.getAddress().getAddress();
    int bits = network.getNetworkPrefixLength();
    if (one.length != other.length || bits <= 0) {
      return false;
    }
    for (int i = 0; i < bits; i++) {
      int mask = 0x80 >> (i % 8);
      if ((one[i / 8] & mask) != (other[i / 8] & mask)) {
        return false;
      }
    }
    return true;
  }
}
