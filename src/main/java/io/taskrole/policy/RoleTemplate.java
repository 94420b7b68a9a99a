package io.taskrole.policy;

import io.taskrole.identity.Workload;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/**
 * A role ARN that may hold {@code {namespace} {job} {group} {task}} in the role's path and name,
 * never before them: a job author's words choose no account and no partition. Read once, filled on
 * every request.
 */
final class RoleTemplate implements RoleChoice {
  private static final Pattern PLACEHOLDER = Pattern.compile("\\{([^{}]*)}");
  private static final Map<String, Function<Workload, String>> NAMES =
      Map.of(
          "namespace", Workload::namespace,
          "job", Workload::job,
          "group", Workload::group,
          "task", Workload::task);

  /** One name of the task's, and the fixed text before it. */
  private record Slot(String before, String placeholder, Function<Workload, String> name) {}

  private final RoleArn example;
  private final List<Slot> slots;
  private final String tail;

  private RoleTemplate(RoleArn example, List<Slot> slots, String tail) {
    this.example = example;
    this.slots = slots;
    this.tail = tail;
  }

  /** Returns the template, or empty when no task at all could get a role ARN from it. */
  static Optional<RoleTemplate> parse(String text) {
    int resource = text.indexOf(":role/");
    List<Slot> slots = new ArrayList<>();
    int end = 0;
    for (MatchResult found : PLACEHOLDER.matcher(text).results().toList()) {
      Function<Workload, String> name = NAMES.get(found.group(1));
      if (name == null || found.start() <= resource) {
        return Optional.empty();
      }
      slots.add(new Slot(text.substring(end, found.start()), found.group(1), name));
      end = found.end();
    }
    String tail = text.substring(end);
    return resource < 0
        ? Optional.empty()
        : RoleArn.parse(PLACEHOLDER.matcher(text).replaceAll("x"))
            .map(arn -> new RoleTemplate(arn, List.copyOf(slots), tail));
  }

  @Override
  public RoleArn example() {
    return example;
  }

  @Override
  public Choice choose(Applicant applicant, int line) {
    if (slots.isEmpty()) {
      return new Choice.Chosen(example);
    }
    StringBuilder filled = new StringBuilder(128);
    for (Slot slot : slots) {
      String value = slot.name().apply(applicant.workload());
      if (!RoleArn.isName(value)) {
        return RoleChoice.none(
            String.format(
                Locale.ROOT,
                "Job author: rename the %s; %s does not fit into a role name (letters, digits,"
                    + " _+=,.@-), as the rule in line %d of the roles file wants.",
                slot.placeholder(),
                RoleChoice.shown(value),
                line));
      }
      filled.append(slot.before()).append(value);
    }
    return RoleArn.parse(filled.append(tail).toString())
        .<Choice>map(Choice.Chosen::new)
        .orElseGet(() ->
            RoleChoice.none(
                String.format(
                    Locale.ROOT,
                    "Operator: shorten the role name that the rule in line %d of the roles file"
                        + " builds; it is longer than 64 characters for this task.",
                    line)));
  }
}
