package io.taskrole.policy;

import io.taskrole.identity.Workload;
import io.taskrole.refusal.Reason;
import io.taskrole.refusal.Refusal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The rules of one roles file: the most specific rule that matches a task gives it its role, no
 * rule means no role. Immutable.
 */
public final class Policy implements RoleRules {
  private final int size;
  private final Map<String, List<Rule>> byNamespace = new HashMap<>();
  private final List<Rule> broad;

  /** Takes rules of which no two have equal patterns; {@link RolesFile} sees to that. */
  Policy(List<Rule> rules) {
    List<Rule> sorted = rules.stream().sorted().toList();
    size = sorted.size();
    broad =
        sorted.stream()
            .filter(rule -> rule.match().namespace() instanceof NamePattern.Any)
            .toList();
    for (Rule rule : sorted) {
      if (rule.match().namespace() instanceof NamePattern.Exact(var namespace)) {
        byNamespace.computeIfAbsent(namespace, _ -> new ArrayList<>()).add(rule);
      }
    }
  }

  /** Number of rules. */
  public int size() {
    return size;
  }

  @Override
  public Decision decide(Workload workload) {
    // An exact namespace is more specific than any, so its rules come first.
    for (Rule rule : byNamespace.getOrDefault(workload.namespace(), List.of())) {
      if (rule.match().matches(workload)) {
        return decide(rule, workload);
      }
    }
    for (Rule rule : broad) {
      if (rule.match().matches(workload)) {
        return decide(rule, workload);
      }
    }
    return new Decision.Denied(none(workload));
  }

  private static Decision decide(Rule rule, Workload workload) {
    return rule.grant(workload)
        .<Decision>map(grant -> new Decision.Granted(grant, rule.attest(), rule.line()))
        .orElseGet(() -> new Decision.Denied(misfit(rule, workload)));
  }

  private static Refusal none(Workload workload) {
    return Reason.NO_ROLE_FOR_TASK.refusal(
        String.format(
            Locale.ROOT,
            "Operator: add a rule to the roles file for namespace %s, job %s, group %s, task %s; none"
                + " matches.",
            shown(workload.namespace()),
            shown(workload.job()),
            shown(workload.group()),
            shown(workload.task())));
  }

  private static Refusal misfit(Rule rule, Workload workload) {
    return Reason.NO_ROLE_FOR_TASK.refusal(
        rule.role()
            .misfit(workload)
            .map(bad ->
                String.format(
                    Locale.ROOT,
                    "Job author: rename the %s; %s does not fit into a role name (letters, digits,"
                        + " _+=,.@-), as the rule in line %d of the roles file wants.",
                    bad.placeholder(),
                    shown(bad.value()),
                    rule.line()))
            .orElseGet(() ->
                String.format(
                    Locale.ROOT,
                    "Operator: shorten the role name that the rule in line %d of the roles file"
                        + " builds; it is longer than 64 characters for this task.",
                    rule.line())));
  }

  private static String shown(String name) {
    return name.length() <= 64 ? name : name.substring(0, 61) + "...";
  }
}
