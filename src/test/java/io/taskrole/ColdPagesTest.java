package io.taskrole;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.ColdPages.Mapping;
import io.taskrole.testing.ManualTime;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ColdPagesTest {
  @ParameterizedTest
  @CsvSource({
    "r-xp, /opt/taskrole/runtime/lib/server/libjvm.so, 0, true",
    "r--p, /opt/taskrole/app/taskrole.aot, 0, true",
    // Relocations were written: the pages are ours alone.
    "r--p, /opt/taskrole/runtime/lib/server/libjvm.so, 940, false",
    "rw-p, /opt/taskrole/app/taskrole.aot, 0, false",
    "r--s, /opt/taskrole/app/taskrole.aot, 0, false",
    // May be unmapped and its place taken by another mapping.
    "r--p, /opt/taskrole/runtime/lib/modules, 0, false",
    "r--p, '', 0, false",
  })
  void onlyUnwrittenPages_ofFilesThatStayMapped_areLetGoOf(
      String rights, String file, int anonymous, boolean fits) {
    List<String> smaps =
        List.of(
            "7f66de800000-7f66deae3000 " + rights + " 00000000 fe:00 10699913    " + file,
            "Size:               2956 kB",
            "Rss:                2956 kB",
            "Anonymous:      " + String.format("%8d", anonymous) + " kB",
            "VmFlags: rd mr mw me",
            "7f66df000000-7f66df001000 rw-p 00000000 00:00 0",
            "Anonymous:             0 kB");
    assertThat(ColdPages.lasting(smaps))
        .isEqualTo(fits ? List.of(new Mapping(0x7f66de800000L, 0x7f66deae3000L)) : List.of());
  }

  @Test
  void pages_areLetGoOf_afterTheStart_andEveryFiveSeconds() {
    var time = ManualTime.at("2026-11-23T08:31:00Z");
    List<Mapping> gone = new ArrayList<>();
    var mapping = new Mapping(4096, 3 * 4096);
    var cold =
        new ColdPages(
            List.of(mapping),
            (from, length) -> {
              gone.add(new Mapping(from, from + length));
              return 0;
            },
            time);
    for (int i = 0; i < 70; i++) {
      time.advance(Duration.ofSeconds(1));
      cold.look();
      assertThat(gone).hasSize(i < 3 ? 0 : 1 + (i - 3) / 5);
    }
    assertThat(gone).containsOnly(mapping);
  }

  @Test
  void thisProcess_holdsLessOfTheJvmsLibrary_andLives() throws IOException {
    var time = ManualTime.at("2026-11-23T08:31:00Z");
    ColdPages cold = ColdPages.ofThisProcess(time);
    long before = residentKilobytesOfLibrary();
    time.advance(Duration.ofSeconds(5));
    cold.look();
    assertThat(residentKilobytesOfLibrary()).isLessThan(before - 1024);
  }

  private static long residentKilobytesOfLibrary() throws IOException {
    long sum = 0;
    boolean library = false;
    try (Stream<String> lines = Files.lines(Path.of("/proc/self/smaps"))) {
      for (String line : (Iterable<String>) lines::iterator) {
        if (line.contains(" r-xp ")) {
          library = line.endsWith("/libjvm.so");
        } else if (library && line.startsWith("Rss:")) {
          sum += Long.parseLong(line.replaceAll("\\D", ""));
          library = false;
        }
      }
    }
    return sum;
  }
}
