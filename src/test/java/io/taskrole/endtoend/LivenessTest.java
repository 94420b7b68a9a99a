package io.taskrole.endtoend;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.demo.ClientNode;
import io.taskrole.testing.Reply;
import io.taskrole.testing.TestDaemon;
import io.taskrole.time.TimeSource;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The task behind the token: whole daemon, real sockets, an agent that lists its allocations. */
class LivenessTest {
  @TempDir Path directory;

  private static ClientNode.Run run(TestDaemon test, String allocation) {
    return Objects.requireNonNull(test.issuer().node().find(allocation));
  }

  @Test
  void stoppedAllocation_isRefusedWithinASecond_andItsLeaseIsGone() throws Exception {
    try (TestDaemon test = TestDaemon.start(directory)) {
      var task = test.billing();
      String token = task.sign();
      assertThat(test.get(token).status()).isEqualTo(200);
      assertThat(leases(test)).isEqualTo("1.0");
      run(test, task.allocation()).desired("stop");
      TimeSource.system().sleep(Duration.ofMillis(300));
      assertThat(test.get(token).status()).as("graceful shutdown").isEqualTo(200);
      run(test, task.allocation()).status("complete");
      TimeSource.system().sleep(Duration.ofSeconds(1));
      Reply replayed = test.get(token);
      assertThat(replayed.status()).isEqualTo(403);
      assertThat(replayed.code()).isEqualTo("AllocationStopped");
      assertThat(leases(test)).isEqualTo("0.0");
    }
  }

  @Test
  void deadTask_isRefused_itsNeighbourIsNot() {
    String sidecarsRole = "arn:aws:iam::123456789012:role/sidecar";
    String rules =
        TestDaemon.ROLES
            + "  - match: {namespace: payments, job: billing, task: sidecar}\n    role: "
            + sidecarsRole
            + "\n";
    try (TestDaemon test = TestDaemon.start(directory, rules, "")) {
      var task = test.billing();
      String token = task.sign();
      String neighbour =
          test.issuer()
              .token("payments", "billing", "api", "sidecar")
              .allocation(task.allocation())
              .sign();
      test.sts().trust(sidecarsRole, "global:payments:billing:api:sidecar:aws");
      run(test, task.allocation()).task("sidecar", "running");
      assertThat(test.get(token).status()).isEqualTo(200);
      run(test, task.allocation()).task("server", "dead");
      test.until(() -> test.get(token).code().equals("TaskStopped"));
      assertThat(test.get(neighbour).status()).isEqualTo(200);
    }
  }

  @Test
  void tokenOfAnotherNode_isRefused() {
    try (TestDaemon test = TestDaemon.start(directory)) {
      Reply reply = test.get(test.billing().elsewhere().sign());
      assertThat(reply.status()).isEqualTo(403);
      assertThat(reply.code()).isEqualTo("AllocationNotHere");
      assertThat(reply.text("message")).startsWith("Job author: ");
      assertThat(test.sts().exchanges()).isZero();
    }
  }

  @Test
  void allocationThatNomadMovedElsewhere_isRefused() {
    try (TestDaemon test = TestDaemon.start(directory)) {
      var task = test.billing();
      String token = task.sign();
      assertThat(test.get(token).status()).isEqualTo(200);
      run(test, task.allocation()).node("00000000-0000-0000-0000-000000000000");
      test.until(() -> test.get(token).code().equals("AllocationNotHere"));
    }
  }

  @Test
  void addressNotToldYet_isNoRefusalForGood() {
    String rules = TestDaemon.ROLES + "    attest: address\n";
    try (TestDaemon test = TestDaemon.start(directory, rules, "")) {
      var task = test.billing();
      String token = task.sign();
      run(test, task.allocation()).status("pending");
      test.until(() -> test.get(token).code().equals("NomadUnavailable"));
      run(test, task.allocation()).status("running");
      test.until(() -> test.get(token).code().equals("CallerNotAllocation"));
      run(test, task.allocation()).address("127.0.0.1");
      test.until(() -> test.get(token).status() == 200);
    }
  }

  @Test
  void nomadDown_runningTaskIsServed_unknownOneIsTold_untilNomadIsBack() {
    try (TestDaemon test = TestDaemon.start(directory)) {
      String running = test.billing().sign();
      assertThat(test.get(running).status()).isEqualTo(200);
      test.issuer().setDown(true);
      assertThat(test.get(running).status()).isEqualTo(200);
      String unknown = test.billing().sign();
      Reply told = test.get(unknown);
      assertThat(told.status()).isEqualTo(503);
      assertThat(told.code()).isEqualTo("NomadUnavailable");
      test.until(() -> test.admin("/readyz").body().contains("NomadTrouble"));
      assertThat(test.admin("/readyz").status()).isEqualTo(200);
      test.issuer().setDown(false);
      test.until(() -> test.get(unknown).status() == 200);
      test.until(() -> !test.admin("/readyz").body().contains("NomadTrouble"));
    }
  }

  @Test
  void warmRequest_makesNoCallToNomad() throws Exception {
    try (TestDaemon test = TestDaemon.start(directory)) {
      String token = test.billing().sign();
      assertThat(test.get(token).status()).isEqualTo(200);
      TimeSource.system().sleep(Duration.ofMillis(300));
      int lists = test.issuer().node().lists();
      for (int i = 0; i < 200; i++) {
        assertThat(test.get(token).status()).isEqualTo(200);
      }
      assertThat(test.issuer().node().lists()).isEqualTo(lists);
    }
  }

  @Test
  void childOfAPeriodicJob_mapsAsItsParent() {
    try (TestDaemon test = TestDaemon.start(directory)) {
      var task = test.billing();
      ClientNode node = test.issuer().node();
      node.atOnce(() ->
          node.run(task.allocation(), "payments", "billing/periodic-1795422480", "api", "server")
              .parent("billing"));
      assertThat(test.get(task.sign()).status()).isEqualTo(200);
    }
  }

  @Test
  void roleFromMeta_isTheJobsChoiceWithinTheOperatorsPattern() {
    String rules =
        """
        roles:
          - match: {namespace: payments, job: billing}
            role-from-meta:
              key: aws_role
              allow: "arn:aws:iam::123456789012:role/payments-*"
        """;
    try (TestDaemon test = TestDaemon.start(directory, rules, "")) {
      var allowed = test.billing().running(run -> run.meta("aws_role", TestDaemon.ROLE));
      assertThat(test.get(allowed.sign()).text("RoleArn")).isEqualTo(TestDaemon.ROLE);

      String admin = "arn:aws:iam::123456789012:role/admin";
      var greedy = test.billing().running(run -> run.meta("aws_role", admin));
      Reply refused = test.get(greedy.sign());
      assertThat(refused.code()).isEqualTo("NoRoleForTask");
      assertThat(refused.text("message"))
          .contains("role/admin is not allowed by the rule in line 2");

      Reply silent = test.get(test.billing().sign());
      assertThat(silent.code()).isEqualTo("NoRoleForTask");
      assertThat(silent.text("message")).startsWith("Job author: name the role in meta { aws_role");
    }
  }

  private static String leases(TestDaemon test) {
    return test.admin("/metrics")
        .body()
        .lines()
        .filter(line -> line.startsWith("taskrole_leases "))
        .findFirst()
        .orElseThrow()
        .substring("taskrole_leases ".length());
  }
}
