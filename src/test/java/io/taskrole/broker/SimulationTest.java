package io.taskrole.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.broker.SimulatedNode.BrokenInvariant;
import io.taskrole.broker.SimulatedNode.Bug;
import io.taskrole.policy.RoleArn;
import io.taskrole.time.TimeSource;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Node lives of eight hours, each with the faults that its seed gives. {@code -Dsim.seeds=10000}
 * runs more of them, {@code -Dsim.seed=N} runs one again.
 */
class SimulationTest {
  private static final int SEEDS = Integer.getInteger("sim.seeds", 300);
  private static final @Nullable Long SEED = Long.getLong("sim.seed");
  private static final Duration LIFE = Duration.ofHours(8);
  private static final List<RoleArn> ROLES =
      IntStream.range(0, 3)
          .mapToObj(i -> RoleArn.parse("arn:aws:iam::123456789012:role/role" + i).orElseThrow())
          .toList();

  private record Life(long asks, long issued, long calls) {}

  @Test
  void noFaultBreaksAnInvariant() {
    if (SEED != null) {
      assertThat(live(SEED, Bug.NONE).issued()).isPositive();
      return;
    }
    long begun = TimeSource.system().nanos();
    long asks = 0;
    long issued = 0;
    long calls = 0;
    for (long seed = 1; seed <= SEEDS; seed++) {
      Life life = live(seed, Bug.NONE);
      asks += life.asks();
      issued += life.issued();
      calls += life.calls();
    }
    double years = SEEDS * LIFE.toMinutes() / (60 * 24 * 365.25);
    double minutes = (TimeSource.system().nanos() - begun) / 60e9;
    System.out.printf(
        Locale.ROOT,
        "simulation: %,d seeds, %.2f node-years, %,d requests, %,d issued, %,d STS calls, 0 broken"
            + " invariants, %.0f node-years a minute%n",
        SEEDS,
        years,
        asks,
        issued,
        calls,
        years / minutes);
    assertThat(issued).isGreaterThan(asks / 2).isLessThan(asks);
  }

  @Test
  void oneSeed_isOneLife() {
    assertThat(live(4711, Bug.NONE))
        .isEqualTo(live(4711, Bug.NONE))
        .isNotEqualTo(live(4712, Bug.NONE));
  }

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
  void plantedBug_isFound(Bug bug) {
    String found = "";
    for (long seed = 1; seed <= 20 && found.isEmpty(); seed++) {
      try {
        live(seed, bug);
      } catch (BrokenInvariant e) {
        found = String.valueOf(e.getMessage());
      }
    }
    assertThat(found)
        .containsPattern(
            switch (bug) {
              case NONE -> "nothing";
              case TWO_FLIGHTS -> "I9: two exchanges at once|I7: a lease is renewed long before";
              case REFRESH_STORM -> "I7: a lease is renewed long before its time";
              case SERVES_THE_DEAD -> "I3: credentials that end";
            });
  }

  /** The herd after a node's start, while STS allows ten calls a second. */
  @Test
  void herd_isDrainedAtThePaceOfSts() {
    Random random = new Random(500);
    Agenda agenda = new Agenda();
    SimulatedSts sts = new SimulatedSts(agenda, random);
    sts.setRate(10);
    SimulatedNode node =
        new SimulatedNode(agenda, random, sts, new ExchangeLimits(16, 50), Bug.NONE);
    node.troubledUntil(Duration.ofMinutes(3).toNanos());
    for (RoleArn role : ROLES) {
      node.run(167, role, Duration.ofSeconds(1));
    }
    node.start();
    agenda.runUntil(Duration.ofMinutes(3).toNanos());

    System.out.printf(
        Locale.ROOT,
        "herd: 501 tasks at once, STS allows 10 calls a second: the last has credentials after %.0f s, of"
            + " %d calls %d were throttled%n",
        node.worstCold() / 1e9,
        sts.calls(),
        sts.calls() - sts.answered());
    assertThat(node.cold()).isZero();
    assertThat(node.worstCold()).isLessThan(Duration.ofSeconds(90).toNanos());
    assertThat(sts.calls()).isLessThan(3 * 501);
  }

