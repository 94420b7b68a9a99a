package io.taskrole;

import com.sun.management.UnixOperatingSystemMXBean;
import io.taskrole.telemetry.Metrics;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.lang.management.MemoryUsage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * What this process holds of the machine: memory, threads, file descriptors. Read from the JVM and
 * the kernel at each scrape, a few microseconds each; nothing is kept.
 */
final class Footprint {
  private static final Path STATUS = Path.of("/proc/self/status");
  private static final long DEFAULT_DESCRIPTORS = 1024;

  private Footprint() {}

  /** The generation that outlives collections of the young one; of the two it may grow further. */
  static Optional<MemoryPoolMXBean> oldGeneration() {
    return ManagementFactory.getMemoryPoolMXBeans().stream()
        .filter(pool -> pool.getType() == MemoryType.HEAP)
        .max(Comparator.comparingLong(pool -> pool.getUsage().getMax()));
  }

  /** How many files this process may have open. */
  static long mostDescriptors() {
    return unix()
        .map(UnixOperatingSystemMXBean::getMaxFileDescriptorCount)
        .orElse(DEFAULT_DESCRIPTORS);
  }

  /** Adds the figures; those that the machine does not tell are left out of the scrape. */
  static void watch(Metrics metrics) {
    Runtime runtime = Runtime.getRuntime();
    metrics.gauge(
        "taskrole_jvm_heap_used_bytes",
        "Bytes of the heap in use, garbage among them.",
        () -> runtime.totalMemory() - runtime.freeMemory());
    Optional<MemoryPoolMXBean> old = oldGeneration();
    metrics.gauge(
        "taskrole_jvm_heap_live_bytes",
        "What the last collection of the whole heap left; 0 before the first.",
        () ->
            old.map(MemoryPoolMXBean::getCollectionUsage)
                .map(MemoryUsage::getUsed)
                .map(Long::doubleValue)
                .orElse(Double.NaN));
    Optional<BufferPoolMXBean> direct =
        ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class).stream()
            .filter(pool -> pool.getName().equals("direct"))
            .findFirst();
    metrics.gauge(
        "taskrole_jvm_direct_memory_bytes",
        "Memory of the network's buffers, outside of the heap.",
        () ->
            direct.map(BufferPoolMXBean::getMemoryUsed).map(Long::doubleValue).orElse(Double.NaN));
    metrics.gauge(
        "taskrole_process_open_fds",
        "Open file descriptors.",
        () ->
            unix()
                .map(UnixOperatingSystemMXBean::getOpenFileDescriptorCount)
                .map(Long::doubleValue)
                .orElse(Double.NaN));
    metrics.gauge(
        "taskrole_process_max_fds",
        "File descriptors that may be open.",
        Footprint::mostDescriptors);
    metrics.gauge(
        "taskrole_process_threads",
        "Threads as the kernel counts them, the JVM's own among them.",
        () -> status("Threads:"));
    metrics.gauge(
        "taskrole_process_resident_memory_bytes",
        "Resident memory.",
        () -> status("VmRSS:") * 1024);
  }

  private static Optional<UnixOperatingSystemMXBean> unix() {
    return ManagementFactory.getOperatingSystemMXBean() instanceof UnixOperatingSystemMXBean unix
        ? Optional.of(unix)
        : Optional.empty();
  }

  /** The number of one line of the kernel's account of this process (proc_pid_status(5)). */
  private static double status(String name) {
    try (Stream<String> lines = Files.lines(STATUS)) {
      return lines
          .filter(line -> line.startsWith(name))
          .map(line -> line.replaceAll("[^0-9]", ""))
          .mapToDouble(Double::parseDouble)
          .findFirst()
          .orElse(Double.NaN);
    } catch (IOException | UncheckedIOException e) {
      return Double.NaN;
    }
  }
}
