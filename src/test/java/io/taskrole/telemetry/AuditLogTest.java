package io.taskrole.telemetry;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.time.TimeSource;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AuditLogTest {
  @TempDir private Path directory;

  @Test
  void tornLastLine_isEndedBeforeTheNextRecord() throws IOException {
    Path file = Files.writeString(directory.resolve("audit.jsonl"), "{\"a\":1}\n{\"time\":\"20");
    try (AuditLog log = open(file)) {
      log.write(record("first"));
    }

    assertThat(Files.readAllLines(file))
        .hasSize(3)
        .startsWith("{\"a\":1}", "{\"time\":\"20")
        .last()
        .asString()
        .startsWith("{")
        .contains("first")
        .endsWith("}");
  }

  @Test
  void wholeLastLine_isFollowedByTheNextRecord() throws IOException {
    Path file = Files.writeString(directory.resolve("audit.jsonl"), "{\"a\":1}\n");
    try (AuditLog log = open(file)) {
      log.write(record("first"));
    }
    try (AuditLog log = open(file)) {
      log.write(record("second"));
    }

    assertThat(Files.readAllLines(file)).hasSize(3).noneMatch(String::isEmpty);
  }

  @Test
  void newFile_isReadableForItsGroupOnly() throws IOException {
    Path file = directory.resolve("audit.jsonl");
    open(file).close();

    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
        .isEqualTo("rw-r-----");
  }

  @Test
  void fullDisk_isTold_andItsEndToo() throws Exception {
    Path link = Files.createSymbolicLink(directory.resolve("audit.jsonl"), Path.of("/dev/full"));
    try (AuditLog log = open(link)) {
      log.write(record("lost"));
      until(() -> log.problem().isPresent());
      assertThat(log.lost()).isEqualTo(1);
      assertThat(log.problem().orElseThrow()).contains("check its disk");

      Files.delete(link);
      log.write(record("kept"));
      until(() -> log.problem().isEmpty());
      assertThat(log.lost()).isEqualTo(1);
    }
    assertThat(Files.readString(link)).contains("kept");
  }

  private static AuditLog open(Path file) throws IOException {
    return AuditLog.open(new AuditConfig(Optional.of(file)), new ByteArrayOutputStream());
  }

  private static AuditRecord record(String id) {
    return AuditRecord.refusedEarly(
        Instant.parse("2026-11-23T08:31:00Z"), "TokenMissing", "127.0.0.1", id, 1);
  }

  private static void until(BooleanSupplier condition) throws InterruptedException {
    for (int i = 0; i < 500 && !condition.getAsBoolean(); i++) {
      TimeSource.system().sleep(Duration.ofMillis(10));
    }
    assertThat(condition.getAsBoolean()).isTrue();
  }
}
