package io.taskrole;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.telemetry.Metrics;
import java.io.FileInputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class FootprintTest {
  private final Metrics metrics = new Metrics();

  @BeforeEach
  void watch() {
    Footprint.watch(metrics);
  }

  @Test
  void heap_countsWhatIsHeld() {
    double before = figure("taskrole_jvm_heap_used_bytes");
    List<byte[]> held = new ArrayList<>();
    for (int i = 0; i < 32; i++) {
      held.add(new byte[1 << 20]);
    }
    System.gc();

    assertThat(figure("taskrole_jvm_heap_used_bytes")).isGreaterThan(32 << 20);
    assertThat(figure("taskrole_jvm_heap_live_bytes")).isGreaterThan(32 << 20);
    assertThat(before).isPositive();
    assertThat(held).hasSize(32);
  }

  @Test
  void directMemory_countsBuffers() {
    double before = figure("taskrole_jvm_direct_memory_bytes");
    ByteBuffer buffer = ByteBuffer.allocateDirect(16 << 20);

    assertThat(figure("taskrole_jvm_direct_memory_bytes") - before)
        .isBetween(15.0 * (1 << 20), 17.0 * (1 << 20));
    assertThat(buffer.capacity()).isEqualTo(16 << 20);
  }

  @Test
  void descriptors_areThoseOfTheKernel() throws IOException {
    double before = figure("taskrole_process_open_fds");
    List<FileInputStream> open = new ArrayList<>();
    try {
      for (int i = 0; i < 50; i++) {
        open.add(new FileInputStream("/proc/self/stat"));
      }
      assertThat(figure("taskrole_process_open_fds") - before).isBetween(40.0, 60.0);
      try (Stream<Path> listed = Files.list(Path.of("/proc/self/fd"))) {
        assertThat(figure("taskrole_process_open_fds")).isBetween(50.0, listed.count() + 10.0);
      }
    } finally {
      for (FileInputStream one : open) {
        one.close();
      }
    }
    assertThat(figure("taskrole_process_max_fds")).isGreaterThan(100);
  }

  @Test
  void threadsAndResidentMemory_areThoseOfTheKernel() {
    int known = ManagementFactory.getThreadMXBean().getThreadCount();

    assertThat(figure("taskrole_process_threads")).isBetween((double) known, known + 100.0);
    assertThat(figure("taskrole_process_resident_memory_bytes"))
        .isBetween(30.0 * (1 << 20), 16.0 * (1L << 30));
  }

  private double figure(String name) {
    String scrape = new String(metrics.scrape(), StandardCharsets.UTF_8);
    Matcher line = Pattern.compile("(?m)^" + name + " (\\S+)$").matcher(scrape);
    assertThat(line.find()).as(name).isTrue();
    return Double.parseDouble(line.group(1));
  }
}
