package io.taskrole.systemd;

import io.taskrole.libc.Libc;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;

/**
 * The datagram socket that {@code NOTIFY_SOCKET} names (sd_notify(3)). The JDK has no datagrams on
 * unix sockets (JEP 380 left them out), so libc is called. Safe for concurrent use; never blocks
 * for long: the service manager reads, or the message is refused.
 */
final class NotifySocket {
  private static final int AF_UNIX = 1;
  private static final int DATAGRAM_CLOEXEC = 2 | 0x80000;

  /** {@code MSG_NOSIGNAL | MSG_DONTWAIT}. */
  private static final int FLAGS = 0x4000 | 0x40;

  /** {@code sizeof(sun_path)}. */
  private static final int LONGEST_PATH = 108;

  private final byte[] path;

  /**
   * Takes the variable's value: a path, or a name in the abstract namespace that begins with
   * {@code @}.
   */
  NotifySocket(String value) {
    this.path = value.getBytes(StandardCharsets.UTF_8);
    if (path.length > 0 && path[0] == '@') {
      path[0] = 0;
    }
  }

  void send(String message) throws IOException {
    if (path.length == 0 || path.length > LONGEST_PATH) {
      throw new IOException("NOTIFY_SOCKET is no path of 1 to " + LONGEST_PATH + " bytes");
    }
    try (Arena arena = Arena.ofConfined()) {
      Sending.send(arena, path, message.getBytes(StandardCharsets.UTF_8));
    } catch (IOException | RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IOException("libc cannot be called", e);
    }
  }

  /** Loaded only where there is somebody to tell. */
  private static final class Sending {
    private static final MethodHandle SEND_TO =
        Libc.function(
            "sendto",
            FunctionDescriptor.of(
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT,
                ValueLayout.ADDRESS,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT,
                ValueLayout.ADDRESS,
                ValueLayout.JAVA_INT));

    private static void send(Arena arena, byte[] path, byte[] message) throws Throwable {
      MemorySegment state = Libc.state(arena);
      int socket = (int) Libc.SOCKET.invokeExact(state, AF_UNIX, DATAGRAM_CLOEXEC, 0);
      if (socket < 0) {
        throw new IOException("no socket, errno " + Libc.errno(state));
      }
      try {
        // struct sockaddr_un: the family in two bytes, then the path.
        MemorySegment address = arena.allocate(2 + (long) path.length, 2);
        address.set(ValueLayout.JAVA_SHORT, 0, (short) AF_UNIX);
        MemorySegment.copy(path, 0, address, ValueLayout.JAVA_BYTE, 2, path.length);
        MemorySegment text = arena.allocateFrom(ValueLayout.JAVA_BYTE, message);
        long sent =
            (long)
                SEND_TO.invokeExact(
                    state,
                    socket,
                    text,
                    (long) message.length,
                    FLAGS,
                    address,
                    (int) address.byteSize());
        if (sent != message.length) {
          throw new IOException("sendto failed, errno " + Libc.errno(state));
        }
      } finally {
        int _ = (int) Libc.CLOSE.invokeExact(state, socket);
      }
    }
  }
}
