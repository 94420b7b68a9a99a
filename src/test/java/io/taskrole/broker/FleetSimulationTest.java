package io.taskrole.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.broker.SimulatedNode.Bug;
import io.taskrole.policy.RoleArn;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/**
 * A thousand nodes against one STS that allows a hundred calls a second. {@code -Dscale=write}
 * writes what it finds to {@code docs/scale.md} and {@code docs/scale.svg}.
 */
class FleetSimulationTest {
  private static final boolean WRITES = "write".equals(System.getProperty("scale"));
  private static final int NODES = WRITES ? 1_000 : 100;
  private static final int TASKS = 30;
  private static final int HOURS = 3;
  private static final double ALLOWED = NODES / 10.0;
  private static final Duration SAMPLE = Duration.ofSeconds(30);
  private static final Duration OUTAGE_AT = Duration.ofHours(3);
  private static final Duration OUTAGE = Duration.ofHours(1);
  private static final Duration ROTATION_AT = Duration.ofHours(5);
  private static final Duration RESTART_AT = Duration.ofHours(6);
  private static final Duration END = Duration.ofHours(8);
  private static final List<RoleArn> ROLES =
      IntStream.range(0, 3)
          .mapToObj(i -> RoleArn.parse("arn:aws:iam::123456789012:role/role" + i).orElseThrow())
          .toList();

  private record Sample(double hour, double calls, double answered, double cold) {}

  private final Random random = new Random(1_000);
  private final Agenda agenda = new Agenda();
  private final SimulatedSts sts = new SimulatedSts(agenda, random);
  private final List<SimulatedNode> nodes = new ArrayList<>();
  private final List<Sample> samples = new ArrayList<>();
  private long calls;
  private long answered;

  @Test
  void fleet_losesNothing_throughOutageRotationAndRestart() throws IOException {
    sts.setRate(ALLOWED);
    for (int i = 0; i < NODES; i++) {
      SimulatedNode node =
          new SimulatedNode(agenda, random, sts, new ExchangeLimits(16, 50), Bug.NONE);
      node.troubledUntil(END.toNanos());
      for (RoleArn role : ROLES) {
        node.sessions(role, HOURS);
        node.run(TASKS / ROLES.size(), role, Duration.ofMinutes(20));
      }
      node.start();
      nodes.add(node);
    }
    sample();
    agenda.at(OUTAGE_AT.toNanos(), () -> sts.setDown(true));
    agenda.at(OUTAGE_AT.plus(OUTAGE).toNanos(), () -> sts.setDown(false));
    // STS has to load the new key first: for a minute it knows no token.
    agenda.at(ROTATION_AT.toNanos(), () -> sts.setDown(true));
    agenda.at(ROTATION_AT.plusMinutes(1).toNanos(), () -> sts.setDown(false));

    agenda.runUntil(OUTAGE_AT.toNanos());
    double start = worstColdSeconds();
    double steady = mean(1.5, 3, Sample::calls);
    assertThat(cold()).isZero();

    agenda.runUntil(RESTART_AT.toNanos());
    double probing = mean(3.2, 4, Sample::calls);
    double recovered = lastAbove(4, 5, 2 * steady);
    assertThat(cold()).as("nobody lost credentials").isZero();

    for (SimulatedNode node : nodes) {
      node.forgetWorstCold();
      node.restartTasks(Duration.ofSeconds(60));
    }
    agenda.runUntil(END.toNanos());
    double restart = worstColdSeconds();
    assertThat(cold()).isZero();
    assertThat(nodes.stream().mapToLong(SimulatedNode::lost).sum()).isZero();
    assertThat(restart).isLessThan(3 * NODES * TASKS / ALLOWED);

    String page = page(start, steady, probing, recovered, restart);
    System.out.println(
        page.lines().filter(line -> line.startsWith("|")).collect(Collectors.joining("\n")));
    if (WRITES) {
      Files.writeString(Path.of("docs/scale.md"), page);
      Files.writeString(Path.of("docs/scale.svg"), picture());
    }
  }

  private void sample() {
    double seconds = SAMPLE.toSeconds();
    samples.add(
        new Sample(
            agenda.now() / 3600e9,
            (sts.calls() - calls) / seconds,
            (sts.answered() - answered) / seconds,
            cold()));
    calls = sts.calls();
    answered = sts.answered();
    agenda.in(SAMPLE, this::sample);
  }

  private long cold() {
    return nodes.stream().mapToLong(SimulatedNode::cold).sum();
  }

  private double worstColdSeconds() {
    return nodes.stream().mapToLong(SimulatedNode::worstCold).max().orElseThrow() / 1e9;
  }

  private double mean(double from, double to, ToDoubleFunction<Sample> figure) {
    return samples.stream()
        .filter(sample -> sample.hour() > from && sample.hour() <= to)
        .mapToDouble(figure)
        .average()
        .orElseThrow();
  }

  /** Minutes after that hour until the calls are again below the limit. */
  private double lastAbove(double from, double to, double limit) {
    return samples.stream()
        .filter(sample -> sample.hour() > from && sample.hour() <= to && sample.calls() > limit)
        .mapToDouble(sample -> (sample.hour() - from) * 60)
        .max()
        .orElse(0);
  }

