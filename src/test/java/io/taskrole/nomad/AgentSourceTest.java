package io.taskrole.nomad;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskrole.identity.AllocationId;
import io.taskrole.nomad.AllocationSource.Listing;
import io.taskrole.testing.ScriptedHttp;
import io.taskrole.time.TimeSource;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.URI;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The Nomad SDK on our HTTP client, over real sockets, against an agent that misbehaves. */
class AgentSourceTest {
  private static final String NODE = "2b046d1a-6c1e-03be-2751-028cbff36c51";
  private static final String ID = "b0805f9a-68ff-5796-f1eb-f8b0ab9e2349";
  private static final String OTHER = "e5cdfb86-4f19-b678-0a49-80c1500123be";

  @TempDir Path directory;

  private ScriptedHttp agent;

  @BeforeEach
  void start() {
    agent = ScriptedHttp.start();
  }

  @AfterEach
  void stop() {
    agent.close();
  }

  private AgentSource source(Optional<Path> tokenFile, Optional<String> nodeId) {
    return new AgentSource(
        new NomadConfig(agent.uri(""), tokenFile, nodeId, Optional.empty()), (_, _) -> false);
  }

  private static String answer(String status, String body) {
    return "HTTP/1.1 "
        + status
        + "\r\nX-Nomad-Index: 7\r\nContent-Type: application/json\r\nConnection: close\r\n"
        + "Content-Length: "
        + body.length()
        + "\r\n\r\n"
        + body;
  }

  private AgentSource knowingItsNode() {
    agent.next(answer("200 OK", "{\"ID\": \"" + NODE + "\"}"));
    return source(Optional.empty(), Optional.of(NODE));
  }

  private static String allocation(String id, String rest) {
    return "{\"ID\":\""
        + id
        + "\",\"Namespace\":\"payments\",\"NodeID\":\""
        + NODE
        + "\",\"JobID\":\"billing\",\"TaskGroup\":\"api\",\"ModifyIndex\":5"
        + rest
        + "}";
  }

  @Test
  void absentAndNullFields_areNothingKnown_notAnError() throws IOException {
    agentAnswers(
        "["
            + allocation(ID, ",\"ClientStatus\":\"pending\"")
            + ","
            + allocation(
                OTHER,
                ",\"ClientStatus\":\"running\",\"Job\":{\"ParentID\":\"\",\"Meta\":null,"
                    + "\"TaskGroups\":[{\"Name\":\"api\",\"Meta\":null,\"Tasks\":[{\"Name\":\"t\","
                    + "\"Identities\":null}]}]},\"TaskStates\":{\"t\":{\"State\":\"dead\","
                    + "\"FinishedAt\":null,\"StartedAt\":\"0001-01-01T00:00:00Z\"}},"
                    + "\"NetworkStatus\":null")
            + "]");
    Listing listing = knowingItsNodeNow().list(0, Duration.ZERO);
    assertThat(listing.index()).isEqualTo(7);
    assertThat(listing.changed()).hasSize(2);
    Allocation pending = listing.changed().getFirst();
    assertThat(pending.status()).isEqualTo(Allocation.Status.PENDING);
    assertThat(pending.tasks()).isEmpty();
    assertThat(pending.addresses()).isEmpty();
    assertThat(listing.changed().get(1).tasks())
        .hasEntrySatisfying("t", task -> assertThat(task.dead()).isTrue());
  }

  private void agentAnswers(String body) {
    agent.next(answer("200 OK", "{\"ID\": \"" + NODE + "\"}"));
    agent.next(answer("200 OK", body));
  }

  private AgentSource knowingItsNodeNow() {
    return source(Optional.empty(), Optional.of(NODE));
  }

