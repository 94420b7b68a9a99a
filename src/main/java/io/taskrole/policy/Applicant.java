package io.taskrole.policy;

import io.taskrole.identity.Workload;
import java.util.Map;

/**
 * A task as the rules see it.
 *
 * @param workload its coordinates
 * @param meta what its job says in {@code meta} blocks, the task's overriding the group's and the
 *     job's; empty where only the token is known
 */
public record Applicant(Workload workload, Map<String, String> meta) {
  /** A task of which only the coordinates are known. */
  public static Applicant of(Workload workload) {
    return new Applicant(workload, Map.of());
  }
}
