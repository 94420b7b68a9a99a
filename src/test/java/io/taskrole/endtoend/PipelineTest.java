package io.taskrole.endtoend;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.json.StrictJson;
import io.taskrole.testing.RawHttp;
import io.taskrole.testing.Reply;
import io.taskrole.testing.TestDaemon;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The six steps together: whole daemon, real sockets, an STS that verifies. */
class PipelineTest {
  @TempDir Path directory;

  @Test
  void genuineToken_getsItsTasksOwnCredentials() {
    try (TestDaemon test = TestDaemon.start(directory)) {
      Reply reply = test.get(test.billing().sign());
      assertThat(reply.status()).isEqualTo(200);
      assertThat(reply.header("content-type")).isEqualTo("application/json");
      assertThat(reply.header("cache-control")).isEqualTo("no-store");
      assertThat(reply.text("AccessKeyId")).startsWith("ASIA");
      assertThat(reply.text("SecretAccessKey")).isNotEmpty();
      assertThat(reply.text("Token")).isNotEmpty();
      assertThat(reply.text("AccountId")).isEqualTo("123456789012");
      assertThat(reply.text("RoleArn")).isEqualTo(TestDaemon.ROLE);
      assertThat(reply.text("Expiration")).matches("20\\d\\d-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ");
      // What STS said, told 25 seconds early.
      assertThat(test.audit(1).getFirst())
          .contains("\"expiration\":\"" + Instant.parse(reply.text("Expiration")).plusSeconds(25));
      assertThat(reply.body().length()).isLessThan(10_000);
      assertThat(StrictJson.parse(reply.body().getBytes(StandardCharsets.UTF_8)).orElseThrow())
          .containsOnlyKeys(
              "AccessKeyId", "SecretAccessKey", "Token", "AccountId", "RoleArn", "Expiration");
    }
  }

  @Test
  void renewedToken_costsNoExchange() {
    try (TestDaemon test = TestDaemon.start(directory)) {
      var task = test.billing();
      Reply first = test.get(task.sign());
      test.issuer().rotate();
      Reply second = test.get(task.sign());
      assertThat(second.body()).isEqualTo(first.body());
      assertThat(test.sts().exchanges()).isEqualTo(1);
    }
  }

  @Test
  void stsDown_runningTaskKeepsItsCredentials_newTaskIsTold_andGetsThemLater() {
    try (TestDaemon test = TestDaemon.start(directory)) {
      var running = test.billing();
      assertThat(test.get(running.sign()).status()).isEqualTo(200);
      test.sts().setDown(true);
      assertThat(test.get(running.sign()).status()).isEqualTo(200);
      var newcomer = test.billing().sign();
      Reply told = test.get(newcomer);
      assertThat(told.status()).isEqualTo(503);
      assertThat(told.code()).isEqualTo("StsUnavailable");
      test.sts().setDown(false);
      test.until(() -> test.get(newcomer).status() == 200);
    }
  }

  @Test
  void slowSts_callerIsToldInTime_andTheExchangeServesTheRetry() {
    try (TestDaemon test = TestDaemon.start(directory, TestDaemon.ROLES, "answer-within: 200ms")) {
      test.sts().setDelay(Duration.ofMillis(900));
      String token = test.billing().sign();
      Reply told = test.get(token);
      assertThat(told.status()).isEqualTo(503);
      assertThat(told.code()).isEqualTo("ExchangePending");
      test.until(() -> test.get(token).status() == 200);
      assertThat(test.sts().exchanges()).isEqualTo(1);
    }
  }

  @Test
  void trustPolicyRefuses_callerIsToldWhoMendsIt() {
    try (TestDaemon test = TestDaemon.start(directory)) {
      Reply reply = test.get(test.issuer().token("payments", "billing", "other", "server").sign());
      assertThat(reply.status()).isEqualTo(403);
      assertThat(reply.code()).isEqualTo("RoleRefused");
      assertThat(reply.message()).startsWith("Operator: let the role's trust policy allow");
    }
  }

