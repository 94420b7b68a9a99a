package io.taskrole.attest;

import io.taskrole.identity.AllocationId;
import java.io.IOException;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * What it costs to ask the kernel for the network namespace of a peer behind a bridge, and for the
 * allocation's own: neighbour, port, link, in a lab of its own. Needs root and iproute2.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class BridgeQueries {
  private static final Path NAMESPACES = Path.of("/run/netns");
  private static final String BRIDGE = "trbench";
  private static final String HOST = "10.79.1.1";
  private static final String PEER = "10.79.1.2";

  private final String allocation = UUID.randomUUID().toString();
  private InetAddress peer;
  private int bridge;

  @Setup
  public void lab() throws Exception {
    run("ip", "link", "add", BRIDGE, "type", "bridge");
    run("ip", "addr", "add", HOST + "/24", "dev", BRIDGE);
    run("ip", "link", "set", BRIDGE, "up");
    run("ip", "netns", "add", allocation);
    run("ip", "link", "add", "trbench0", "type", "veth", "peer", "name", "eth0", "netns", allocation);
    run("ip", "link", "set", "trbench0", "master", BRIDGE, "up");
    run("ip", "-n", allocation, "addr", "add", PEER + "/24", "dev", "eth0");
    run("ip", "-n", allocation, "link", "set", "eth0", "up");
    try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getByName(HOST))) {
      // A connection tells the host where the peer is.
      String call = "exec 3<>/dev/tcp/" + HOST + "/" + server.getLocalPort();
      run("ip", "netns", "exec", allocation, "bash", "-c", call);
    }
    peer = InetAddress.getByName(PEER);
    bridge = NetworkInterface.getByName(BRIDGE).getIndex();
    OptionalInt own = Bridge.namespaceOf(NAMESPACES, new AllocationId(allocation));
    if (own.isEmpty() || !own.equals(Bridge.namespaceBehind(bridge, peer))) {
      throw new IllegalStateException("the kernel does not know the peer");
    }
  }

  @TearDown
  public void undo() throws Exception {
    run("ip", "link", "del", BRIDGE);
    run("ip", "netns", "del", allocation);
  }

  @Benchmark
  public boolean namespaceOfAPeer() throws IOException {
    OptionalInt own = Bridge.namespaceOf(NAMESPACES, new AllocationId(allocation));
    return own.equals(Bridge.namespaceBehind(bridge, peer));
  }

  private static void run(String... command) throws Exception {
    int code = new ProcessBuilder(command).inheritIO().start().waitFor();
    if (code != 0) {
      throw new IllegalStateException(String.join(" ", command) + " ended with " + code);
    }
  }
}
