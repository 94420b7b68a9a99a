package io.taskrole.policy;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.identity.Workload;
import io.taskrole.time.TimeSource;
import io.taskrole.yaml.Problems;
import io.taskrole.yaml.YamlDocument;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every way in which editors, configuration tools and Nomad's template block change a file. */
class LiveRulesTest {
  private static final Workload TASK = new Workload("payments", "billing", "api", "server");

  @TempDir Path directory;
  private final AtomicInteger changes = new AtomicInteger();
  private Path file;
  private LiveRules rules;

  private static String rule(String role) {
    return "roles: [{match: {namespace: payments}, role: \"arn:aws:iam::123456789012:role/"
        + role
        + "\"}]\n";
  }

  @BeforeEach
  void load() throws IOException {
    Files.createDirectory(directory.resolve("v1"));
    Files.writeString(directory.resolve("v1/roles.yaml"), rule("one"));
    Files.createSymbolicLink(directory.resolve("current"), Path.of("v1"));
    file = directory.resolve("current/roles.yaml");
    rules =
        LiveRules.load(
                file,
                new Region("eu-west-1"),
                new Problems(),
                TimeSource.system(),
                changes::incrementAndGet)
            .orElseThrow();
    rules.start();
  }

  @AfterEach
  void close() {
    rules.close();
  }

  private String role() {
    return rules.decide(Applicant.of(TASK)) instanceof Decision.Granted(var grant, _, _)
        ? grant.role().name()
        : "none";
  }

  private void untilRoleIs(String expected) throws InterruptedException {
    for (int i = 0; i < 500 && !role().equals(expected); i++) {
      TimeSource.system().sleep(Duration.ofMillis(10));
    }
    assertThat(role()).isEqualTo(expected);
  }

  private void untilTroubleIs(boolean expected) throws InterruptedException {
    for (int i = 0; i < 500 && rules.trouble().isPresent() != expected; i++) {
      TimeSource.system().sleep(Duration.ofMillis(10));
    }
    assertThat(rules.trouble().isPresent()).isEqualTo(expected);
  }

  @Test
  void rewrittenInPlace_isTaken() throws Exception {
    Files.writeString(file, rule("two"));
    untilRoleIs("two");
    // Told after the rules came into force, so it may be a moment later than the first answer.
    for (int i = 0; i < 500 && changes.get() == 0; i++) {
      TimeSource.system().sleep(Duration.ofMillis(10));
    }
    assertThat(changes).hasValue(1);
  }

  @Test
  void levelsThatAreAskedFor_areThoseOfTheRulesInForce() throws Exception {
    assertThat(rules.demands(AttestLevel.KERNEL)).isFalse();
    Files.writeString(file, rule("two").replace("}]", ", attest: kernel}]"));
    untilRoleIs("two");
    assertThat(rules.demands(AttestLevel.KERNEL)).isTrue();
    assertThat(rules.demands(AttestLevel.ADDRESS)).isFalse();
  }

  @Test
  void replacedByRename_isTaken() throws Exception {
    Path next = Files.writeString(directory.resolve("v1/next"), rule("two"));
    Files.move(next, file.toRealPath(), StandardCopyOption.REPLACE_EXISTING);
    untilRoleIs("two");
  }

  @Test
  void symbolicLinkTurned_isTaken() throws Exception {
    Files.createDirectory(directory.resolve("v2"));
    Files.writeString(directory.resolve("v2/roles.yaml"), rule("two"));
    Files.createSymbolicLink(directory.resolve("next"), Path.of("v2"));
    Files.move(
        directory.resolve("next"),
        directory.resolve("current"),
        StandardCopyOption.REPLACE_EXISTING,
        StandardCopyOption.ATOMIC_MOVE);
    untilRoleIs("two");
  }

  @Test
  void sameSizeAndTime_isTakenAllTheSame() throws Exception {
    var time = Files.getLastModifiedTime(file);
    Files.writeString(file, rule("six"));
    Files.setLastModifiedTime(file, time);
    untilRoleIs("six");
  }

  @Test
  void badFile_changesNothing_andTheOldOneMendsIt() throws Exception {
    Files.writeString(file, "roles: [{match: {namespace: payments}, role: nonsense}]");
    untilTroubleIs(true);
    assertThat(role()).isEqualTo("one");
    assertThat(changes).hasValue(0);
    assertThat(rules.trouble().orElseThrow().problems().getFirst().toString())
        .contains("roles.yaml:1:46: role cannot be 'nonsense'");
    Files.writeString(file, rule("one"));
    untilTroubleIs(false);
  }

  @Test
  void hundredMegabytes_changeNothing_andCostNoMemory() throws Exception {
    try (var huge = new RandomAccessFile(file.toFile(), "rw")) {
      huge.setLength(100L << 20);
    }
    untilTroubleIs(true);
    assertThat(role()).isEqualTo("one");
    assertThat(YamlDocument.read(file)).hasSizeLessThan(2 << 20);
    Files.writeString(file, rule("two"));
    untilRoleIs("two");
    untilTroubleIs(false);
  }

  @Test
  void notUtf8_changesNothing() throws Exception {
    Files.write(file, new byte[] {'r', 'o', 'l', 'e', 's', ':', ' ', (byte) 0xc3, (byte) 0x28});
    untilTroubleIs(true);
    assertThat(role()).isEqualTo("one");
    assertThat(rules.trouble().orElseThrow().problems().getFirst().toString()).contains("UTF-8");
  }

  @Test
  void missingFile_changesNothing_untilItIsBack() throws Exception {
    Files.delete(file);
    untilTroubleIs(true);
    assertThat(role()).isEqualTo("one");
    Files.writeString(file, rule("two"));
    untilRoleIs("two");
    untilTroubleIs(false);
  }

  @Test
  void fileThatIsStillBeingWritten_isNotTakenHalf() throws Exception {
    StringBuilder growing = new StringBuilder("roles:\n");
    for (int i = 0; i < 12; i++) {
      growing.append(
          "  - {match: {namespace: n" + i + "}, role: \"arn:aws:iam::123456789012:role/x\"}\n");
      Files.writeString(file, growing.toString());
      assertThat(role()).isEqualTo("one");
      TimeSource.system().sleep(Duration.ofMillis(40));
    }
    Files.writeString(
        file,
        growing
            + "  - {match: {namespace: payments}, role: \"arn:aws:iam::123456789012:role/two\"}\n");
    untilRoleIs("two");
    // Told after the rules came into force, so it may be a moment later than the first answer.
    for (int i = 0; i < 500 && changes.get() == 0; i++) {
      TimeSource.system().sleep(Duration.ofMillis(10));
    }
    assertThat(changes).hasValue(1);
  }

  @Test
  void reload_looksAtOnce() throws Exception {
    Files.writeString(file, rule("two"));
    rules.reload();
    assertThat(role()).isEqualTo("two");
  }
}