  @Test
  void recordWithoutStatusOrId_isLeftOut_theRestCounts() throws IOException {
    agentAnswers(
        "["
            + allocation("../../x", ",\"ClientStatus\":\"running\"")
            + ","
            + allocation(ID, ",\"ClientStatus\":\"flying\"")
            + ","
            + allocation(OTHER, ",\"ClientStatus\":\"lost\"")
            + "]");
    assertThat(knowingItsNodeNow().list(0, Duration.ZERO).changed())
        .singleElement()
        .satisfies(only -> assertThat(only.id()).isEqualTo(new AllocationId(OTHER)));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "500 Internal Server Error | No cluster leader | status 500; the agent has no answer",
        "403 Forbidden | Permission denied | give the token in nomad.token-file a policy",
        "401 Unauthorized | Unauthorized | give the token in nomad.token-file a policy",
        "429 Too Many Requests | slow down | http_max_conns_per_client",
        "302 Found | elsewhere | status 302",
        "200 OK | <html>a captive portal</html> | the answer is cut or not JSON",
        "200 OK | {\"not\": \"a list\"} | not a JSON array",
        "200 OK | [{\"ID\": \"b0805f9a | cut or not JSON",
        "200 OK | [1, 2] | not one JSON array of objects",
      })
  void unusableAnswer_isToldInOurWords(String status, String body, String said) {
    AgentSource source = knowingItsNode();
    agent.next(answer(status, body));
    assertThatThrownBy(() -> source.list(0, Duration.ZERO))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("cannot list the allocations of node " + NODE)
        .hasMessageContaining(said)
        .hasMessageNotContaining("portal");
  }

  @Test
  void answerWithoutIndex_isNoNomadAgent() {
    AgentSource source = knowingItsNode();
    agent.next("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]");
    assertThatThrownBy(() -> source.list(0, Duration.ZERO))
        .hasMessageContaining("nomad.address is no Nomad agent");
  }

  @Test
  void cutConnection_failsAtOnce() {
    AgentSource source = knowingItsNode();
    agent.next(ScriptedHttp.reset());
    assertThatThrownBy(() -> source.list(0, Duration.ZERO)).isInstanceOf(IOException.class);
    agent.next(
        "HTTP/1.1 200 OK\r\nX-Nomad-Index: 7\r\nContent-Length: 1000\r\n\r\n["
            + allocation(ID, ",\"ClientStatus\":\"running\""));
    assertThatThrownBy(() -> source.list(0, Duration.ZERO)).isInstanceOf(IOException.class);
  }

  /** No read ever times out; the answer as a whole does. */
  @Test
  void drippingAnswer_isGivenUp() {
    AgentSource source = knowingItsNode();
    agent.next(socket -> {
      ScriptedHttp.write(
          socket, "HTTP/1.1 200 OK\r\nX-Nomad-Index: 7\r\nContent-Length: 1000\r\n\r\n[");
      agent.drip(" ".repeat(200), Duration.ofMillis(500)).play(socket);
    });
    long begun = TimeSource.system().nanos();
    assertThatThrownBy(() -> source.list(0, Duration.ZERO))
        .hasMessageContaining("the Nomad agent's answer takes too long");
    assertThat(Duration.ofNanos(TimeSource.system().nanos() - begun))
        .as("what is still to come is not waited for")
        .isLessThan(Duration.ofSeconds(50));
  }

  @Test
  void unknownNode_isSaid_whereNomadWouldAnswerWithAnEmptyList() {
    agent.next(answer("404 Not Found", "node not found"));
    assertThatThrownBy(() -> source(Optional.empty(), Optional.of(NODE)).list(0, Duration.ZERO))
        .hasMessageContaining("see nomad.node-id: status 404; Nomad knows no such node");
  }

  @Test
  void nodeId_isAskedOfTheAgent_whenNotConfigured() throws IOException {
    agent.next(answer("200 OK", "{\"stats\":{\"client\":{\"node_id\":\"" + NODE + "\"}}}"));
    agentAnswers("[]");
    source(Optional.empty(), Optional.empty()).list(0, Duration.ZERO);
    assertThat(agent.requests().get(0)).startsWith("GET /v1/agent/self ");
    assertThat(agent.requests().get(1)).startsWith("GET /v1/node/" + NODE + " ");
    assertThat(agent.requests().get(2)).startsWith("GET /v1/node/" + NODE + "/allocations ");
  }

  @Test
  void nodeId_ofAServer_isRefusedWithTheMend() {
    agent.next(answer("200 OK", "{\"stats\":{\"nomad\":{\"server\":\"true\"}}}"));
    assertThatThrownBy(() -> source(Optional.empty(), Optional.empty()).list(0, Duration.ZERO))
        .hasMessageContaining("it is a server, not a client");
  }

  @Test
  void token_isReadAgainForEachRequest() throws IOException {
    Path file = Files.writeString(directory.resolve("token"), "first\n");
    agentAnswers("[]");
    AgentSource source = source(Optional.of(file), Optional.of(NODE));
    source.list(0, Duration.ZERO);
    Files.writeString(file, "second");
    agent.next(answer("200 OK", "[]"));
    source.list(0, Duration.ZERO);
    assertThat(agent.requests())
        .satisfiesExactly(
            request -> assertThat(request).contains("X-Nomad-Token: first\r\n"),
            request -> assertThat(request).contains("X-Nomad-Token: first\r\n"),
            request -> assertThat(request).contains("X-Nomad-Token: second\r\n"));
  }

  @Test
  void missingToken_namesTheFile() {
    assertThatThrownBy(() ->
            source(Optional.of(directory.resolve("none")), Optional.of(NODE))
                .list(0, Duration.ZERO))
        .hasMessageContaining("nomad.token-file " + directory.resolve("none"));
  }

  @Test
  void knownAllocation_isNotReadAgain() throws IOException {
    agentAnswers(
        "["
            + allocation(ID, ",\"ClientStatus\":\"running\"")
            + ","
            + allocation(OTHER, ",\"ClientStatus\":\"running\"")
            + "]");
    AgentSource source =
        new AgentSource(
            new NomadConfig(agent.uri(""), Optional.empty(), Optional.of(NODE), Optional.empty()),
            (id, index) -> id.equals(ID) && index == 5);
    Listing listing = source.list(0, Duration.ZERO);
    assertThat(listing.unchanged()).containsExactly(new AllocationId(ID));
    assertThat(listing.changed()).hasSize(1);
  }

  @Test
  void taskApiSocket_isSpokenTo_withTheToken() throws Exception {
    Path socket = directory.resolve("api.sock");
    Path file = Files.writeString(directory.resolve("nomad_token"), "workload-identity");
    List<String> requests = new CopyOnWriteArrayList<>();
    try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      server.bind(UnixDomainSocketAddress.of(socket));
      Thread.ofVirtual().start(() -> serveSocket(server, requests));
      NomadConfig config =
          new NomadConfig(
              URI.create("unix://" + socket),
              Optional.of(file),
              Optional.of(NODE),
              Optional.empty());
      Listing listing = new AgentSource(config, (_, _) -> false).list(0, Duration.ZERO);
      assertThat(listing.changed()).hasSize(1);
      var keys = NomadView.keySet(config, config.address()).fetch(0, Duration.ZERO);
      assertThat(keys.index()).hasValue(7);
      assertThat(requests)
          .hasSize(3)
          .allSatisfy(request -> assertThat(request).contains("X-Nomad-Token: workload-identity"));
      assertThat(requests.get(2)).startsWith("GET /.well-known/jwks.json ");
    }
  }

  private static void serveSocket(ServerSocketChannel server, List<String> requests) {
    List<String> answers =
        List.of(
            "{\"ID\": \"" + NODE + "\"}",
            "[" + allocation(ID, ",\"ClientStatus\":\"running\"") + "]",
            "{\"keys\":[]}");
    for (String answer : answers) {
      try (SocketChannel connection = server.accept()) {
        ByteBuffer request = ByteBuffer.allocate(4096);
        connection.read(request);
        requests.add(new String(request.array(), 0, request.position(), StandardCharsets.US_ASCII));
        connection.write(
            ByteBuffer.wrap(answer("200 OK", answer).getBytes(StandardCharsets.ISO_8859_1)));
      } catch (IOException e) {
        return;
      }
    }
  }
}
