package io.taskrole.nomad;

import io.taskrole.broker.Placement;
import io.taskrole.broker.Placements.Finding;
import io.taskrole.identity.AllocationId;
import io.taskrole.identity.Workload;
import io.taskrole.identity.WorkloadIdentity;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What the tests of the view share: identities, allocations, verdicts in one word. */
final class ViewOf {
  private ViewOf() {}

  static WorkloadIdentity identity(
      String allocation, String namespace, String job, String group, String task) {
    return new WorkloadIdentity(
        new Workload(namespace, job, group, task),
        new AllocationId(allocation),
        "global",
        "aws",
        Optional.empty(),
        "global:" + namespace + ":" + job + ":" + group + ":" + task + ":aws",
        Optional.empty(),
        Instant.parse("2026-11-23T08:30:00Z"),
        Instant.parse("2026-11-23T09:30:00Z"),
        "key");
  }

  static Allocation allocation(
      String id, long modifyIndex, Allocation.Status status, boolean isTaskDead) {
    return new Allocation(
        new AllocationId(id),
        modifyIndex,
        "payments",
        "billing",
        "",
        "api",
        status,
        Map.of("server", new Allocation.Task(isTaskDead, Map.of(), java.util.List.of())),
        true,
        Set.of());
  }

  static WorkloadIdentity billing(String allocation) {
    return identity(allocation, "payments", "billing", "api", "server");
  }

  static Placement placement(@Nullable Finding finding) {
    if (finding instanceof Finding.Placed(var placement)) {
      return placement;
    }
    throw new AssertionError(word(finding));
  }

  /** {@code placed}, the refusal's code, or {@code ask} when Nomad should be asked first. */
  static String word(@Nullable Finding finding) {
    return switch (finding) {
      case null -> "ask";
      case Finding.Placed _ -> "placed";
      case Finding.NotHere(var refusal) -> refusal.reason().code();
    };
  }
}
