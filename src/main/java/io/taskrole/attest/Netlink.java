package io.taskrole.attest;

import io.taskrole.libc.Libc;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;

/**
 * One question to the kernel and its answer, over a netlink socket of its own (netlink(7)): the
 * kernel answers before the sending returns, so nothing here waits. Safe for concurrent use.
 *
 * <p>All numbers in messages are in the machine's byte order (RFC 3549 section 2.3.2).
 */
final class Netlink {
  /** {@code NETLINK_ROUTE}. */
  static final int ROUTE = 0;

  /** {@code NETLINK_SOCK_DIAG}. */
  static final int SOCK_DIAG = 4;

  /** {@code NLM_F_REQUEST}. */
  static final short REQUEST = 1;

  /** Length of {@code struct nlmsghdr}. */
  static final int HEADER = 16;

  private static final short ERROR = 2;
  private static final int AF_NETLINK = 16;
  private static final int DATAGRAM_CLOEXEC = 2 | 0x80000;
  private static final int DONT_WAIT = 0x40;
  private static final int READ_ONLY_CLOEXEC = 0x80000;
  private static final int LARGEST = 32 * 1024;
  private static final int SEQUENCE = 1;

  private static final MethodHandle SEND =
      Libc.function(
          "send",
          FunctionDescriptor.of(
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_INT,
              ValueLayout.ADDRESS,
              ValueLayout.JAVA_LONG,
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
  private static final MethodHandle OPEN =
      Libc.function(
          "open",
          FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT),
          Linker.Option.firstVariadicArg(2));

  /** An answer that is an error; its number is the kernel's errno. */
  static final class Refused extends IOException {
    private static final long serialVersionUID = 1;
    private final int errno;

    Refused(String what, int errno) {
      super(what + ": errno " + errno);
      this.errno = errno;
    }

    int errno() {
      return errno;
    }
  }

  private Netlink() {}

  /** Begins a message of this type; what follows the header is the caller's to put. */
  static ByteBuffer message(int length, short type) {
    return ByteBuffer.allocate(length)
        .order(ByteOrder.nativeOrder())
        .putInt(length)
        .putShort(type)
        .putShort(REQUEST)
        .putInt(SEQUENCE)
        .putInt(0);
  }

  /**
   * Asks the kernel.
   *
   * @return the first message of the answer, from its header on
   * @throws Refused when the kernel answers with an error
   * @throws IOException when it cannot be asked
   */
  static ByteBuffer ask(int protocol, ByteBuffer message) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = Libc.state(arena);
      int socket = (int) Libc.SOCKET.invokeExact(state, AF_NETLINK, DATAGRAM_CLOEXEC, protocol);
      if (socket < 0) {
        throw new Refused("no netlink socket", Libc.errno(state));
      }
      try {
        return exchange(arena, state, socket, message);
      } finally {
        int _ = (int) Libc.CLOSE.invokeExact(state, socket);
      }
    } catch (IOException | RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IOException("netlink cannot be called", e);
    }
  }

  private static ByteBuffer exchange(
      Arena arena, MemorySegment state, int socket, ByteBuffer message) throws Throwable {
    MemorySegment whole = MemorySegment.ofBuffer(message.rewind());
    MemorySegment out = arena.allocate(whole.byteSize(), 8).copyFrom(whole);
    long sent = (long) SEND.invokeExact(state, socket, out, out.byteSize(), 0);
    if (sent != out.byteSize()) {
      throw new Refused("a netlink message was not taken", Libc.errno(state));
    }
    MemorySegment in = arena.allocate(LARGEST, 8);
    long length = (long) RECEIVE.invokeExact(state, socket, in, (long) LARGEST, DONT_WAIT);
    if (length < HEADER) {
      throw new Refused("no netlink answer", Libc.errno(state));
    }
    byte[] answer = new byte[(int) length];
    MemorySegment.ofArray(answer).copyFrom(in.asSlice(0, length));
    ByteBuffer read = ByteBuffer.wrap(answer).order(ByteOrder.nativeOrder());
    int told = read.getInt(0);
    if (told < HEADER || told > length || read.getInt(8) != SEQUENCE) {
      throw new IOException("the netlink answer is not to our question");
    }
    if (read.getShort(4) == ERROR) {
      int error = told >= HEADER + 4 ? -read.getInt(HEADER) : 0;
      throw new Refused("the kernel refuses", error);
    }
    return read.limit(told);
  }

  /** What is done with an open file descriptor. */
  interface WithDescriptor<T> {
    T use(int descriptor) throws IOException;
  }

  /**
   * Opens a file for the length of a call.
   *
   * @throws Refused when it cannot be opened
   */
  static <T> T withOpen(Path file, WithDescriptor<T> action) throws IOException {
    int descriptor;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = Libc.state(arena);
      descriptor =
          (int) OPEN.invokeExact(state, arena.allocateFrom(file.toString()), READ_ONLY_CLOEXEC);
      if (descriptor < 0) {
        throw new Refused("cannot open " + file, Libc.errno(state));
      }
    } catch (IOException | RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IOException("open cannot be called", e);
    }
    try {
      return action.use(descriptor);
    } finally {
      close(descriptor);
    }
  }

  private static void close(int descriptor) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      int _ = (int) Libc.CLOSE.invokeExact(Libc.state(arena), descriptor);
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IOException("close cannot be called", e);
    }
  }

  /**
   * Where the value of an attribute begins, -1 when the message has none.
   *
   * @param from where the attributes begin
   */
  static int attribute(ByteBuffer message, int from, int type) {
    int at = from;
    while (at + 4 <= message.limit()) {
      int length = Short.toUnsignedInt(message.getShort(at));
      // The two highest bits are flags (NLA_F_NESTED, NLA_F_NET_BYTEORDER).
      int found = Short.toUnsignedInt(message.getShort(at + 2)) & 0x3fff;
      if (length < 4 || at + length > message.limit()) {
        return -1;
      }
      if (found == type) {
        return at + 4;
      }
      at += (length + 3) & ~3;
    }
    return -1;
  }
}
