package io.taskrole.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.broker.CredentialSource.Exchange;
import io.taskrole.identity.AllocationId;
import io.taskrole.identity.BearerToken;
import io.taskrole.policy.Grant;
import io.taskrole.policy.RoleArn;
import io.taskrole.testing.ManualTime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;

class SourceCallsTest {
  private static final Lease.Key KEY =
      new Lease.Key(
          new AllocationId("b3f1c0de-7a4e-4b61-9c2d-5f0a8e6d1b42"),
          "server",
          new Grant(
              RoleArn.parse("arn:aws:iam::123456789012:role/billing").orElseThrow(),
              Duration.ofHours(1),
              Optional.empty(),
              List.of(),
              Optional.empty()));

  /** The exchange that ends last would have the next one begin, on threads that are no more. */
  @Test
  void stoppedDaemon_makesNoCall_andThrowsNothing() {
    List<Exchange> ended = new ArrayList<>();
    ExecutorService stopped = Executors.newVirtualThreadPerTaskExecutor();
    stopped.shutdownNow();
    SourceCalls calls =
        new SourceCalls(
            (_, _, _) -> {
              throw new AssertionError("called");
            },
            (_, _, _) -> {},
            stopped,
            ManualTime.at("2026-11-23T10:00:00Z"));

    calls.make(KEY, BearerToken.of("header.payload.signature"), ended::add);

    assertThat(ended).isEmpty();
  }
}