  @Test
  void roles_areReloaded_andExactlyTheChangedLeasesGo() {
    try (TestDaemon test =
        TestDaemon.start(
            directory,
            """
            roles:
              - match: {namespace: payments, job: billing}
                role: arn:aws:iam::123456789012:role/payments-billing
              - match: {namespace: payments, job: other}
                role: arn:aws:iam::123456789012:role/other
            """,
            "")) {
      var other = test.issuer().token("payments", "other", "g", "t");
      test.sts().trust("arn:aws:iam::123456789012:role/other", other.subject());
      String billing = test.billing().sign();
      String others = other.sign();
      String firstBilling = test.get(billing).text("AccessKeyId");
      String firstOther = test.get(others).text("AccessKeyId");
      assertThat(test.admin("/readyz").body())
          .containsPattern("\"leases\":2,\"outageBudgetSeconds\":35[56][0-9],\"problems\":\\[]");

      test.writeRoles("roles: [{match: {namespace: payments}, role: nonsense}]");
      test.until(() -> test.admin("/readyz").body().contains("RolesFileRefused"));
      assertThat(test.admin("/readyz").status()).isEqualTo(200);
      assertThat(test.get(billing).text("AccessKeyId")).isEqualTo(firstBilling);

      test.writeRoles(
          """
          roles:
            - match: {namespace: payments, job: billing}
              role: arn:aws:iam::123456789012:role/payments-billing
            - match: {namespace: payments, job: other}
              role: arn:aws:iam::123456789012:role/other
              duration: 2h
          """);
      test.until(() -> !test.get(others).text("AccessKeyId").equals(firstOther));
      assertThat(test.get(billing).text("AccessKeyId")).isEqualTo(firstBilling);
      assertThat(test.admin("/readyz").body()).doesNotContain("RolesFileRefused");

      test.writeRoles("roles: []");
      test.until(() -> test.get(billing).code().equals("NoRoleForTask"));
    }
  }

  @Test
  void everyDecision_hasOneAuditLine() {
    try (TestDaemon test = TestDaemon.start(directory)) {
      var task = test.billing();
      Reply issued = test.get(task.sign());
      Reply refused = test.get(test.issuer().token("payments", "no", "g", "t").sign());
      Reply unseen = test.get("");
      var lines =
          test.audit(3).stream()
              .map(line -> StrictJson.parse(line.getBytes(StandardCharsets.UTF_8)).orElseThrow())
              .toList();
      assertThat(lines).hasSize(3);
      Map<String, Object> first = lines.getFirst();
      assertThat(first)
          .containsEntry("outcome", "issued")
          .containsEntry("allocation", task.allocation())
          .containsEntry("namespace", "payments")
          .containsEntry("job", "billing")
          .containsEntry("group", "api")
          .containsEntry("task", "server")
          .containsEntry("role", TestDaemon.ROLE)
          .containsEntry("accessKeyId", issued.text("AccessKeyId"))
          .containsEntry("attested", "bearer")
          .containsEntry("source", "127.0.0.1")
          .containsKeys("time", "sessionName", "expiration", "stsRequestId", "jti", "requestId")
          .containsKey("millis")
          .doesNotContainKey("reason");
      assertThat(lines.get(1))
          .containsEntry("outcome", "refused")
          .containsEntry("reason", "NoRoleForTask")
          .containsEntry("requestId", refused.text("requestId"))
          .doesNotContainKeys("accessKeyId", "expiration", "role");
      assertThat(lines.get(2))
          .containsEntry("reason", "TokenMissing")
          .containsEntry("requestId", unseen.text("requestId"))
          .doesNotContainKeys("allocation", "job");
    }
  }

  @Test
  void coldHerd_costsOneExchangePerTask() throws InterruptedException {
    int tasks = 1_000;
    int callers = 10;
    try (TestDaemon test = TestDaemon.start(directory, TestDaemon.ROLES, "answer-within: 20s");
        ExecutorService herd = Executors.newVirtualThreadPerTaskExecutor()) {
      AtomicInteger served = new AtomicInteger();
      for (int i = 0; i < tasks; i++) {
        String token = test.billing().sign();
        for (int j = 0; j < callers; j++) {
          herd.execute(() -> {
            if (RawHttp.once(test.address(), RawHttp.request(test.address(), token)).status()
                == 200) {
              served.incrementAndGet();
            }
          });
        }
      }
      herd.shutdown();
      assertThat(herd.awaitTermination(120, java.util.concurrent.TimeUnit.SECONDS)).isTrue();
      assertThat(served).hasValue(tasks * callers);
      assertThat(test.sts().exchanges()).isEqualTo(tasks);
    }
  }
}
