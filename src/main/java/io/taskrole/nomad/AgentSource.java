package io.taskrole.nomad;

import com.hashicorp.nomad.apimodel.AllocationListStub;
import com.hashicorp.nomad.javasdk.ErrorResponseException;
import com.hashicorp.nomad.javasdk.NomadApiClient;
import com.hashicorp.nomad.javasdk.NomadApiConfiguration;
import com.hashicorp.nomad.javasdk.NomadException;
import com.hashicorp.nomad.javasdk.QueryOptions;
import com.hashicorp.nomad.javasdk.ServerQueryResponse;
import com.hashicorp.nomad.javasdk.WaitStrategy;
import io.taskrole.identity.AllocationId;
import java.io.IOException;
import java.math.BigInteger;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.http.Header;
import org.jspecify.annotations.Nullable;

/** Lists this node's allocations by the Nomad SDK, and finds out which node this is. */
final class AgentSource implements AllocationSource, AutoCloseable {
  /** How long a blocking query is held at most. */
  static final Duration HOLD = Duration.ofSeconds(30);

  private final NomadConfig config;
  private final NomadApiClient held;
  private final NomadApiClient prompt;
  private volatile @Nullable String nodeId;

  /** Makes clients; nothing is asked yet. */
  AgentSource(NomadConfig config, AllocationFilter.Known known) {
    this.config = config;
    NomadApiConfiguration api =
        new NomadApiConfiguration.Builder().setAddress(NomadHttp.host(config)).build();
    // One for blocking queries, one for what has to be answered at once: each with its time-out.
    held = new NomadApiClient(api, NomadHttp.client(config, HOLD, known));
    prompt = new NomadApiClient(api, NomadHttp.client(config, Duration.ZERO, known));
  }

  @Override
  public Listing list(long index, Duration hold) throws IOException {
    String node = node();
    QueryOptions<List<AllocationListStub>> options = new QueryOptions<>();
    if (index > 0) {
      options
          .setIndex(BigInteger.valueOf(index))
          .setWaitStrategy(WaitStrategy.waitForMilliseconds(hold.toMillis(), hold.toMillis()));
    }
    NomadApiClient client = index > 0 ? held : prompt;
    return told(
        "list the allocations of node " + node,
        () -> listing(node, client.getNodesApi().allocations(node, options)));
  }

  private static Listing listing(
      String node, ServerQueryResponse<List<AllocationListStub>> response) throws IOException {
    if (response.getHttpResponse().getFirstHeader("X-Nomad-Index") == null) {
      throw new IOException("the answer has no X-Nomad-Index: nomad.address is no Nomad agent");
    }
    List<Allocation> changed = new ArrayList<>();
    Set<AllocationId> unchanged = new HashSet<>();
    for (AllocationListStub stub : response.getValue()) {
      if (stub.getClientStatus() == null && stub.getJobId() == null) {
        AllocationId.parse(stub.getId()).ifPresent(unchanged::add);
      } else if (node.equals(stub.getNodeId())) {
        AllocationReader.read(stub).ifPresent(changed::add);
      }
    }
    Header length = response.getHttpResponse().getFirstHeader(NomadHttp.LENGTH);
    return new Listing(
        changed,
        unchanged,
        Math.max(1, response.getIndex().longValueExact()),
        length == null ? 0 : Long.parseLong(length.getValue()));
  }

  /** The node's id: once it is known to exist, for ever. */
  private String node() throws IOException {
    String known = nodeId;
    if (known != null) {
      return known;
    }
    Optional<String> configured = config.nodeId();
    String candidate =
        configured.isPresent()
            ? configured.get()
            : told("ask the agent which node it is", () -> self(prompt));
    // A wrong id is answered with an empty list, as if nothing ran here.
    told(
        "look node " + candidate + " up; see nomad.node-id",
        () -> prompt.getNodesApi().info(candidate).getValue());
    nodeId = candidate;
    return candidate;
  }

  private static String self(NomadApiClient client) throws IOException, NomadException {
    Map<String, Map<String, String>> stats = client.getAgentApi().self().getValue().getStats();
    Map<String, String> own = stats == null ? Map.of() : stats.getOrDefault("client", Map.of());
    String id = own.getOrDefault("node_id", "");
    if (!NomadConfig.isNodeId(id)) {
      throw new IOException("it is a server, not a client: set nomad.address to this node's agent");
    }
    return id;
  }

  private interface Call<T> {
    T ask() throws IOException, NomadException;
  }

  /** The SDK's messages quote whole answers, job specifications among them; ours quote nothing. */
  private static <T> T told(String what, Call<T> call) throws IOException {
    try {
      return call.ask();
    } catch (ErrorResponseException e) {
      throw new IOException("cannot " + what + ": " + status(e.getServerErrorCode()), e);
    } catch (NomadException | RuntimeException e) {
      throw new IOException("cannot " + what + ": the answer is not one of a Nomad agent", e);
    } catch (IOException e) {
      throw new IOException("cannot " + what + ": " + cause(e), e);
    }
  }

  private static String cause(IOException e) {
    return switch (e) {
      case java.net.SocketTimeoutException _ -> "no answer in time";
      case java.net.UnknownHostException _ -> "the host name is unknown";
      case com.fasterxml.jackson.core.JacksonException _ -> "the answer is cut or not JSON";
      default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    };
  }

  private static String status(int code) {
    return switch (code) {
      case 401, 403 ->
          "status "
              + code
              + "; give the token in nomad.token-file a policy with node read and read-job in every"
              + " namespace";
      case 404 -> "status 404; Nomad knows no such node";
      case 429 -> "status 429; too many connections from this host (http_max_conns_per_client)";
      default -> "status " + code + "; the agent has no answer, perhaps no cluster leader";
    };
  }

  @Override
  public void close() throws IOException {
    held.close();
    prompt.close();
  }
}
