package io.taskrole.endtoend;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.demo.Issuer;
import io.taskrole.testing.Reply;
import io.taskrole.testing.TestDaemon;
import io.taskrole.time.TimeSource;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Token files that are read before the task asks, and tokens that outlive their time. */
class PrefetchTest {
  @TempDir Path directory;

  private TestDaemon prefetching() {
    return TestDaemon.start(
        directory,
        TestDaemon.ROLES,
        "placement: {prefetch: from-secrets-dir, alloc-dir: alloc, expired-token: serve-existing}");
  }

  /** Where Nomad writes a task's token, in place. */
  private Path file(Issuer.Token task) {
    try {
      Path secrets =
          Files.createDirectories(
              directory.resolve("alloc").resolve(task.allocation()).resolve("server/secrets"));
      return secrets.resolve("nomad_aws.jwt");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void startingTask_hasItsLeaseBeforeItAsks() throws Exception {
    try (TestDaemon test = prefetching()) {
      Issuer.Token task = test.billing();
      String token = task.sign();
      Files.writeString(file(task), token);
      test.until(() -> test.sts().exchanges() == 1);
      test.sts().setDown(true);
      Reply first = test.get(token);
      assertThat(first.status()).isEqualTo(200);
      assertThat(test.sts().exchanges()).isEqualTo(1);
    }
  }

  @Test
  void cutFile_isReadAgain_andRenewalCostsNothing() throws Exception {
    try (TestDaemon test = prefetching()) {
      Issuer.Token task = test.billing();
      String token = task.sign();
      Files.writeString(file(task), token.substring(0, 400));
      TimeSource.system().sleep(Duration.ofMillis(400));
      assertThat(test.sts().exchanges()).isZero();
      Files.writeString(file(task), token);
      test.until(() -> test.sts().exchanges() == 1);
      Files.writeString(file(task), task.sign());
      TimeSource.system().sleep(Duration.ofMillis(400));
      assertThat(test.sts().exchanges()).isEqualTo(1);
    }
  }

  @Test
  void anotherTasksToken_inATasksDirectory_buysNothing() throws Exception {
    try (TestDaemon test = prefetching()) {
      Issuer.Token thief = test.billing();
      thief.sign();
      Issuer.Token victim = test.billing();
      Files.writeString(file(thief), victim.sign());
      Path elsewhere = Files.writeString(directory.resolve("elsewhere.jwt"), thief.sign());
      Issuer.Token linked = test.billing();
      linked.sign();
      Files.createSymbolicLink(file(linked), elsewhere);
      TimeSource.system().sleep(Duration.ofMillis(500));
      assertThat(test.sts().exchanges()).isZero();
    }
  }

  @Test
  void withoutPrefetch_noFileIsRead() throws Exception {
    try (TestDaemon test = TestDaemon.start(directory)) {
      Issuer.Token task = test.billing();
      Files.writeString(file(task), task.sign());
      TimeSource.system().sleep(Duration.ofMillis(400));
      assertThat(test.sts().exchanges()).isZero();
    }
  }

  @Test
  void expiredToken_getsTheLeaseThatExists_neverANewOne() throws Exception {
    try (TestDaemon test = prefetching()) {
      Issuer.Token task = test.billing();
      String expired = task.age(Duration.ofHours(2)).life(Duration.ofHours(1)).sign();
      Reply none = test.get(expired);
      assertThat(none.code()).isEqualTo("TokenExpired");
      assertThat(test.sts().exchanges()).isZero();

      String valid = task.age(Duration.ZERO).sign();
      Reply first = test.get(valid);
      assertThat(first.status()).isEqualTo(200);
      assertThat(test.get(expired).body()).isEqualTo(first.body());

      test.issuer().node().run(task.allocation(), "", "", "").status("complete");
      test.until(() -> test.get(expired).code().equals("AllocationStopped"));
      // What is expired and forged stays refused.
      try (Issuer other = Issuer.start(TimeSource.system())) {
        String forged =
            other
                .token("payments", "billing", "api", "server")
                .allocation(task.allocation())
                .age(Duration.ofHours(2))
                .sign();
        assertThat(test.get(forged).code()).isEqualTo("TokenKeyUnknown");
      }
    }
  }

  @Test
  void expiredToken_isRefusedAsARule() {
    try (TestDaemon test = TestDaemon.start(directory)) {
      Issuer.Token task = test.billing();
      assertThat(test.get(task.sign()).status()).isEqualTo(200);
      String expired = task.age(Duration.ofHours(2)).sign();
      assertThat(List.of(test.get(expired).code(), test.get(expired).status() + ""))
          .containsExactly("TokenExpired", "403");
    }
  }
}
