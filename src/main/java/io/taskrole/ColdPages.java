package io.taskrole;

import io.taskrole.libc.Libc;
import io.taskrole.time.TimeSource;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Lets go of the JVM's own pages that a start, a compilation or a rush has touched and nobody needs
 * now: those of its library and of the start-up cache, as far as they are read and never written.
 * They are the file's, in the page cache; one that is touched again is mapped again, within
 * microseconds and without a read. So what stays resident is what the last seconds have used
 * (madvise(2), MADV_DONTNEED).
 *
 * <p>Belongs to one thread, which {@link #look()} holds for less than a millisecond.
 */
final class ColdPages {
  private static final Duration APART = Duration.ofSeconds(5);

  /** After the start, which touches nearly all of them. */
  private static final Duration FIRST = Duration.ofSeconds(4);

  private static final int MADV_DONTNEED = 4;
  private static final System.Logger LOG = System.getLogger(ColdPages.class.getName());

  /** A part of the address space, from its first byte to the one after its last. */
  record Mapping(long from, long to) {}

  /** Lets go of one mapping; returns 0, or -1 where the kernel refuses. */
  @FunctionalInterface
  interface Advice {
    int letGo(long from, long length) throws Throwable;
  }

  private final List<Mapping> mappings;
  private final Advice advice;
  private final TimeSource time;
  private long dueNanos;

  ColdPages(List<Mapping> mappings, Advice advice, TimeSource time) {
    this.mappings = List.copyOf(mappings);
    this.advice = advice;
    this.time = time;
    this.dueNanos = time.nanos() + FIRST.toNanos();
  }

  /** Those of this process; none where the kernel does not tell them. */
  static ColdPages ofThisProcess(TimeSource time) {
    try {
      return new ColdPages(
          lasting(Files.readAllLines(Path.of("/proc/self/smaps"))), madvise(), time);
    } catch (IOException | RuntimeException | LinkageError e) {
      LOG.log(System.Logger.Level.DEBUG, "pages of the JVM are not let go of", e);
      return new ColdPages(List.of(), (_, _) -> 0, time);
    }
  }

  /** Lets go when it is due. */
  void look() {
    if (time.nanos() - dueNanos >= 0) {
      dueNanos = time.nanos() + APART.toNanos();
      letGo();
    }
  }

  private void letGo() {
    for (Mapping mapping : mappings) {
      try {
        int _ = advice.letGo(mapping.from(), mapping.to() - mapping.from());
      } catch (Throwable e) {
        throw new IllegalStateException("madvise cannot be called", e);
      }
    }
  }

  /**
   * The mappings that may be let go of: of the two files that stay mapped as long as the JVM lives,
   * private, not writable, and without a page that was written before and would be lost.
   *
   * @param smaps the lines of {@code /proc/self/smaps} (proc(5))
   */
  static List<Mapping> lasting(List<String> smaps) {
    List<Mapping> found = new ArrayList<>();
    Mapping last = new Mapping(0, 0);
    boolean fits = false;
    for (String line : smaps) {
      int space = line.indexOf(' ');
      int dash = line.indexOf('-');
      if (dash > 0 && dash < space) {
        last =
            new Mapping(
                Long.parseUnsignedLong(line, 0, dash, 16),
                Long.parseUnsignedLong(line, dash + 1, space, 16));
        String rights = line.substring(space + 1, space + 5);
        fits =
            (rights.equals("r--p") || rights.equals("r-xp"))
                && (line.endsWith("/libjvm.so") || line.endsWith("/taskrole.aot"));
      } else if (fits && line.startsWith("Anonymous:") && line.endsWith(" 0 kB")) {
        found.add(last);
      }
    }
    return found;
  }

  private static Advice madvise() {
    MethodHandle call =
        Libc.function(
            "madvise",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT));
    return (from, length) -> {
      try (Arena arena = Arena.ofConfined()) {
        return (int) call.invokeExact(Libc.state(arena), from, length, MADV_DONTNEED);
      }
    };
  }
}
