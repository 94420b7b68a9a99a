package io.taskrole.nomad;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.taskrole.identity.AllocationId;
import io.taskrole.identity.WorkloadIdentity;
import io.taskrole.testing.ScriptedHttp;
import io.taskrole.time.TimeSource;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a live Nomad agent answered, read through the Nomad SDK, and the verdict for each task. */
class RecordedAllocationsTest {
  private static final Path REAL = Path.of("src/test/resources/fixtures/real");
  private static final String NODE = "2b046d1a-6c1e-03be-2751-028cbff36c51";

  private ScriptedHttp agent;
  private AllocationFeed feed;
  private NomadPlacements placements;

  @BeforeEach
  void follow() throws Exception {
    agent = ScriptedHttp.start();
    agent.next(answer(json("node.json"), 1));
    agent.next(answer(json("node_allocations.json"), 138));
    agent.always(agent.silence());
    feed =
        new AllocationFeed(
            known ->
                new AgentSource(
                    new NomadConfig(
                        agent.uri(""), Optional.empty(), Optional.of(NODE), Optional.empty()),
                    known),
            TimeSource.system(),
            () -> 0.5,
            Runnable::run,
            new AllocationFeed.Listener() {
              @Override
              public void stopped(AllocationId allocation) {}

              @Override
              public void changed(AllocationView view) {}
            });
    placements = new NomadPlacements(feed, Optional.empty(), TimeSource.system());
    feed.start();
    feed.firstLoaded().get(10, TimeUnit.SECONDS);
    // Its blocking query must not take what is scripted for a look-up.
    while (agent.requests().size() < 3) {
      TimeSource.system().sleep(Duration.ofMillis(5));
    }
  }

  @AfterEach
  void stop() {
    feed.close();
    agent.close();
  }

  private static String json(String fixture) throws IOException {
    return new String(Files.readAllBytes(REAL.resolve(fixture)), StandardCharsets.ISO_8859_1);
  }

  private static String answer(String body, long index) {
    return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Nomad-Index: "
        + index
        + "\r\nConnection: close\r\nContent-Length: "
        + body.length()
        + "\r\n\r\n"
        + body;
  }

  /** Every task of the recording; {@code everyTask_isInTheTable} sees that none is missing. */
  private static final String[] VERDICTS = {
    "376a6389-f109-96b1-14a6-2b0e0cb8d1d8 | odd | g | twoaud | placed",
    "376a6389-f109-96b1-14a6-2b0e0cb8d1d8 | odd | g | noaud | placed",
    "376a6389-f109-96b1-14a6-2b0e0cb8d1d8 | odd | g | noexp | placed",
    "91d02642-8d86-f07e-35d6-0d7f06d5ddbd | team:a/bill(ü) | x:y | e.f:g | placed",
    "980a5063-f318-f173-9248-fa088e1320f2 | after | api | server | placed",
    "a3227830-3568-e95f-cd12-97fbc68bc91f | taskrole | taskrole | agent | placed",
    "b0805f9a-68ff-5796-f1eb-f8b0ab9e2349 | billing | api | server | placed",
    "e38c771e-c66c-aa0c-3129-cf55c941cc3e | web:admin | front | server | placed",
    "e38c771e-c66c-aa0c-3129-cf55c941cc3e | web:admin | front | sidecar | placed",
    "e5cdfb86-4f19-b678-0a49-80c1500123be | fresh | front | server | placed",
    "e5cdfb86-4f19-b678-0a49-80c1500123be | fresh | front | sidecar | placed",
    "187c7c7c-ac36-649c-3402-515a145f0efd | billing | api | server | AllocationStopped",
    "35532c6f-047c-490c-0a1f-68433926f14a | billing | api | server | AllocationStopped",
    "62c37edf-6d5f-fa97-4eea-5f199930bf1f | resize | g | t | AllocationStopped",
    "eeb8d0fe-b4b4-def3-867b-b822a49b6ed3 | nightly | g | t | AllocationStopped",
  };

  @Test
  void everyTask_hasItsVerdict() {
    List<String> found = new ArrayList<>();
    for (String row : VERDICTS) {
      String[] cells = row.split(" \\| ", -1);
      String namespace = cells[1].equals("taskrole") ? "infra" : "payments";
      var finding =
          placements.recall(ViewOf.identity(cells[0], namespace, cells[1], cells[2], cells[3]));
      cells[4] = ViewOf.word(finding);
      found.add(String.join(" | ", cells));
    }
    assertThat(found).containsExactly(VERDICTS);
  }

