package io.taskrole.policy;

import io.taskrole.identity.Workload;
import io.taskrole.refusal.Reason;
import io.taskrole.refusal.Refusal;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The rules of one roles file: the most specific rule that matches a task gives it its role, no
 * rule means no role. Immutable.
 */
public final class Policy implements RoleRules {
  private final int size;
  private final Map<String, List<Rule>> byNamespace = new HashMap<>();
  private final List<Rule> broad;
  private final Set<AttestLevel> levels = EnumSet.noneOf(AttestLevel.class);

  /** Takes rules of which no two have equal patterns; {@link RolesFile} sees to that. */
  Policy(List<Rule> rules) {
    List<Rule> sorted = rules.stream().sorted().toList();
    size = sorted.size();
    broad =
        sorted.stream()
            .filter(rule -> rule.match().namespace() instanceof NamePattern.Any)
            .toList();
    for (Rule rule : sorted) {
      levels.add(rule.attest());
      if (rule.match().namespace() instanceof NamePattern.Exact(var namespace)) {
        byNamespace.computeIfAbsent(namespace, _ -> new ArrayList<>()).add(rule);
      }
    }
  }

  /** Number of rules. */
  public int size() {
    return size;
  }

  /** Whether a rule asks for this level. */
  public boolean demands(AttestLevel level) {
    return levels.contains(level);
  }

  @Override
  public Decision decide(Applicant applicant) {
    Workload workload = applicant.workload();
    // An exact namespace is more specific than any, so its rules come first.
    for (Rule rule : byNamespace.getOrDefault(workload.namespace(), List.of())) {
      if (rule.match().matches(workload)) {
        return rule.decide(applicant);
      }
    }
    for (Rule rule : broad) {
      if (rule.match().matches(workload)) {
        return rule.decide(applicant);
      }
    }
    return new Decision.Denied(none(workload));
  }

  private static Refusal none(Workload workload) {
    return Reason.NO_ROLE_FOR_TASK.refusal(
        "Operator: add a rule to the roles file for namespace "
            + RoleChoice.shown(workload.namespace())
            + ", job "
            + RoleChoice.shown(workload.job())
            + ", group "
            + RoleChoice.shown(workload.group())
            + ", task "
            + RoleChoice.shown(workload.task())
            + "; none matches.");
  }
}
