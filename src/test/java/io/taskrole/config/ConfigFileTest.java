package io.taskrole.config;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.broker.PlacementConfig;
import io.taskrole.policy.AttestLevel;
import io.taskrole.yaml.Problem;
import io.taskrole.yaml.Problems;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConfigFileTest {
  @TempDir Path directory;

  private List<String> problems(String yaml) throws IOException {
    Problems problems = new Problems();
    Path file = Files.writeString(directory.resolve("taskrole.yaml"), yaml);
    Files.writeString(directory.resolve("roles.yaml"), "roles: []");
    ConfigFile.check(
        file, name -> Optional.ofNullable(Map.of("SET", "eu-west-1").get(name)), problems);
    return problems.list().stream()
        .map(Problem::toString)
        .map(text -> text.replace(directory + "/", ""))
        .toList();
  }

  private TaskroleConfig config(String yaml) throws IOException {
    Problems problems = new Problems();
    Path file = Files.writeString(directory.resolve("taskrole.yaml"), yaml);
    Optional<TaskroleConfig> config =
        ConfigFile.load(
            file, name -> Optional.ofNullable(Map.of("SET", "eu-west-1").get(name)), problems);
    assertThat(problems.list()).isEmpty();
    return config.orElseThrow();
  }

  @Test
  void shortestFile_hasEveryDefault() throws IOException {
    TaskroleConfig config = config("sts: {region: eu-west-1}");
    assertThat(
            EffectiveConfig.lines(config).stream().map(line -> line.replace(directory + "/", "")))
        .containsExactly(
            "config: taskrole.yaml",
            "listen.credentials: [127.0.0.1:9171]",
            "listen.admin: 127.0.0.1:9172",
            "listen.expose-to-network: false",
            "listen.reuse-port: false",
            "answer-within: 850ms",
            "nomad.address: http://127.0.0.1:4646",
            "nomad.token-file: (no token)",
            "nomad.node-id: (asked of the agent)",
            "identity.audience: sts.amazonaws.com",
            "identity.issuer: (any)",
            "identity.key-set: http://127.0.0.1:4646/.well-known/jwks.json",
            "identity.clock-skew: 5s",
            "placement.attest: bearer",
            "placement.serve-without-nomad: unlimited",
            "placement.expired-token: refuse",
            "placement.prefetch: off",
            "roles: roles.yaml",
            "sts.region: eu-west-1",
            "sts.endpoint: (the Region's)",
            "sts.fallback-region: (none)",
            "sts.timeout: 6s",
            "sts.concurrency: 16",
            "sts.rate: 50",
            "audit.file: (standard output)");
  }

  @Test
  void fullFile_isTakenAsWritten() throws IOException {
    TaskroleConfig config =
        config(
            """
            listen:
              credentials: [127.0.0.1:9171, 169.254.170.23:80, "[fd00:ec2::23]:80"]
              admin: "[::1]:9172"
            answer-within: 1s500ms
            nomad:
              address: https://127.0.0.1:4646/
              token-file: nomad_token
              node-id: 2b046d1a-6c1e-03be-2751-028cbff36c51
              tls: {ca-file: ca.pem, cert-file: /etc/cert.pem, key-file: key.pem}
            identity:
              audience: vault.example
              issuer: https://oidc.example.com
              clock-skew: 0s
            placement:
              attest: kernel
              serve-without-nomad: 12h
              expired-token: serve-existing
              prefetch: from-secrets-dir
              alloc-dir: /opt/nomad/data/alloc
            roles: ../shared/roles.yaml
            sts:
              region: "${env:SET}"
              endpoint: "https://sts.example.com"
              fallback-region: eu-central-1
              fallback-endpoint: "https://sts.eu-central-1.example.com"
              timeout: 10s
              concurrency: 4
            audit: {file: audit.jsonl}
            """);
    assertThat(config.listen().credentials()).hasSize(3);
    assertThat(config.broker().answerWithin()).isEqualTo(Duration.ofMillis(1500));
    assertThat(config.identity().keySet())
        .hasToString("https://127.0.0.1:4646/.well-known/jwks.json");
    assertThat(config.nomad().tls().orElseThrow().caFile()).isEqualTo(directory.resolve("ca.pem"));
    assertThat(config.nomad().tokenFile()).contains(directory.resolve("nomad_token"));
    assertThat(config.nomad().nodeId()).contains("2b046d1a-6c1e-03be-2751-028cbff36c51");
    assertThat(config.placement())
        .isEqualTo(
            new PlacementConfig(
                AttestLevel.KERNEL,
                Optional.of(Duration.ofHours(12)),
                true,
                Optional.of(Path.of("/opt/nomad/data/alloc"))));
    assertThat(config.sts().region().name()).isEqualTo("eu-west-1");
    assertThat(config.roles()).isEqualTo(directory.resolveSibling("shared/roles.yaml"));
    assertThat(config.audit().file()).contains(directory.resolve("audit.jsonl"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'x: 1' | taskrole.yaml:1:1: sts is missing; write sts: with region: below it",
        "'sts: {}' | taskrole.yaml:1:6: region is missing",
        "'sts: {region: mars}' | region cannot be 'mars'",
        "'sts: {region: \"${env:UNSET}\"}' | the environment variable UNSET is not set",
        "'sts: {region: eu-west-1, fallback-region: mars}' | fallback-region cannot be 'mars'",
        "'sts: {region: eu-west-1, fallback-region: eu-west-1}' | fallback-region is region",
        "'sts: {region: eu-west-1, fallback-region: cn-north-1}' | fallback-region is in partition aws-cn",
        "'sts: {region: eu-west-1, fallback-endpoint: \"https://x\"}' | there is no fallback-region",
        "'sts: {region: eu-west-1, timeout: 5}' | timeout is a number; put it in quotes",
        "'sts: {region: eu-west-1, timeout: 5min}' | write a duration such as 850ms, 5s or 1h30m",
        "'sts: {region: eu-west-1, concurrency: 0}' | write a whole number from 1 to 256",
        "'sts: {region: eu-west-1, endpoint: \"ftp://x\"}' | write an http:// or https:// address",
        "'sts: {region: eu-west-1, endpoint: \"http://x/?a=b\"}' | without a query",
        "'listen: {credentials: [0.0.0.0:9171]}' | 0.0.0.0:9171 can be reached from other hosts",
        "'listen: {credentials: [10.0.0.1:9171]}' | listen.expose-to-network: true",
        "'listen: {credentials: [localhost:9171]}' | not an address to listen on",
        "'listen: {credentials: [127.0.0.1]}' | not an address to listen on",
        "'listen: {credentials: [127.0.0.1:99999]}' | not an address to listen on",
        "'listen: {admin: 127.0.0.1:9171}' | admin is an address of the credential endpoint",
        "'listen: {admin: 192.168.1.1:9172}' | can be reached from other hosts",
        "'answer-within: 50ms' | from 100ms to 20s",
        "'answer-within: 21s' | from 100ms to 20s",
        "'nomad: {address: \"ftp://x\"}' | write http://, https:// or unix://",
        "'nomad: {address: \"http://127.0.0.1:4646/v1\"}' | write http://, https:// or unix://",
        "'nomad: {address: \"unix:///s/api.sock\"}' | the task API socket needs a token",
        "'nomad: {tls: {cert-file: a}}' | ca-file is missing",
        "'nomad: {tls: {ca-file: c, cert-file: a}}' | cert-file and key-file go together",
        "'nomad: {node-id: x}' | write the node's whole id",
        "'identity: {audience: \"\"}' | audience cannot be ''",
        "'identity: {clock-skew: 61s}' | from 0s to 60s",
        "'placement: {attest: always}' | write bearer, address or kernel",
        "'placement: {serve-without-nomad: 10s}' | write unlimited, or a duration from 1m to 720h",
        "'placement: {expired-token: serve}' | write refuse or serve-existing",
        "'placement: {prefetch: on}' | write off or from-secrets-dir",
        "'placement: {prefetch: from-secrets-dir}' | prefetch needs alloc-dir",
        "'placement: {alloc-dir: /a}' | alloc-dir has no effect: prefetch is off",
        "'identitty: {}' | unknown key identitty; did you mean identity?"
      })
  void problem_namesPlaceAndMend(String yaml, String expected) throws IOException {
    assertThat(problems(yaml)).anySatisfy(problem -> assertThat(problem).contains(expected));
  }

  @Test
  void problemsOfBothFiles_areToldAtOnce() throws IOException {
    Path file =
        Files.writeString(directory.resolve("taskrole.yaml"), "sts: {region: mars}\nroles: r.yaml");
    Files.writeString(directory.resolve("r.yaml"), "roles: [{match: {}, role: x}]");
    Problems problems = new Problems();
    ConfigFile.check(file, _ -> Optional.empty(), problems);
    assertThat(problems.list()).hasSize(3);
  }

  @Test
  void missingFiles_areProblemsWithAMend() throws IOException {
    Problems problems = new Problems();
    ConfigFile.check(directory.resolve("nowhere.yaml"), _ -> Optional.empty(), problems);
    assertThat(problems.list().getFirst().toString())
        .endsWith("nowhere.yaml:1:1: there is no such file; name a readable file with --config");
    Path file = Files.writeString(directory.resolve("alone.yaml"), "sts: {region: eu-west-1}");
    problems = new Problems();
    ConfigFile.check(file, _ -> Optional.empty(), problems);
    assertThat(problems.list().getFirst().toString())
        .contains("roles.yaml:1:1: there is no such file; make it readable for the daemon");
  }

  @Test
  void routableAddress_isTakenWhenForced() throws IOException {
    assertThat(
            config(
                    "listen: {credentials: [0.0.0.0:9171], expose-to-network: true}\n"
                        + "sts: {region: eu-west-1}")
                .listen()
                .exposeToNetwork())
        .isTrue();
  }
}
