package io.taskrole.http;

import io.taskrole.libc.Libc;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.channels.ServerSocketChannel;

/**
 * Sockets of several processes that listen on one address ({@code SO_REUSEPORT}, socket(7)). The
 * kernel spreads new connections over them by a hash; what waits at one that is closed is reset, so
 * the one that goes must get none any more before it closes.
 */
final class ReusePort {
  private static final int SOL_SOCKET = 1;
  private static final int SO_ATTACH_REUSEPORT_CBPF = 51;

  /** {@code BPF_RET | BPF_K}. */
  private static final short RETURN_CONSTANT = 0x06;

  private ReusePort() {}

  /**
   * Has all new connections go to the socket that joined second; with one socket, to that one: the
   * kernel hashes when a program names a socket that is not there.
   *
   * @throws IOException when the kernel does not take it
   */
  static void preferSecond(ServerSocketChannel channel) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = Libc.state(arena);
      // struct sock_filter {u16 code; u8 jt, jf; u32 k}, struct sock_fprog {u16 len; filter *}.
      MemorySegment instruction = arena.allocate(8, 8);
      instruction.set(ValueLayout.JAVA_SHORT, 0, RETURN_CONSTANT);
      instruction.set(ValueLayout.JAVA_INT, 4, 1);
      MemorySegment program = arena.allocate(16, 8);
      program.set(ValueLayout.JAVA_SHORT, 0, (short) 1);
      program.set(ValueLayout.ADDRESS, 8, instruction);
      int result =
          (int)
              Calls.SET_SOCKET_OPTION.invokeExact(
                  state,
                  (int) Calls.DESCRIPTOR.invoke(channel),
                  SOL_SOCKET,
                  SO_ATTACH_REUSEPORT_CBPF,
                  program,
                  (int) program.byteSize());
      if (result != 0) {
        throw new IOException("setsockopt failed, errno " + Libc.errno(state));
      }
    } catch (IOException | RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IOException("libc cannot be called", e);
    }
  }

  /** Loaded only where there is something to hand over. */
  private static final class Calls {
    private static final MethodHandle SET_SOCKET_OPTION =
        Libc.function(
            "setsockopt",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.ADDRESS,
                ValueLayout.JAVA_INT));
    private static final MethodHandle DESCRIPTOR = descriptor();

    private static MethodHandle descriptor() {
      try {
        Class<?> channel = Class.forName("sun.nio.ch.SelChImpl");
        return MethodHandles.privateLookupIn(channel, MethodHandles.lookup())
            .findVirtual(channel, "getFDVal", MethodType.methodType(int.class))
            .asType(MethodType.methodType(int.class, Object.class));
      } catch (ReflectiveOperationException e) {
        throw new IllegalStateException("this Java does not tell a channel's descriptor", e);
      }
    }
  }
}