  /** One life; throws what breaks, with the seed that brings it back. */
  private static Life live(long seed, Bug bug) {
    Random random = new Random(seed);
    Agenda agenda = new Agenda();
    SimulatedSts sts = new SimulatedSts(agenda, random);
    SimulatedSts elsewhere = seed % 2 == 0 ? new SimulatedSts(agenda, random) : null;
    SimulatedNode node =
        new SimulatedNode(
            agenda,
            random,
            sts,
            elsewhere,
            new ExchangeLimits(1 + random.nextInt(16), 5 + random.nextInt(50)),
            bug);
    try {
      for (RoleArn role : ROLES) {
        node.run(1 + random.nextInt(6), role, Duration.ofMinutes(random.nextInt(30)));
      }
      node.start();
      nextFault(agenda, random, sts, node);
      if (elsewhere != null) {
        nextFaultElsewhere(agenda, random, elsewhere);
      }
      agenda.runUntil(LIFE.toNanos());
      return new Life(node.asks(), node.issued(), sts.calls());
    } catch (BrokenInvariant e) {
      throw new BrokenInvariant("seed " + seed + ": " + e.getMessage());
    }
  }

  private static void nextFault(
      Agenda agenda, Random random, SimulatedSts sts, SimulatedNode node) {
    agenda.in(
        Duration.ofSeconds(60 + random.nextInt(5_000)),
        () -> {
          Duration length =
              Duration.ofMillis(1_000 + (long) (2_400_000 * Math.pow(random.nextDouble(), 3)));
          node.troubledUntil(agenda.now() + length.toNanos());
          RoleArn role = ROLES.get(random.nextInt(ROLES.size()));
          Runnable end =
              switch (random.nextInt(8)) {
                case 0, 1 -> {
                  sts.setDown(true);
                  yield () -> sts.setDown(false);
                }
                case 2 -> {
                  sts.setRate(0.5 + random.nextInt(5));
                  yield () -> sts.setRate(Double.MAX_VALUE);
                }
                case 3 -> {
                  sts.setLatency(300, 8_000);
                  yield () -> sts.setLatency(20, 80);
                }
                case 4 -> {
                  sts.setRefused(role, true);
                  node.forgive(role);
                  yield () -> {
                    sts.setRefused(role, false);
                    node.forgive(role);
                  };
                }
                case 5 -> {
                  node.changeRules(role);
                  yield () -> {};
                }
                case 6 -> {
                  node.setClockWrongBy(Duration.ofHours(random.nextBoolean() ? 1 : -1));
                  yield () -> node.setClockWrongBy(Duration.ZERO);
                }
                default -> {
                  node.restartTasks(Duration.ofSeconds(random.nextInt(10)));
                  yield () -> {};
                }
              };
          agenda.in(
              length,
              () -> {
                end.run();
                nextFault(agenda, random, sts, node);
              });
        });
  }

  /** What befalls the second Region is no excuse for any answer. */
  private static void nextFaultElsewhere(Agenda agenda, Random random, SimulatedSts elsewhere) {
    agenda.in(
        Duration.ofSeconds(60 + random.nextInt(3_000)),
        () -> {
          RoleArn role = ROLES.get(random.nextInt(ROLES.size()));
          Runnable end =
              switch (random.nextInt(4)) {
                case 0 -> {
                  elsewhere.setDown(true);
                  yield () -> elsewhere.setDown(false);
                }
                case 1 -> {
                  elsewhere.setRate(0.5);
                  yield () -> elsewhere.setRate(Double.MAX_VALUE);
                }
                case 2 -> {
                  elsewhere.setLatency(300, 8_000);
                  yield () -> elsewhere.setLatency(20, 80);
                }
                default -> {
                  elsewhere.setRefused(role, true);
                  yield () -> elsewhere.setRefused(role, false);
                }
              };
          agenda.in(
              Duration.ofSeconds(1 + random.nextInt(2_400)),
              () -> {
                end.run();
                nextFaultElsewhere(agenda, random, elsewhere);
              });
        });
  }
}
