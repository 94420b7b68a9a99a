package io.taskrole.attest;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** What it costs to ask the kernel for the cgroup of a peer on this host, a netlink socket included. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class KernelQueries {
  private ServerSocket server;
  private Socket client;
  private InetSocketAddress from;
  private InetSocketAddress to;

  @Setup
  public void connect() throws IOException {
    server = new ServerSocket(0, 1, InetAddress.getByAddress(new byte[] {127, 0, 0, 1}));
    client = new Socket(server.getInetAddress(), server.getLocalPort());
    from = (InetSocketAddress) client.getLocalSocketAddress();
    to = (InetSocketAddress) client.getRemoteSocketAddress();
  }

  @TearDown
  public void disconnect() throws IOException {
    client.close();
    server.close();
  }

  @Benchmark
  public OptionalLong cgroupOfAPeer() throws IOException {
    return PeerCgroup.of(from, to);
  }
}