  private static String page(
      double start, double steady, double probing, double recovered, double restart) {
    return String.format(
        Locale.ROOT,
        """
        # A fleet

        %,d nodes with %d tasks each share one account, whose STS allows %.0f calls a second and throttles the rest.
        Sessions last %d h. `mvn test -Dtest=FleetSimulationTest -Dscale=write` makes this page: the leases and the budget
        are those of the daemon, tasks and STS are simulated (%s).

        ![Calls to STS and tasks without credentials over %d hours](scale.svg)

        | what | figure |
        |---|---|
        | all tasks start within 20 min: the longest wait for first credentials | %.0f s |
        | calls a second when nothing happens | %.1f |
        | STS is down for an hour: tasks that lose their credentials | 0 |
        | calls a second meanwhile, of all nodes together | %.0f |
        | minutes until renewals are as before the outage | %.0f |
        | a key rotation, for a minute of which STS knows no token: tasks that lose their credentials | 0 |
        | all tasks are replaced within a minute: the longest wait for first credentials | %.0f s |

        ## What carries over

        With *T* tasks whose sessions last *L* seconds, and an STS that allows *R* calls a second:

        - Renewals come at 50 %% to 66 %% of *L*: *T* / (0.58 × *L*) calls a second. It has to be well below *R*.
          %,d tasks and %d h: %.1f; measured %.1f. 10,000 nodes with %d tasks each: %.0f with sessions of %d h, %.0f with 1 h.
        - After all tasks are replaced at once the last has credentials after *T* / *R* seconds at the least: here
          %.0f, on 10,000 nodes %.0f. Throttled calls cost it the rest. Ask AWS for the quota that a restart of the cluster needs,
          or restart in parts.
        - While STS fails, a node tries once in ten seconds for each account and Region, and once in two while callers
          without credentials ask: *nodes* / 10 to *nodes* / 2 calls a second. Growing again takes a node some seconds.
        - What a running task has left when STS vanishes is in [outages](outages.md); it does not depend on the fleet's size.
        """,
        NODES,
        TASKS,
        ALLOWED,
        HOURS,
        "`FleetSimulationTest`",
        END.toHours(),
        start,
        steady,
        probing,
        recovered,
        restart,
        NODES * TASKS,
        HOURS,
        NODES * TASKS / (0.58 * HOURS * 3600),
        steady,
        TASKS,
        10_000 * TASKS / (0.58 * HOURS * 3600),
        HOURS,
        10_000 * TASKS / (0.58 * 3600),
        NODES * TASKS / ALLOWED,
        10_000 * TASKS / ALLOWED);
  }

  private String picture() {
    double most = samples.stream().mapToDouble(Sample::calls).max().orElseThrow();
    double coldest = samples.stream().mapToDouble(Sample::cold).max().orElseThrow();
    StringBuilder svg = new StringBuilder();
    svg.append(
        """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 470" font-family="sans-serif" font-size="12">
        <rect width="860" height="470" fill="#ffffff"/>
        """);
    band(
        svg,
        OUTAGE_AT.toMinutes() / 60.0,
        OUTAGE_AT.plus(OUTAGE).toMinutes() / 60.0,
        "STS is down");
    band(
        svg,
        ROTATION_AT.toMinutes() / 60.0,
        ROTATION_AT.toMinutes() / 60.0 + 1 / 60.0,
        "key rotation");
    band(
        svg,
        RESTART_AT.toMinutes() / 60.0,
        RESTART_AT.toMinutes() / 60.0 + 1 / 60.0,
        "all tasks replaced");
    chart(svg, 40, most, "calls to STS a second, all nodes", "#c05621", Sample::calls);
    chart(svg, 40, most, "", "#2b6cb0", Sample::answered);
    chart(svg, 260, coldest, "tasks without credentials", "#276749", Sample::cold);
    svg.append(
        """
        <text x="560" y="32" fill="#c05621">offered</text><text x="620" y="32" fill="#2b6cb0">answered</text>
        """);
    for (int hour = 0; hour <= END.toHours(); hour++) {
      svg.append(text(x(hour) - 8, 455, hour + " h", "#4a5568"));
    }
    return svg.append("</svg>\n").toString();
  }

  private static void band(StringBuilder svg, double from, double to, String label) {
    svg.append(
        String.format(
            Locale.ROOT,
            "<rect x=\"%.1f\" y=\"40\" width=\"%.1f\" height=\"390\" fill=\"#edf2f7\"/>%n",
            x(from),
            Math.max(1.5, x(to) - x(from))));
    svg.append(text(x(from) + 3, 54, label, "#4a5568"));
  }

  private void chart(
      StringBuilder svg,
      double top,
      double most,
      String title,
      String colour,
      ToDoubleFunction<Sample> figure) {
    double height = 170;
    svg.append(
        samples.stream()
            .map(sample ->
                String.format(
                    Locale.ROOT,
                    "%.1f,%.1f",
                    x(sample.hour()),
                    top + height * (1 - figure.applyAsDouble(sample) / most)))
            .collect(
                Collectors.joining(
                    " ",
                    "<polyline fill=\"none\" stroke-width=\"1.2\" stroke=\""
                        + colour
                        + "\" points=\"",
                    "\"/>\n")));
    if (!title.isEmpty()) {
      svg.append(
          String.format(
              Locale.ROOT,
              "<path d=\"M60 %.0f V%.0f H840\" fill=\"none\" stroke=\"#a0aec0\"/>%n",
              top,
              top + height));
      svg.append(text(60, top - 8, title, "#1a202c"));
      svg.append(text(8, top + 10, String.format(Locale.ROOT, "%,.0f", most), "#4a5568"));
      svg.append(text(44, top + height, "0", "#4a5568"));
    }
  }

  private static String text(double x, double y, String text, String colour) {
    return String.format(
        Locale.ROOT, "<text x=\"%.1f\" y=\"%.1f\" fill=\"%s\">%s</text>%n", x, y, colour, text);
  }

  private static double x(double hour) {
    return 60 + 780 * hour / END.toHours();
  }
}
