package io.taskrole.testing;

import io.taskrole.libc.Libc;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** A socket as a service manager has it: a file descriptor, and what libc can do with it. */
public final class NativeSocket implements AutoCloseable {
  private static final int AF_UNIX = 1;
  private static final int AF_INET = 2;
  private static final int AF_INET6 = 10;
  private static final int STREAM = 1;
  private static final int DATAGRAM = 2;
  private static final int SOL_SOCKET = 1;
  private static final int SO_RCVTIMEO = 20;
  private static final int DONT_WAIT = 0x40;
  private static final int TIMEOUT_SECONDS = 20;

  private static final FunctionDescriptor INT_PATH =
      FunctionDescriptor.of(
          ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT);
  private static final MethodHandle BIND = Libc.function("bind", INT_PATH);
  private static final MethodHandle LISTEN =
      Libc.function(
          "listen",
          FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
  private static final MethodHandle DUP =
      Libc.function("dup", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
  private static final MethodHandle NAME =
      Libc.function(
          "getsockname",
          FunctionDescriptor.of(
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT,
              ValueLayout.ADDRESS,
              ValueLayout.ADDRESS));
  private static final MethodHandle SET_OPTION =
      Libc.function(
          "setsockopt",
          FunctionDescriptor.of(
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT,
              ValueLayout.ADDRESS,
              ValueLayout.JAVA_INT));
  private static final MethodHandle RECEIVE =
      Libc.function(
          "recv",
          FunctionDescriptor.of(
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_INT,
              ValueLayout.ADDRESS,
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_INT));

  private final int descriptor;

  private NativeSocket(int descriptor) {
    this.descriptor = descriptor;
  }

  /** Listens on a free port of 127.0.0.1 or ::1. */
  public static NativeSocket listening(boolean isIpv6) {
    NativeSocket socket = open(isIpv6 ? AF_INET6 : AF_INET, STREAM);
    MemorySegment address = address(isIpv6);
    socket.call(BIND, address, (int) address.byteSize());
    socket.call(LISTEN, 4096);
    return socket;
  }

  /** Receives datagrams at a path. */
  public static NativeSocket receiving(Path path) {
    NativeSocket socket = open(AF_UNIX, DATAGRAM);
    byte[] name = path.toString().getBytes(StandardCharsets.UTF_8);
    MemorySegment address = Arena.ofAuto().allocate(3 + (long) name.length, 2);
    address.set(ValueLayout.JAVA_SHORT, 0, (short) AF_UNIX);
    MemorySegment.copy(name, 0, address, ValueLayout.JAVA_BYTE, 2, name.length);
    socket.call(BIND, address, (int) address.byteSize());
    MemorySegment timeout = Arena.ofAuto().allocate(16, 8);
    timeout.set(ValueLayout.JAVA_LONG, 0, TIMEOUT_SECONDS);
    socket.call(SET_OPTION, SOL_SOCKET, SO_RCVTIMEO, timeout, 16);
    return socket;
  }

  public int descriptor() {
    return descriptor;
  }

  /** A second descriptor of the same socket, as a child gets one. */
  public int duplicate() {
    return call(DUP);
  }

  /** Where it listens. */
  public InetSocketAddress address() {
    try {
      MemorySegment name = Arena.ofAuto().allocate(28, 8);
      MemorySegment length = Arena.ofAuto().allocate(4, 4);
      length.set(ValueLayout.JAVA_INT, 0, 28);
      call(NAME, name, length);
      boolean isIpv6 = name.get(ValueLayout.JAVA_SHORT, 0) == AF_INET6;
      int port =
          Byte.toUnsignedInt(name.get(ValueLayout.JAVA_BYTE, 2)) << 8
              | Byte.toUnsignedInt(name.get(ValueLayout.JAVA_BYTE, 3));
      return new InetSocketAddress(InetAddress.getByName(isIpv6 ? "::1" : "127.0.0.1"), port);
    } catch (java.net.UnknownHostException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The next datagram; empty when none comes for twenty seconds. */
  public String receive() {
    return receive(0);
  }

  /** Whether no datagram has come. */
  public boolean isEmpty() {
    return receive(DONT_WAIT).isEmpty();
  }

  private String receive(int flags) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment buffer = arena.allocate(4096);
      long length =
          (long)
              RECEIVE.invokeExact(Libc.state(arena), descriptor, buffer, buffer.byteSize(), flags);
      return length < 0
          ? ""
          : new String(
              buffer.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    call(Libc.CLOSE);
  }

  private static NativeSocket open(int family, int type) {
    try (Arena arena = Arena.ofConfined()) {
      return new NativeSocket((int) Libc.SOCKET.invokeExact(Libc.state(arena), family, type, 0));
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  private static MemorySegment address(boolean isIpv6) {
    MemorySegment address = Arena.ofAuto().allocate(isIpv6 ? 28 : 16, 8);
    address.set(ValueLayout.JAVA_SHORT, 0, (short) (isIpv6 ? AF_INET6 : AF_INET));
    if (isIpv6) {
      address.set(ValueLayout.JAVA_BYTE, 8 + 15, (byte) 1);
    } else {
      address.set(ValueLayout.JAVA_BYTE, 4, (byte) 127);
      address.set(ValueLayout.JAVA_BYTE, 7, (byte) 1);
    }
    return address;
  }

  private int call(MethodHandle function, Object... arguments) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = Libc.state(arena);
      Object[] all = new Object[arguments.length + 2];
      all[0] = state;
      all[1] = descriptor;
      System.arraycopy(arguments, 0, all, 2, arguments.length);
      int result = (int) function.invokeWithArguments(all);
      if (result < 0) {
        throw new IllegalStateException("errno " + Libc.errno(state));
      }
      return result;
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }
}
