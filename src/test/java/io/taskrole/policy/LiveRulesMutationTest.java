package io.taskrole.policy;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.identity.Workload;
import io.taskrole.testing.ManualTime;
import io.taskrole.yaml.Problems;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Ten thousand versions of a roles file under traffic, most of them broken: bytes flipped, cut off,
 * lines doubled, swapped or lost. What is whole comes into force; what is not changes nothing.
 */
class LiveRulesMutationTest {
  private static final int MUTATIONS = 10_000;
  private static final Region REGION = new Region("eu-west-1");
  private static final Logger LOG = Logger.getLogger(LiveRules.class.getName());
  private static final List<Applicant> TASKS =
      List.of(
          Applicant.of(new Workload("payments", "billing", "api", "server")),
          Applicant.of(new Workload("payments", "ledger", "api", "server")),
          Applicant.of(new Workload("default", "web", "front", "nginx")));
  private static final String WHOLE =
      """
      roles:
        - match: {namespace: payments, job: billing}
          role: arn:aws:iam::123456789012:role/billing
          duration: 1h
        - match: {namespace: payments}
          role: arn:aws:iam::123456789012:role/payments
          region: eu-central-1
        - match: {namespace: default, job: "web*"}
          role: arn:aws:iam::123456789012:role/web
      """;

  @TempDir Path directory;
  private final Random random = new Random(17);

  @BeforeEach
  void quiet() {
    LOG.setLevel(Level.OFF);
  }

  @AfterEach
  void loud() {
    LOG.setLevel(null);
  }

  @Test
  void everyVersion_isTakenWholeOrNotAtAll() throws Exception {
    Path file = Files.write(directory.resolve("roles.yaml"), bytes(WHOLE));
    LiveRules rules =
        LiveRules.load(
                file, REGION, new Problems(), ManualTime.at("2026-11-23T08:31:00Z"), () -> {})
            .orElseThrow();
    Set<Decision> spoken = ConcurrentHashMap.newKeySet();
    AtomicBoolean over = new AtomicBoolean();
    Set<Decision> good = ConcurrentHashMap.newKeySet();
    Policy inForce = parse(bytes(WHOLE)).orElseThrow();
    remember(inForce, good);
    int taken = 0;
    try (var threads = Executors.newSingleThreadExecutor()) {
      Future<?> traffic =
          threads.submit(() -> {
            while (!over.get()) {
              TASKS.forEach(task -> spoken.add(rules.decide(task)));
            }
          });
      byte[] before = bytes(WHOLE);
      for (int i = 0; i < MUTATIONS; i++) {
        byte[] version = mutate(random.nextInt(4) == 0 ? bytes(WHOLE) : before);
        Optional<Policy> whole = parse(version);
        whole.ifPresent(policy -> remember(policy, good));
        replace(file, version);
        rules.reload();

        assertThat(rules.trouble().isPresent()).isEqualTo(whole.isEmpty());
        rules
            .trouble()
            .ifPresent(trouble ->
                assertThat(trouble.problems())
                    .isNotEmpty()
                    .allMatch(problem -> problem.toString().contains("roles.yaml:")));
        if (whole.isPresent()) {
          inForce = whole.get();
          before = version;
          taken++;
        }
        for (Applicant task : TASKS) {
          assertThat(rules.decide(task)).isEqualTo(inForce.decide(task));
        }
      }
      over.set(true);
      traffic.get();
    }

    assertThat(good).containsAll(spoken);
    assertThat(spoken).hasSizeGreaterThan(3);
    assertThat(taken).as("of both kinds there are many").isBetween(500, MUTATIONS - 500);
  }

  private static void remember(Policy policy, Set<Decision> good) {
    TASKS.forEach(task -> good.add(policy.decide(task)));
  }

  private byte[] mutate(byte[] version) {
    byte[] other = version.clone();
    List<String> lines =
        new ArrayList<>(new String(version, StandardCharsets.ISO_8859_1).lines().toList());
    int at = random.nextInt(Math.max(1, other.length));
    int line = random.nextInt(Math.max(1, lines.size()));
    switch (random.nextInt(6)) {
      case 0 -> other[Math.min(at, other.length - 1)] = (byte) random.nextInt(256);
      case 1 -> other[Math.min(at, other.length - 1)] ^= (byte) (1 << random.nextInt(8));
      case 2 -> {
        return java.util.Arrays.copyOf(other, Math.max(1, at));
      }
      case 3 -> lines.add(line, lines.get(line));
      case 4 -> {
        if (lines.size() > 1) {
          lines.remove(line);
        }
      }
      default -> lines.add(random.nextInt(lines.size()), lines.remove(line));
    }
    String joined = String.join("\n", lines) + "\n";
    return java.util.Arrays.equals(other, version)
        ? joined.getBytes(StandardCharsets.ISO_8859_1)
        : other;
  }

  private void replace(Path file, byte[] version) throws IOException {
    Path next = Files.write(directory.resolve("next"), version);
    Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }

  private static Optional<Policy> parse(byte[] version) {
    return RolesFile.parse("roles.yaml", version, Optional.of(REGION), new Problems());
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
