package io.taskrole.policy;

import io.taskrole.json.StrictJson;
import io.taskrole.yaml.Durations;
import io.taskrole.yaml.Place;
import io.taskrole.yaml.Problems;
import io.taskrole.yaml.YamlDocument;
import io.taskrole.yaml.YamlFields;
import io.taskrole.yaml.YamlNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Reads a roles file; every problem of it in one report, with its place and how to mend it. */
public final class RolesFile {
  private static final Duration LEAST = Duration.ofMinutes(15);
  private static final Duration MOST = Duration.ofHours(12);
  private static final int SESSION_POLICY = 2048;
  private static final int POLICY_ARNS = 10;
  private static final String ROLE_FORM =
      "arn:aws:iam::<12 digits>:role/<name>; only {namespace} {job} {group} {task} may stand in it,"
          + " after role/";
  private static final Pattern POLICY_ARN =
      Pattern.compile("arn:(aws(?:-[a-z]+)*):iam::(aws|[0-9]{12}):policy/[!-~]{1,512}");

  private final Optional<Region> defaultRegion;
  private final Problems problems;

  private RolesFile(Optional<Region> defaultRegion, Problems problems) {
    this.defaultRegion = defaultRegion;
    this.problems = problems;
  }

  /** Reads the file; empty when there is any problem. */
  public static Optional<Policy> load(
      Path file, Optional<Region> defaultRegion, Problems problems) {
    try {
      return parse(file.toString(), YamlDocument.read(file), defaultRegion, problems);
    } catch (IOException e) {
      unreadable(file, e, problems);
      return Optional.empty();
    }
  }

  /** Says that a file cannot be read. */
  static void unreadable(Path file, IOException e, Problems problems) {
    problems.add(
        Place.beginningOf(file.toString()),
        e instanceof NoSuchFileException ? "there is no such file" : "the file cannot be read",
        "make it readable for the daemon; for a start an empty list will do: roles: []");
  }

  /**
   * Reads a roles file's content; empty when there is any problem.
   *
   * @param name the file's name for messages
   * @param defaultRegion the region of rules that name none, against which their partition is
   *     checked
   */
  public static Optional<Policy> parse(
      String name, byte[] content, Optional<Region> defaultRegion, Problems problems) {
    return YamlDocument.parse(name, content, problems)
        .flatMap(root -> new RolesFile(defaultRegion, problems).policy(root))
        .filter(_ -> problems.isEmpty());
  }

  private Optional<Policy> policy(YamlNode.Mapping root) {
    var fields = new YamlFields(root, problems);
    fields.require("roles", "write roles: [] to refuse everyone, or a list of rules");
    Optional<YamlNode> list = fields.any("roles");
    fields.end();
    if (list.isPresent() && list.get() instanceof YamlNode.Sequence(_, var entries)) {
      List<Rule> rules = entries.stream().flatMap(this::rule).toList();
      refuseTies(root.place().file(), rules);
      return Optional.of(new Policy(rules));
    }
    list.ifPresent(
        other -> problems.add(other.place(), "roles is " + other.kind(), "write a list of rules"));
    return Optional.empty();
  }

  private Stream<Rule> rule(YamlNode node) {
    if (!(node instanceof YamlNode.Mapping mapping)) {
      problems.add(node.place(), "a rule is " + node.kind(), "write match: and role: below it");
      return Stream.empty();
    }
    var fields = new YamlFields(mapping, problems);
    fields.require("match", "say which tasks: match: {namespace: ...}");
    boolean isBroad = fields.flag("broad").orElse(false);
    Optional<TaskPattern> match = fields.fields("match").map(below -> pattern(below, isBroad));
    Optional<RoleChoice> role = role(fields);
    Optional<Duration> duration =
        fields.parsed(
            "duration",
            text -> Durations.parse(text).filter(d -> within(d, LEAST, MOST)),
            "write 15m to 12h, for example 1h");
    Optional<Region> region =
        fields.parsed("region", Region::parse, "write an AWS Region, for example eu-west-1");
    Optional<List<YamlNode.Scalar>> policyArns = fields.texts("policy-arns");
    Optional<YamlNode.Scalar> sessionPolicy = fields.scalar("session-policy");
    Optional<AttestLevel> attest =
        fields.parsed("attest", AttestLevel::parse, "write bearer, address or kernel");
    fields.end();
    role.ifPresent(template -> {
      partition(fields, template.example(), region);
      policyArns.ifPresent(arns -> policyArns(arns, template.example()));
    });
    sessionPolicy.ifPresent(this::sessionPolicy);
    return match.stream()
        .flatMap(pattern ->
            role.stream()
                .map(template ->
                    new Rule(
                        pattern,
                        template,
                        new Rule.Terms(
                            duration.orElse(Duration.ofHours(1)),
                            region.map(Region::name),
                            policyArns.orElse(List.of()).stream()
                                .map(YamlNode.Scalar::text)
                                .toList(),
                            sessionPolicy.map(YamlNode.Scalar::text),
                            attest.orElse(AttestLevel.BEARER)),
                        mapping.place().line())));
  }

  private Optional<RoleChoice> role(YamlFields fields) {
    Optional<RoleTemplate> named = fields.parsed("role", RoleTemplate::parse, "write " + ROLE_FORM);
    Optional<YamlFields> fromMeta = fields.fields("role-from-meta");
    if (fields.has("role") == fields.has("role-from-meta")) {
      problems.add(
          fields.place(),
          fields.has("role") ? "role and role-from-meta exclude each other" : "role is missing",
          "name the role ARN in role:, or let the job name it by role-from-meta:");
    }
    Optional<RoleFromMeta> chosen = fromMeta.flatMap(this::roleFromMeta);
    return named.<RoleChoice>map(role -> role).or(() -> chosen);
  }