  @Test
  void everyTask_isInTheTable() throws IOException {
    Set<String> recorded = new TreeSet<>();
    for (JsonNode allocation :
        new ObjectMapper().readTree(REAL.resolve("node_allocations.json").toFile())) {
      allocation
          .get("TaskStates")
          .fieldNames()
          .forEachRemaining(task -> recorded.add(allocation.get("ID").asText() + " " + task));
    }
    Set<String> judged = new TreeSet<>();
    for (String row : VERDICTS) {
      String[] cells = row.split(" \\| ", -1);
      judged.add(cells[0] + " " + cells[3]);
    }
    assertThat(judged).isEqualTo(recorded);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "other namespace | infra | billing | api | server",
        "other job | payments | bill | api | server",
        "other group | payments | billing | x | server",
        "other task | payments | billing | api | sidecar",
        "group and job swapped over the colon | payments | billing:api | server | server",
      })
  void tokenThatDisagreesWithTheRecord_isRefused(
      String what, String namespace, String job, String group, String task) {
    assertThat(
            ViewOf.word(
                placements.recall(
                    ViewOf.identity(
                        "b0805f9a-68ff-5796-f1eb-f8b0ab9e2349", namespace, job, group, task))))
        .as(what)
        .isEqualTo("TokenClaimsInvalid");
  }

  @Test
  void bridgeAllocation_hasItsAddress_hostModeHasNone() throws IOException {
    assertThat(
            addresses(
                ViewOf.identity(
                    "e38c771e-c66c-aa0c-3129-cf55c941cc3e",
                    "payments",
                    "web:admin",
                    "front",
                    "server")))
        .containsExactly(InetAddress.getByName("172.26.64.2"));
    assertThat(addresses(ViewOf.billing("b0805f9a-68ff-5796-f1eb-f8b0ab9e2349"))).isEmpty();
  }

  private Set<InetAddress> addresses(WorkloadIdentity identity) {
    return ViewOf.placement(placements.recall(identity)).addresses();
  }

  @Test
  void jobMeta_comesWithThePlacement() {
    var finding = placements.recall(ViewOf.billing("b0805f9a-68ff-5796-f1eb-f8b0ab9e2349"));
    assertThat(ViewOf.placement(finding).applicant().meta())
        .containsExactlyEntriesOf(Map.of("cost-centre", "pay-42"));
  }

  @Test
  void namedIdentities_tellTheirTokenFiles() {
    Allocation allocation = kept("b0805f9a-68ff-5796-f1eb-f8b0ab9e2349");
    assertThat(Objects.requireNonNull(allocation.tasks().get("server")).tokenFiles())
        .contains(new Allocation.TokenFile(List.of("sts.amazonaws.com"), "secrets/nomad_aws.jwt"));
  }

  /** From pending, where TaskStates and NetworkStatus are absent, to running: never refused. */
  @Test
  void startingAllocation_isPlacedAtEveryStep() throws Exception {
    List<String> statuses = new ArrayList<>();
    long index = 200;
    for (JsonNode step :
        new ObjectMapper().readTree(REAL.resolve("allocation_sequence.json").toFile())) {
      // The recorded steps share an index, since they were taken between Nomad's own batches.
      ((ObjectNode) step).put("ModifyIndex", ++index);
      agent.next(answer("[" + ascii(step) + "]", index));
      assertThat(feed.lookUp(TimeSource.system().nanos() + 10_000_000_000L)).isTrue();
      String id = step.get("ID").asText();
      statuses.add(kept(id).status().name().toLowerCase(Locale.ROOT));
      for (String task : List.of("server", "sidecar")) {
        assertThat(
                ViewOf.word(
                    placements.recall(
                        ViewOf.identity(
                            id,
                            "payments",
                            step.get("JobID").asText(),
                            step.get("TaskGroup").asText(),
                            task))))
            .isEqualTo("placed");
      }
    }
    assertThat(statuses).startsWith("pending").endsWith("running").hasSizeGreaterThan(2);
  }

  private Allocation kept(String id) {
    return Objects.requireNonNull(Objects.requireNonNull(feed.current()).get(new AllocationId(id)));
  }

  private static String ascii(JsonNode node) {
    return new String(
        node.toString().getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
  }
}
