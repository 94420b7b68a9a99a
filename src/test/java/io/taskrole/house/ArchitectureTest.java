package io.taskrole.house;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.fields;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Holds the house: which package may use which, and which third-party types each may see. */
class ArchitectureTest {
  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages("io.taskrole");

  /** Package by package: what it may use besides itself and the leaves. */
  private static final Map<String, Set<String>> MAY_USE =
      Map.ofEntries(
          Map.entry("refusal", Set.of()),
          Map.entry("secret", Set.of()),
          Map.entry("time", Set.of()),
          Map.entry("libc", Set.of()),
          Map.entry("systemd", Set.of()),
          Map.entry("telemetry", Set.of()),
          Map.entry("json", Set.of()),
          Map.entry("yaml", Set.of()),
          Map.entry("identity", Set.of()),
          Map.entry("policy", Set.of("identity", "yaml")),
          Map.entry("broker", Set.of("identity", "policy")),
          Map.entry("http", Set.of("identity", "policy", "broker")),
          Map.entry("sts", Set.of("identity", "policy", "broker")),
          Map.entry("nomad", Set.of("identity", "policy", "broker")),
          Map.entry("attest", Set.of("identity", "policy", "broker")),
          Map.entry(
              "config", Set.of("yaml", "identity", "policy", "broker", "http", "sts", "nomad")),
          Map.entry("demo", Set.of("identity")),
          Map.entry(
              "cli",
              Set.of("", "config", "yaml", "policy", "demo", "identity", "broker", "systemd")));

  private static final Set<String> LEAVES =
      Set.of("refusal", "secret", "time", "json", "telemetry", "libc");

  /** Third-party package prefix: the packages of ours that may see it. */
  private static final Map<String, Set<String>> SEEN_BY =
      Map.ofEntries(
          Map.entry("io.vertx..", Set.of("http", "")),
          Map.entry("io.netty..", Set.of("http")),
          Map.entry("com.github.benmanes.caffeine..", Set.of("broker", "identity", "http")),
          Map.entry("software.amazon.awssdk..", Set.of("sts", "demo")),
          Map.entry("com.hashicorp.nomad..", Set.of("nomad")),
          Map.entry("org.bouncycastle..", Set.of("nomad")),
          Map.entry("org.apache.http..", Set.of("nomad")),
          Map.entry("com.nimbusds..", Set.of("identity")),
          Map.entry("org.snakeyaml..", Set.of("yaml")),
          Map.entry("io.prometheus..", Set.of("telemetry")),
          Map.entry("picocli..", Set.of("cli")));

  static Set<String> packages() {
    return new TreeSet<>(MAY_USE.keySet());
  }

  static Set<String> thirdParties() {
    return new TreeSet<>(SEEN_BY.keySet());
  }

  @ParameterizedTest
  @MethodSource("packages")
  void package_usesOnlyWhatStandsBelowIt(String name) {
    List<String> forbidden = new ArrayList<>();
    for (String other : MAY_USE.keySet()) {
      if (!other.equals(name) && !MAY_USE.get(name).contains(other) && !LEAVES.contains(other)) {
        forbidden.add("io.taskrole." + other + "..");
      }
    }
    if (LEAVES.contains(name)) {
      LEAVES.stream()
          .filter(leaf -> !leaf.equals(name))
          .forEach(leaf -> forbidden.add("io.taskrole." + leaf + ".."));
    }
    if (!MAY_USE.get(name).contains("")) {
      forbidden.add("io.taskrole");
    }
    noClasses()
        .that()
        .resideInAPackage("io.taskrole." + name + "..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(forbidden.toArray(String[]::new))
        .allowEmptyShould(true)
        .check(CLASSES);
  }

  @ParameterizedTest
  @MethodSource("thirdParties")
  void thirdPartyTypes_areSeenOnlyInTheirPackage(String thirdParty) {
    String[] seers =
        SEEN_BY.get(thirdParty).stream()
            .map(name -> name.isEmpty() ? "io.taskrole" : "io.taskrole." + name + "..")
            .toArray(String[]::new);
    noClasses()
        .that()
        .resideOutsideOfPackages(seers)
        .should()
        .dependOnClassesThat()
        .resideInAPackage(thirdParty)
        .check(CLASSES);
  }

  @Test
  void packages_areAllNamedHere() throws IOException {
    try (Stream<Path> folders = Files.list(Path.of("src/main/java/io/taskrole"))) {
      assertThat(folders.filter(Files::isDirectory).map(folder -> folder.getFileName().toString()))
          .containsExactlyInAnyOrderElementsOf(MAY_USE.keySet());
    }
  }

  @Test
  void packages_areAllNullMarkedAndDescribed() throws IOException {
    for (String name : MAY_USE.keySet()) {
      Path info = Path.of("src/main/java/io/taskrole", name, "package-info.java");
      assertThat(info).content().contains("@NullMarked").contains("/**");
    }
  }

  @Test
  void secrets_areNeverBareStrings() {
    fields()
        .that()
        .haveNameMatching("(?i)(.*(token|secret)|secretAccessKey|sessionToken)")
        .should()
        .notHaveRawType(String.class)
        .check(CLASSES);
  }

  @Test
  void names_sayWhatAThingIs() {
    classes()
        .should()
        .haveSimpleNameNotEndingWith("Impl")
        .andShould()
        .haveSimpleNameNotEndingWith("Manager")
        .andShould()
        .haveSimpleNameNotEndingWith("Helper")
        .andShould()
        .haveSimpleNameNotEndingWith("Utils")
        .check(CLASSES);
  }

  @Test
  void topLevel_holdsOnlyWhatAProjectNeeds() throws IOException {
    Set<String> allowed =
        Set.copyOf(
            Arrays.asList(
                ".ci",
                ".git",
                ".gitignore",
                ".mvn",
                "CHANGELOG.md",
                "CONTRIBUTING.md",
                "LICENSE",
                "README.md",
                "SECURITY.md",
                "docs",
                "nomad-jobs",
                "pom.xml",
                "src",
                "systemd",
                "target",
                "taskrole"));
    try (Stream<Path> files = Files.list(Path.of("."))) {
      assertThat(files.map(file -> file.getFileName().toString())).allMatch(allowed::contains);
    }
  }
}