  private Optional<RoleFromMeta> roleFromMeta(YamlFields fields) {
    fields.require("key", "name the key of the job's meta, for example aws_role");
    fields.require("allow", "say which roles the job may name");
    Optional<String> key =
        fields.parsed(
            "key",
            text -> Optional.of(text).filter(name -> name.matches("[A-Za-z0-9_.-]{1,128}")),
            "write a key of meta, for example aws_role");
    Optional<RoleFromMeta> choice =
        fields.parsed(
            "allow",
            pattern -> RoleFromMeta.parse(key.orElse("x"), pattern),
            "write " + ROLE_FORM + "; a * at the end stands for any rest");
    fields.end();
    return key.isPresent() ? choice : Optional.empty();
  }

  private TaskPattern pattern(YamlFields fields, boolean isBroad) {
    fields.require("namespace", "name the namespace; \"*\" needs broad: true on the rule");
    NamePattern namespace =
        fields
            .scalar("namespace")
            .flatMap(scalar -> namespace(scalar, isBroad))
            .orElse(new NamePattern.Any());
    NamePattern job = name(fields, "job");
    NamePattern group = name(fields, "group");
    NamePattern task = name(fields, "task");
    fields.end();
    return new TaskPattern(namespace, job, group, task);
  }

  private Optional<NamePattern> namespace(YamlNode.Scalar scalar, boolean isBroad) {
    String text = scalar.text();
    if (text.equals("*")) {
      if (!isBroad) {
        problems.add(
            scalar.place(),
            "the rule is for every namespace",
            "name one, or add broad: true if that is meant");
      }
      return Optional.of(new NamePattern.Any());
    }
    if (!text.matches("[a-zA-Z0-9-]{1,128}")) {
      problems.add(
          scalar.place(),
          "not a namespace: it is exact, 1 to 128 letters, digits and hyphens",
          "name one namespace, or write \"*\" and broad: true");
      return Optional.empty();
    }
    return Optional.of(new NamePattern.Exact(text));
  }

  private static NamePattern name(YamlFields fields, String key) {
    return fields
        .parsed(
            key,
            NamePattern::parse,
            "write a whole name, or a prefix that ends in one *; leave the key out for any")
        .orElse(new NamePattern.Any());
  }

  private void partition(YamlFields fields, RoleArn role, Optional<Region> region) {
    region
        .or(() -> defaultRegion)
        .filter(effective -> !effective.partition().equals(role.partition()))
        .ifPresent(effective ->
            problems.add(
                fields.place(
                    region.isPresent() ? "region" : fields.has("role") ? "role" : "role-from-meta"),
                "the role is in partition "
                    + role.partition()
                    + ", the Region "
                    + effective
                    + " is in "
                    + effective.partition(),
                "write a region: of the role's partition"));
  }

  private void policyArns(List<YamlNode.Scalar> arns, RoleArn role) {
    if (arns.size() > POLICY_ARNS) {
      problems.add(
          arns.get(POLICY_ARNS).place(),
          "more than " + POLICY_ARNS + " policy-arns",
          "STS takes at most 10; merge some");
    }
    for (YamlNode.Scalar arn : arns) {
      var form = POLICY_ARN.matcher(arn.text());
      if (!form.matches()) {
        problems.add(
            arn.place(),
            "not the ARN of a policy",
            "write arn:aws:iam::<account or aws>:policy/...");
      } else if (!form.group(1).equals(role.partition())
          || !(form.group(2).equals("aws") || form.group(2).equals(role.account()))) {
        problems.add(
            arn.place(),
            "the policy is not of the role's partition and account",
            "STS takes only policies of account " + role.account() + " or of AWS itself");
      }
    }
  }

  private void sessionPolicy(YamlNode.Scalar policy) {
    String text = policy.text();
    if (text.length() > SESSION_POLICY) {
      problems.add(
          policy.place(),
          "session-policy has " + text.length() + " characters, STS takes " + SESSION_POLICY,
          "shorten it, or use policy-arns");
    }
    if (!text.matches("[\\t\\n\\r\\x20-\\xff]*")) {
      problems.add(
          policy.place(),
          "session-policy holds characters that STS refuses",
          "use no characters beyond U+00FF");
    }
    boolean isPolicy =
        StrictJson.parse(text.strip().getBytes(StandardCharsets.UTF_8))
            .filter(json ->
                json.get("Statement") instanceof List<?>
                    || json.get("Statement") instanceof Map<?, ?>)
            .isPresent();
    if (!isPolicy) {
      problems.add(
          policy.place(),
          "session-policy is not a JSON object with a Statement",
          "write an IAM policy document as JSON");
    }
  }

  private void refuseTies(String file, List<Rule> rules) {
    Map<TaskPattern, Rule> seen = new HashMap<>();
    for (Rule rule : rules) {
      Rule first = seen.putIfAbsent(rule.match(), rule);
      if (first != null) {
        problems.add(
            new Place(file, rule.line(), 1),
            "the rules in lines "
                + first.line()
                + " and "
                + rule.line()
                + " are equally specific for the same tasks",
            "remove one, or make one match less");
      }
    }
  }

  private static boolean within(Duration value, Duration least, Duration most) {
    return value.compareTo(least) >= 0 && value.compareTo(most) <= 0;
  }
}
