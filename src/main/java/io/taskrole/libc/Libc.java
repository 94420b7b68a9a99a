package io.taskrole.libc;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/**
 * Functions of the C library by name (JEP 454). Every handle takes, before the function's own
 * arguments, a segment of {@link #state} that receives {@code errno}. Safe for concurrent use.
 */
public final class Libc {
  private static final Linker LINKER = Linker.nativeLinker();
  private static final StructLayout CAPTURED = Linker.Option.captureStateLayout();
  private static final VarHandle ERRNO =
      CAPTURED.varHandle(MemoryLayout.PathElement.groupElement("errno"));

  /** {@code int socket(int domain, int type, int protocol)}. */
  public static final MethodHandle SOCKET =
      function(
          "socket",
          FunctionDescriptor.of(
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT));

  /** {@code int close(int fd)}. */
  public static final MethodHandle CLOSE =
      function("close", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));

  private Libc() {}

  /**
   * Finds a function.
   *
   * @throws java.util.NoSuchElementException when this C library does not have it
   */
  @SuppressWarnings("restricted") // the launcher permits native access
  public static MethodHandle function(
      String name, FunctionDescriptor descriptor, Linker.Option... options) {
    Linker.Option[] all = new Linker.Option[options.length + 1];
    System.arraycopy(options, 0, all, 0, options.length);
    all[options.length] = Linker.Option.captureCallState("errno");
    return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(name), descriptor, all);
  }

  /** Room for what calls leave behind, for as long as the arena lives. */
  public static MemorySegment state(Arena arena) {
    return arena.allocate(CAPTURED);
  }

  /** The {@code errno} of the last call that was given this segment. */
  public static int errno(MemorySegment state) {
    return (int) ERRNO.get(state, 0L);
  }

  /**
   * Ends the process as {@code _exit(2)} does: no hook, no flush, and without the third of a second
   * for which the JVM's own end waits for threads that are in native code.
   */
  public static void exit(int code) {
    MethodHandle exit = function("_exit", FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT));
    try (Arena arena = Arena.ofConfined()) {
      exit.invokeExact(state(arena), code);
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException("_exit cannot be called", e);
    }
  }
}
