package io.taskrole.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.json.StrictJson;
import io.taskrole.testing.AgentProcess;
import io.taskrole.testing.RawHttp;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.logging.LogManager;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TaskroleCommandTest {
  private record Run(int code, String out, String err) {}

  @TempDir Path directory;

  @AfterEach
  void restoreLogging() throws IOException {
    LogManager.getLogManager().readConfiguration();
  }

  private static Run run(String... arguments) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int code = TaskroleCommand.run(arguments, new PrintWriter(out), new PrintWriter(err));
    return new Run(code, out.toString(), err.toString());
  }

  private Path config(String listen) throws IOException {
    Files.writeString(directory.resolve("roles.yaml"), "roles: []");
    return Files.writeString(
        directory.resolve("taskrole.yaml"),
        "listen: {credentials: [\""
            + listen
            + "\"], admin: \"127.0.0.1:0\"}\nnomad: {address: \"http://127.0.0.1:1\"}\n"
            + "sts: {region: eu-west-1}\n");
  }

  @ParameterizedTest
  @ValueSource(strings = {"agent", "check", "demo", "version"})
  void help_isThereForEveryCommand(String command) {
    Run run = run(command, "--help");
    assertThat(run.code()).isZero();
    assertThat(run.out()).startsWith("Usage: taskrole " + command).contains("--help");
  }

  @Test
  void noCommand_showsHelp_andIsAUsageError() {
    Run run = run();
    assertThat(run.code()).isEqualTo(2);
    assertThat(run.err()).contains("agent", "check", "demo", "version").doesNotContain("train");
  }

  @ParameterizedTest
  @ValueSource(strings = {"agent --nonsense", "nonsense", "check", "version --json --xml"})
  void wrongUsage_isOneLine(String line) {
    Run run = run(line.split(" ", -1));
    assertThat(run.code()).isEqualTo(2);
    assertThat(run.out()).isEmpty();
    assertThat(run.err().lines()).hasSize(1);
    assertThat(run.err()).startsWith("taskrole: ").contains("--help");
  }

  @Test
  void version_isTold_alsoAsJson() {
    assertThat(run("version").out()).matches("taskrole \\S+ \\(commit \\S+, Java \\S+\\)\\R");
    String json = run("version", "--json").out().strip();
    assertThat(StrictJson.parse(json.getBytes(StandardCharsets.UTF_8)).orElseThrow())
        .containsOnlyKeys("version", "commit", "java");
  }

  @Test
  void check_tellsProblemsLineByLine() throws IOException {
    Path file = config("127.0.0.1:0");
    assertThat(run("check", "--config", file.toString()).code()).isZero();
    Files.writeString(directory.resolve("roles.yaml"), "roles: [{match: {}, role: x}]");
    Run run = run("check", "--config", file.toString());
    assertThat(run.code()).isEqualTo(2);
    assertThat(run.err().lines())
        .hasSize(2)
        .allMatch(line -> line.matches(".*roles\\.yaml:1:\\d+: .+; .+"));
  }

  @Test
  void agent_withBadConfiguration_endsWithTwo() throws IOException {
    Run run = run("agent", "--config", directory.resolve("none.yaml").toString());
    assertThat(run.code()).isEqualTo(2);
    assertThat(run.err()).contains("there is no such file");
  }

  @Test
  void agent_whoseAddressIsTaken_saysSoInOneLine_andEndsWithOne() throws Exception {
    try (ServerSocket taken =
            new ServerSocket(0, 1, InetAddress.getByAddress(new byte[] {127, 0, 0, 1}));
        AgentProcess agent = AgentProcess.start(config("127.0.0.1:" + taken.getLocalPort()))) {
      assertThat(agent.exitCode()).isEqualTo(1);
      assertThat(agent.output())
          .contains("taskrole: cannot listen on 127.0.0.1 port " + taken.getLocalPort())
          .doesNotContain("\tat ")
          .doesNotContain("Exception");
    }
  }

  @Test
  void agent_whoseAuditLogCannotBeOpened_saysWhatToDo() throws Exception {
    Path file = config("127.0.0.1:0");
    Files.writeString(file, Files.readString(file) + "audit: {file: missing/audit.jsonl}\n");
    try (AgentProcess agent = AgentProcess.start(file)) {
      assertThat(agent.exitCode()).isEqualTo(1);
      assertThat(agent.output())
          .contains("taskrole: cannot open the audit log ")
          .contains("make its directory");
    }
  }

  @Test
  void agent_reloadsOnHangup_andStopsOnTerm() throws Exception {
    Path file = config("127.0.0.1:0");
    try (AgentProcess agent = AgentProcess.start(file)) {
      String ready = agent.awaitLine("ready ");
      assertThat(ready)
          .matches(
              "ready credentials=http://127.0.0.1:\\d+/v1/credentials admin=http://127.0.0.1:\\d+ in \\d+\\.\\d\\ds");
      assertThat(agent.output()).contains("answer-within: 850ms");
      int port = Integer.parseInt(ready.replaceAll(".*credentials=http://[^:]+:(\\d+).*", "$1"));
      InetSocketAddress address = new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), port);
      assertThat(RawHttp.once(address, RawHttp.request(address, "a.b.c")).code())
          .isEqualTo("TokenMalformed");
      // The audit log goes to standard output, one JSON object a line.
      assertThat(agent.awaitLine("{\"time\":")).contains("\"reason\":\"TokenMalformed\"");
      Files.writeString(
          directory.resolve("roles.yaml"),
          "roles: [{match: {namespace: a}, role: \"arn:aws:iam::123456789012:role/a\"}]");
      agent.signal("HUP");
      agent.awaitText("roles file read again: 1 rules in force");
      agent.signal("TERM");
      assertThat(agent.exitCode()).isZero();
      assertThat(agent.output()).contains("stopping").doesNotContain("Exception");
    }
  }

  @Test
  void agent_stoppedWhileItStarts_endsWithNoughtAsWell() throws Exception {
    try (AgentProcess agent = AgentProcess.start(config("127.0.0.1:0"))) {
      // Told before the start begins, which takes some hundred milliseconds more.
      agent.awaitText("answer-within: 850ms");
      agent.signal("TERM");
      assertThat(agent.exitCode()).isZero();
      assertThat(agent.output()).contains("stopping");
    }
  }
}
