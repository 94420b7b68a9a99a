package io.taskrole.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.demo.Issuer;
import io.taskrole.testing.Lab;
import io.taskrole.testing.Reply;
import io.taskrole.testing.TestDaemon;
import io.taskrole.time.TimeSource;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.opentest4j.TestAbortedException;

/** What befalls the file system of the audit log, a real one of 256 KiB. Needs root. */
class DiskFaultsTest {
  private static final Pattern LOST = Pattern.compile("(?m)^taskrole_audit_lost_total (\\S+)$");

  private final TimeSource time = TimeSource.system();
  @TempDir private Path mount;
  private TestDaemon taskrole;
  private Issuer.Token warm;
  private final List<String> requests = new ArrayList<>();

  @BeforeEach
  void start() {
    if (!System.getProperty("user.name").equals("root")) {
      String missing = "NOT PROVEN HERE: faults of the disk need root";
      System.err.println(missing);
      throw new TestAbortedException(missing);
    }
    Lab.run("mount -t tmpfs -o size=256k taskrole-test " + mount);
    taskrole = TestDaemon.start(mount);
    warm = taskrole.billing();
    assertThat(taskrole.get(warm.sign()).status()).isEqualTo(200);
  }

  @AfterEach
  void stop() {
    if (taskrole != null) {
      taskrole.close();
      Lab.run("umount --lazy " + mount);
    }
  }

  @Test
  void fullThenReadOnly_costsNobodyAnAnswer_andIsToldUntilItIsOver() throws Exception {
    askAll(10);
    assertThat(lost()).isZero();

    Path filler = fill();
    askAll(40);
    taskrole.until(() -> lost() > 0);
    assertTold();

    // The kernel does this only while nobody has a file open for writing.
    taskrole.until(() -> remounted("ro"));
    long before = lost();
    askAll(20);
    taskrole.until(() -> lost() >= before + 20);
    assertTold();

    Lab.run("mount -o remount,rw " + mount);
    Files.delete(filler);
    askAll(10);
    taskrole.until(() -> !taskrole.admin("/readyz").body().contains("AuditLogFailing"));
    long after = lost();
    askAll(30);

    assertThat(lost()).isEqualTo(after);
    List<String> lines = taskrole.audit(1 + requests.size() - (int) after);
    long kept = requests.stream().filter(id -> contains(lines, id)).count();
    assertThat(kept + after).as("records kept or counted as lost").isGreaterThanOrEqualTo(80);
    assertThat(requests.subList(requests.size() - 15, requests.size()))
        .allSatisfy(id -> assertThat(contains(lines, id)).isTrue());
  }

  /** Half of them served, half refused; the latter tell their request's id. */
  private void askAll(int count) {
    for (int i = 0; i < count; i++) {
      long begun = time.nanos();
      Reply reply = taskrole.get(i % 2 == 0 ? warm.sign() : "not.a.token");
      assertThat(Duration.ofNanos(time.nanos() - begun)).isLessThan(Watch.ANSWERED);
      assertThat(reply.status()).isEqualTo(i % 2 == 0 ? 200 : 503);
      if (i % 2 != 0) {
        requests.add(reply.text("requestId"));
      }
    }
  }

  private void assertTold() {
    assertThat(taskrole.admin("/readyz").body())
        .contains("AuditLogFailing")
        .contains("check its disk and permissions; records lost since the start: ");
  }

  private long lost() {
    Matcher line = LOST.matcher(taskrole.admin("/metrics").body());
    assertThat(line.find()).isTrue();
    return (long) Double.parseDouble(line.group(1));
  }

  private Path fill() throws IOException {
    Path filler = mount.resolve("filler");
    try (OutputStream out = Files.newOutputStream(filler)) {
      byte[] page = new byte[4096];
      while (true) {
        out.write(page);
      }
    } catch (IOException e) {
      assertThat(e).hasMessageContaining("No space left");
      return filler;
    }
  }

  private boolean remounted(String how) {
    taskrole.get("not.a.token");
    try {
      Lab.run("mount -o remount," + how + " " + mount);
      return true;
    } catch (AssertionError e) {
      return false;
    }
  }

  private static boolean contains(List<String> lines, String id) {
    return lines.stream().anyMatch(line -> line.contains('"' + id + '"'));
  }
}
