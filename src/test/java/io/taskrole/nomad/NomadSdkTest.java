package io.taskrole.nomad;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.hashicorp.nomad.apimodel.AllocationListStub;
import com.hashicorp.nomad.javasdk.ErrorResponseException;
import com.hashicorp.nomad.javasdk.NomadApiClient;
import com.hashicorp.nomad.javasdk.QueryOptions;
import com.hashicorp.nomad.javasdk.WaitStrategy;
import io.taskrole.testing.ScriptedHttp;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Proves the dependency recipe of the build: the Nomad SDK, which breaks at run time with the
 * Jackson that Vert.x asks for, reads what a live agent answered.
 */
class NomadSdkTest {
  private static final Path REAL = Path.of("src/test/resources/fixtures/real");
  private static final String NODE = "2b046d1a-6c1e-03be-2751-028cbff36c51";

  private ScriptedHttp agent;
  private NomadApiClient client;

  @BeforeEach
  void start() {
    agent = ScriptedHttp.start();
    client = new NomadApiClient(agent.uri("").toString());
  }

  @AfterEach
  void stop() throws IOException {
    client.close();
    agent.close();
  }

  private void serve(String fixture) throws IOException {
    String body =
        new String(Files.readAllBytes(REAL.resolve(fixture)), StandardCharsets.ISO_8859_1);
    agent.next(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Nomad-Index: 138\r\n"
            + "Connection: close\r\nContent-Length: "
            + body.length()
            + "\r\n\r\n"
            + body);
  }

  @Test
  void nodeAllocations_areRead_withWhatTheSdkDoesNotKnow() throws Exception {
    serve("node_allocations.json");
    var response = client.getNodesApi().allocations(NODE);
    assertThat(response.getIndex()).isEqualTo(BigInteger.valueOf(138));
    List<AllocationListStub> allocations = response.getValue();
    assertThat(allocations).hasSize(11).allMatch(each -> NODE.equals(each.getNodeId()));
    AllocationListStub odd =
        allocations.stream()
            .filter(each -> each.getJobId().startsWith("team:a"))
            .findFirst()
            .orElseThrow();
    assertThat(odd.getJobId()).isEqualTo("team:a/bill(ü)");
    assertThat(odd.getTaskGroup()).isEqualTo("x:y");
    assertThat(odd.getTaskStates()).containsOnlyKeys("e.f:g");
    assertThat(odd.getUnmappedProperties()).containsKeys("Job", "NetworkStatus");
    assertThat(allocations.stream().filter(each -> each.getClientStatus().equals("complete")))
        .hasSize(4);
  }

  @Test
  void blockingQuery_goesOutAsNomadWantsIt() throws Exception {
    serve("node_allocations.json");
    QueryOptions<List<AllocationListStub>> options = new QueryOptions<>();
    options
        .setIndex(BigInteger.valueOf(42))
        .setWaitStrategy(WaitStrategy.waitForMilliseconds(30_000, 30_000));
    client.getNodesApi().allocations(NODE, options);
    assertThat(agent.requests().getFirst())
        .startsWith("GET /v1/node/" + NODE + "/allocations?")
        .contains("index=42")
        // The SDK counts down from what it was given.
        .containsPattern("wait=(30000|29[0-9]{3})ms");
  }

  @Test
  void agentAndNode_areRead() throws Exception {
    serve("agent_self.json");
    Map<String, Map<String, String>> stats = client.getAgentApi().self().getValue().getStats();
    assertThat(stats.get("client")).containsEntry("node_id", NODE);
    serve("node.json");
    assertThat(client.getNodesApi().info(NODE).getValue().getId()).isEqualTo(NODE);
  }

  @Test
  void errorAnswer_keepsItsStatus() {
    agent.next(
        "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 17\r\n\r\nPermission denied");
    assertThatThrownBy(() -> client.getNodesApi().info(NODE))
        .isInstanceOfSatisfying(
            ErrorResponseException.class,
            error -> assertThat(error.getServerErrorCode()).isEqualTo(403));
  }
}
