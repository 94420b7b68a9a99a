package io.taskrole.policy;

import io.taskrole.identity.Workload;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A role ARN that may hold {@code {namespace} {job} {group} {task}} in the role's path and name,
 * never before them: a job author's words choose no account and no partition.
 */
record RoleTemplate(String text, RoleArn example) {
  private static final Pattern PLACEHOLDER = Pattern.compile("\\{([^{}]*)}");
  private static final Pattern FITTING = Pattern.compile("[A-Za-z0-9_+=,.@-]+");
  private static final Map<String, Function<Workload, String>> NAMES =
      Map.of(
          "namespace", Workload::namespace,
          "job", Workload::job,
          "group", Workload::group,
          "task", Workload::task);

  /** Why a template gives a task no role. */
  record Misfit(String placeholder, String value) {}

  /** Returns the template, or empty when no task at all could get a role ARN from it. */
  static Optional<RoleTemplate> parse(String text) {
    int resource = text.indexOf(":role/");
    boolean known =
        PLACEHOLDER
            .matcher(text)
            .results()
            .allMatch(found -> NAMES.containsKey(found.group(1)) && found.start() > resource);
    String example = PLACEHOLDER.matcher(text).replaceAll("x");
    return resource < 0 || !known
        ? Optional.empty()
        : RoleArn.parse(example).map(arn -> new RoleTemplate(text, arn));
  }

  /** The first of the task's names that does not fit into a role name, empty when all do. */
  Optional<Misfit> misfit(Workload workload) {
    return PLACEHOLDER
        .matcher(text)
        .results()
        .map(found -> new Misfit(found.group(1), value(found, workload)))
        .filter(used -> !FITTING.matcher(used.value()).matches())
        .findFirst();
  }

  /** The task's role; empty when a name does not fit, or all together are too long. */
  Optional<RoleArn> fill(Workload workload) {
    if (text.indexOf('{') < 0) {
      return Optional.of(example);
    }
    return misfit(workload).isPresent()
        ? Optional.empty()
        : RoleArn.parse(
            PLACEHOLDER
                .matcher(text)
                .replaceAll(found -> Matcher.quoteReplacement(value(found, workload))));
  }

  private static String value(MatchResult found, Workload workload) {
    Function<Workload, String> name = NAMES.get(found.group(1));
    if (name == null) {
      throw new IllegalStateException("parse lets no other placeholder pass");
    }
    return name.apply(workload);
  }
}
