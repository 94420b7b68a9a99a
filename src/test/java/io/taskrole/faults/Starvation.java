package io.taskrole.faults;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;

/**
 * How long the threads that serve have wanted a processor and had none, as the kernel counts it: on
 * a machine that others keep busy, that is no fault of the daemon's.
 */
final class Starvation {
  private final Path threads;
  private final Map<Path, Long> before;

  /** That of this process, from now on. */
  Starvation() {
    this(ProcessHandle.current().pid());
  }

  /** That of a daemon's process, from now on. */
  Starvation(long process) {
    threads = Path.of("/proc", Long.toString(process), "task");
    before = waits();
  }

  /** The longest wait of one thread, all its waits together, since the beginning. */
  Duration longest() {
    return Duration.ofNanos(
        waits().entrySet().stream()
            .mapToLong(wait -> wait.getValue() - before.getOrDefault(wait.getKey(), 0L))
            .max()
            .orElse(0));
  }

  /** By event loop and by carrier of virtual threads. */
  private Map<Path, Long> waits() {
    Map<Path, Long> waits = new HashMap<>();
    try (Stream<Path> listed = Files.list(threads)) {
      for (Path thread : listed.toList()) {
        String name = Files.readString(thread.resolve("comm"));
        if (name.startsWith("vert.x-event") || name.startsWith("ForkJoinPool")) {
          // Time on a processor, time in wait for one, turns (the kernel's sched-stats.rst).
          String[] figures = Files.readString(thread.resolve("schedstat")).strip().split(" ", -1);
          waits.put(thread, Long.parseLong(figures[1]));
        }
      }
    } catch (IOException e) {
      // A kernel that does not tell, or a thread that has just ended: nothing is forgiven for it.
    }
    return waits;
  }
}
