package io.taskrole.http;

import io.taskrole.libc.Libc;
import java.io.FileDescriptor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ProtocolFamily;
import java.net.StandardProtocolFamily;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.spi.SelectorProvider;

/**
 * A listening socket that came with the process. The JDK knows of one such socket only, and only as
 * file descriptor 0 ({@code System.inheritedChannel}), so its own channel is built around ours; the
 * jar's manifest opens the two packages that this takes (Add-Opens).
 *
 * @param address where it listens
 * @param channel the JDK's view of it; closing it leaves the service manager's own open
 */
record InheritedSocket(InetSocketAddress address, ServerSocketChannel channel) {
  private static final int AF_INET = 2;
  private static final int AF_INET6 = 10;
  private static final int IPPROTO_TCP = 6;
  private static final int SOL_SOCKET = 1;
  private static final int SO_ACCEPTCONN = 30;
  private static final int SO_PROTOCOL = 38;
  private static final int SO_DOMAIN = 39;

  private static final MethodHandle GET_SOCKET_OPTION =
      Libc.function(
          "getsockopt",
          FunctionDescriptor.of(
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT,
              ValueLayout.ADDRESS,
              ValueLayout.ADDRESS));

  /**
   * Takes a file descriptor over.
   *
   * @throws IOException when it is no listening socket of TCP, or this Java cannot take it
   */
  static InheritedSocket of(int descriptor) throws IOException {
    try {
      refuseOthers(descriptor);
      Internals jdk = Internals.get();
      FileDescriptor file = (FileDescriptor) jdk.file.invoke(descriptor);
      InetSocketAddress address = (InetSocketAddress) jdk.address.invoke(file);
      ProtocolFamily family =
          address.getAddress().getAddress().length == 4
              ? StandardProtocolFamily.INET
              : StandardProtocolFamily.INET6;
      ServerSocketChannel channel =
          (ServerSocketChannel) jdk.channel.invoke(SelectorProvider.provider(), family, file, true);
      return new InheritedSocket(withoutScope(address), channel);
    } catch (Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IOException(
          "file descriptor " + descriptor + " cannot be taken over as a listening socket", e);
    }
  }

  /** What is no listening socket of TCP looks like one to the JDK, but would never accept. */
  private static void refuseOthers(int descriptor) throws Throwable {
    int domain = option(descriptor, SO_DOMAIN);
    if ((domain != AF_INET && domain != AF_INET6)
        || option(descriptor, SO_PROTOCOL) != IPPROTO_TCP
        || option(descriptor, SO_ACCEPTCONN) != 1) {
      throw new IOException("it is no socket of TCP that listens");
    }
  }

  /** An option of level {@code SOL_SOCKET} (socket(7)). */
  private static int option(int descriptor, int name) throws Throwable {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = Libc.state(arena);
      MemorySegment value = arena.allocate(ValueLayout.JAVA_INT);
      MemorySegment length = arena.allocateFrom(ValueLayout.JAVA_INT, Integer.BYTES);
      int result =
          (int) GET_SOCKET_OPTION.invokeExact(state, descriptor, SOL_SOCKET, name, value, length);
      if (result != 0) {
        throw new IOException("getsockopt failed, errno " + Libc.errno(state));
      }
      return value.get(ValueLayout.JAVA_INT, 0);
    }
  }

  /** As a configuration names it; a link-local address of IPv6 comes with its interface. */
  private static InetSocketAddress withoutScope(InetSocketAddress address) throws IOException {
    return new InetSocketAddress(
        InetAddress.getByAddress(address.getAddress().getAddress()), address.getPort());
  }

  /**
   * What the JDK does not offer to everybody.
   *
   * @param file a descriptor for a number
   * @param address the address that a socket is bound to
   * @param channel a channel around a socket that listens
   */
  private record Internals(MethodHandle file, MethodHandle address, MethodHandle channel) {
    static Internals get() throws ReflectiveOperationException {
      Class<?> implementation = Class.forName("sun.nio.ch.ServerSocketChannelImpl");
      Class<?> net = Class.forName("sun.nio.ch.Net");
      MethodHandles.Lookup own = MethodHandles.lookup();
      return new Internals(
          MethodHandles.privateLookupIn(FileDescriptor.class, own)
              .findConstructor(FileDescriptor.class, MethodType.methodType(void.class, int.class)),
          MethodHandles.privateLookupIn(net, own)
              .findStatic(
                  net,
                  "localAddress",
                  MethodType.methodType(InetSocketAddress.class, FileDescriptor.class)),
          MethodHandles.privateLookupIn(implementation, own)
              .findConstructor(
                  implementation,
                  MethodType.methodType(
                      void.class,
                      SelectorProvider.class,
                      ProtocolFamily.class,
                      FileDescriptor.class,
                      boolean.class)));
    }
  }
}
