package io.taskrole.policy;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.identity.Workload;
import io.taskrole.yaml.Problem;
import io.taskrole.yaml.Problems;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RolesFileTest {
  private static final Optional<Region> IRELAND = Optional.of(new Region("eu-west-1"));

  private static List<String> problems(String yaml) {
    Problems problems = new Problems();
    Optional<Policy> policy =
        RolesFile.parse("roles.yaml", yaml.getBytes(StandardCharsets.UTF_8), IRELAND, problems);
    assertThat(policy.isEmpty()).isEqualTo(!problems.isEmpty());
    return problems.list().stream().map(Problem::toString).toList();
  }

  private static Policy policy(String yaml) {
    Problems problems = new Problems();
    Optional<Policy> policy =
        RolesFile.parse("roles.yaml", yaml.getBytes(StandardCharsets.UTF_8), IRELAND, problems);
    assertThat(problems.list()).isEmpty();
    return policy.orElseThrow();
  }

  private static String role(
      Policy policy, String namespace, String job, String group, String task) {
    return policy.decide(Applicant.of(new Workload(namespace, job, group, task)))
            instanceof Decision.Granted(var grant, _, _)
        ? grant.role().name()
        : "none";
  }

  @Test
  void wholeRule_isTakenAsWritten() {
    Policy policy =
        policy(
            """
            roles:
              - match: {namespace: payments, job: billing, group: api, task: server}
                role: arn:aws:iam::123456789012:role/nomad/payments-billing
                duration: 2h30m
                region: us-east-1
                policy-arns: [arn:aws:iam::aws:policy/ReadOnlyAccess]
                session-policy: |
                  {"Version": "2012-10-17", "Statement": []}
                attest: kernel
            """);
    assertThat(policy.decide(Applicant.of(new Workload("payments", "billing", "api", "server"))))
        .isInstanceOfSatisfying(
            Decision.Granted.class,
            granted -> {
              assertThat(granted.minimum()).isEqualTo(AttestLevel.KERNEL);
              assertThat(granted.line()).isEqualTo(2);
              assertThat(granted.grant().duration()).isEqualTo(Duration.ofMinutes(150));
              assertThat(granted.grant().region()).contains("us-east-1");
              assertThat(granted.grant().role().path()).isEqualTo("/nomad/");
              assertThat(granted.grant().policyArns())
                  .containsExactly("arn:aws:iam::aws:policy/ReadOnlyAccess");
              assertThat(granted.grant().sessionPolicy().orElse("")).startsWith("{\"Version\"");
            });
    assertThat(role(policy, "payments", "billing", "api", "sidecar")).isEqualTo("none");
  }

  @Test
  void noRule_meansNoRole_andSaysWhatToAdd() {
    assertThat(
            policy("roles: []")
                .decide(Applicant.of(new Workload("payments", "billing", "api", "server"))))
        .isInstanceOfSatisfying(
            Decision.Denied.class,
            denied ->
                assertThat(denied.refusal().message())
                    .startsWith(
                        "Operator: add a rule to the roles file for namespace payments, job billing"));
  }

  @ParameterizedTest
  @CsvSource({
    "payments, billing, api, server, exact-task",
    "payments, billing, api, other, exact-group",
    "payments, billing, web, server, exact-job-task",
    "payments, billing, web, x, exact-job",
    "payments, billing-batch, api, server, long-prefix",
    "payments, bill, api, server, short-prefix",
    "payments, other, api, server, namespace",
    "elsewhere, billing, api, server, everywhere"
  })
  void mostSpecificRule_wins_fieldByField(
      String namespace, String job, String group, String task, String expected) {
    Policy policy =
        policy(
            """
            roles:
              - {match: {namespace: "*"}, broad: true, role: "arn:aws:iam::123456789012:role/everywhere"}
              - {match: {namespace: payments}, role: "arn:aws:iam::123456789012:role/namespace"}
              - {match: {namespace: payments, job: "bil*"}, role: "arn:aws:iam::123456789012:role/short-prefix"}
              - {match: {namespace: payments, job: "billing-*"}, role: "arn:aws:iam::123456789012:role/long-prefix"}
              - {match: {namespace: payments, job: billing}, role: "arn:aws:iam::123456789012:role/exact-job"}
              - {match: {namespace: payments, job: billing, task: server}, role: "arn:aws:iam::123456789012:role/exact-job-task"}
              - {match: {namespace: payments, job: billing, group: api}, role: "arn:aws:iam::123456789012:role/exact-group"}
              - {match: {namespace: payments, job: billing, group: api, task: server}, role: "arn:aws:iam::123456789012:role/exact-task"}
            """);
    assertThat(role(policy, namespace, job, group, task)).isEqualTo(expected);
  }

  @Test
  void template_takesTheTasksOwnNames_orRefusesThem() {
    Policy policy =
        policy(
            """
            roles:
              - match: {namespace: data, job: "etl-*"}
                role: arn:aws:iam::123456789012:role/nomad/{namespace}-{job}
            """);
    assertThat(role(policy, "data", "etl-daily", "g", "t")).isEqualTo("data-etl-daily");
    for (String job : List.of("etl-a/b", "etl-a:b", "etl-ü", "etl- ", "etl-" + "x".repeat(80))) {
      assertThat(policy.decide(Applicant.of(new Workload("data", job, "g", "t"))))
          .isInstanceOfSatisfying(
              Decision.Denied.class,
              denied -> {
                assertThat(denied.refusal().reason().code()).isEqualTo("NoRoleForTask");
                assertThat(denied.refusal().message()).contains("line 2");
              });
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'roles:' | roles.yaml:1:1: roles has no value; give it one or leave the key out",
        "'{}' | roles.yaml:1:1: roles is missing",
        "'roles: {a: b}' | roles.yaml:1:8: roles is a mapping",
        "'roles: [x]' | roles.yaml:1:9: a rule is text",
        "'rules: []' | roles.yaml:1:1: unknown key rules; did you mean roles?",
        "'roles: [{match: {namespace: a}}]' | roles.yaml:1:9: role is missing",
        "'roles: [{role: \"arn:aws:iam::123456789012:role/a\"}]' | roles.yaml:1:9: match is missing",
        "'roles: [{match: {job: a}, role: \"arn:aws:iam::123456789012:role/a\"}]' | namespace is missing",
        "'roles: [{match: {namespace: \"*\"}, role: \"arn:aws:iam::123456789012:role/a\"}]' | add broad: true",
        "'roles: [{match: {namespace: \"a*\"}, role: \"arn:aws:iam::123456789012:role/a\"}]' | not a namespace",
        "'roles: [{match: {namespace: a, job: \"*\"}, role: \"arn:aws:iam::123456789012:role/a\"}]' | leave the key out for any",
        "'roles: [{match: {namespace: a, job: \"a*b\"}, role: \"arn:aws:iam::123456789012:role/a\"}]' | a prefix that ends in one *",
        "'roles: [{match: {namespace: a, job: 7}, role: \"arn:aws:iam::123456789012:role/a\"}]' | job is a number; put it in quotes",
        "'roles: [{match: {namespace: a, jobs: x}, role: \"arn:aws:iam::123456789012:role/a\"}]' | unknown key jobs; did you mean job?",
        "'roles: [{match: {namespace: a}, role: \"arn:aws:iam::12:role/a\"}]' | role cannot be",
        "'roles: [{match: {namespace: a}, role: \"arn:aws:iam::{job}:role/a\"}]' | role cannot be",
        "'roles: [{match: {namespace: a}, role: \"arn:aws:iam::123456789012:role/{user}\"}]' | role cannot be",
        "'roles: [{match: {namespace: a}, role: \"arn:aws:iam::123456789012:user/a\"}]' | role cannot be",
        "'roles: [{match: {namespace: a}, role: \"arn:aws-cn:iam::123456789012:role/a\"}]' | partition aws-cn, the Region eu-west-1 is in aws",
        "'roles: [{match: {namespace: a}, role: \"arn:aws:iam::123456789012:role/a\", region: cn-north-1}]' | the Region cn-north-1 is in aws-cn",
        "'roles: [{match: {namespace: a}, role: \"arn:aws:iam::123456789012:role/a\", region: mars}]' | region cannot be 'mars'",
        "'roles: [{match: {namespace: a}, role: \"arn:aws:iam::123456789012:role/a\", duration: 5m}]' | duration cannot be '5m'; write 15m to 12h",
        "'roles: [{match: {namespace: a}, role: \"arn:aws:iam::123456789012:role/a\", duration: 13h}]' | duration cannot be '13h'",
        "'roles: [{match: {namespace: a}, role: \"arn:aws:iam::123456789012:role/a\", duration: 3600}]' | duration is a number",
        "'roles: [{match: {namespace: a}, role: \"arn:aws:iam::123456789012:role/a\", policy-arns: [x]}]' | not the ARN of a policy",
        "'roles: [{match: {namespace: a}, role: \"arn:aws:iam::123456789012:role/a\", policy-arns: [\"arn:aws:iam::999999999999:policy/x\"]}]' | not of the role's partition and account",
        "'roles: [{match: {namespace: a}, role: \"arn:aws:iam::123456789012:role/a\", session-policy: \"{\"}]' | not a JSON object with a Statement",
        "'roles: [{match: {namespace: a}, role: \"arn:aws:iam::123456789012:role/a\", attest: maybe}]' | attest cannot be 'maybe'",
        "'roles: [{match: {namespace: a}, role: \"arn:aws:iam::123456789012:role/a\", broad: maybe}]' | broad is text; write true or false",
        "'roles: [{match: {namespace: a}, match: {namespace: b}, role: \"arn:aws:iam::123456789012:role/a\"}]' | the key match stands here a second time",
        "'roles: [&a {match: {namespace: a}, role: \"arn:aws:iam::123456789012:role/a\"}, *a]' | an alias; write the value out",
        "'roles: [' | not YAML",
        "'' | the file is empty",
        "'- a' | the file is not a mapping"
      })
  void problem_namesPlaceAndMend(String yaml, String expected) {
    assertThat(problems(yaml)).anySatisfy(problem -> assertThat(problem).contains(expected));
  }

  @Test
  void everyProblem_isToldAtOnce_inOrder() {
    assertThat(
            problems(
                """
                roles:
                  - match: {namespace: a, jib: x}
                    role: nonsense
                  - match: {}
                    role: arn:aws:iam::123456789012:role/a
                    durration: 1h
                """))
        .hasSize(4)
        .satisfies(list -> {
          assertThat(list.get(0)).startsWith("roles.yaml:2:27: unknown key jib");
          assertThat(list.get(1)).startsWith("roles.yaml:3:11: role cannot be 'nonsense'");
          assertThat(list.get(2)).startsWith("roles.yaml:4:12: namespace is missing");
          assertThat(list.get(3)).startsWith("roles.yaml:6:5: unknown key durration");
        });
  }

  @Test
  void equallySpecificRules_areAnErrorThatNamesBothLines() {
    assertThat(
            problems(
                """
                roles:
                  - match: {namespace: a, job: "x-*"}
                    role: arn:aws:iam::123456789012:role/a
                  - match: {job: "x-*", namespace: a}
                    role: arn:aws:iam::123456789012:role/b
                """))
        .singleElement()
        .asString()
        .contains("lines 2 and 4 are equally specific");
  }

  @Test
  void tooManyPolicies_tooLongSessionPolicy_areRefused() {
    String arns = "arn:aws:iam::aws:policy/a,".repeat(11);
    assertThat(
            problems(
                "roles: [{match: {namespace: a}, role: \"arn:aws:iam::123456789012:role/a\","
                    + " policy-arns: ["
                    + arns
                    + "]}]"))
        .anySatisfy(problem -> assertThat(problem).contains("more than 10 policy-arns"));
    assertThat(
            problems(
                "roles: [{match: {namespace: a}, role: \"arn:aws:iam::123456789012:role/a\","
                    + " session-policy: '{\"Statement\":[],\"Id\":\""
                    + "x".repeat(2100)
                    + "\"}'}]"))
        .anySatisfy(problem -> assertThat(problem).contains("STS takes 2048"));
  }

  @Test
  void notUtf8_isAProblem() {
    Problems problems = new Problems();
    RolesFile.parse("roles.yaml", new byte[] {'a', (byte) 0xff}, IRELAND, problems);
    assertThat(problems.list().getFirst().toString()).contains("not UTF-8; save it as UTF-8");
  }
}
