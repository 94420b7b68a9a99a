package io.taskrole.docs;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.config.ConfigFile;
import io.taskrole.policy.Region;
import io.taskrole.policy.RolesFile;
import io.taskrole.yaml.Problem;
import io.taskrole.yaml.Problems;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code docs/configuration.md} lists exactly the keys that the readers know. An unknown key in
 * every section makes the readers name those they know.
 */
class ConfigurationDocumentTest {
  private static final Pattern KNOWN = Pattern.compile("known here: (.*)$");
  private static final Set<String> SECTIONS =
      Set.of("listen", "nomad", "nomad.tls", "identity", "placement", "sts", "audit");

  @TempDir Path directory;

  private static Set<String> known(List<Problem> problems, List<String> sections) {
    Set<String> keys = new TreeSet<>();
    List<String> lists =
        problems.stream()
            .filter(problem -> problem.what().contains("zzzzzzzzzz"))
            .map(problem -> KNOWN.matcher(problem.mend()))
            .filter(Matcher::find)
            .map(found -> found.group(1))
            .toList();
    assertThat(lists).hasSameSizeAs(sections);
    for (int i = 0; i < lists.size(); i++) {
      for (String key : lists.get(i).split(", ", -1)) {
        keys.add(sections.get(i).isEmpty() ? key : sections.get(i) + "." + key);
      }
    }
    return keys;
  }

  @Test
  void configuration_isDocumentedKeyByKey() throws IOException {
    Path file =
        Files.writeString(
            directory.resolve("taskrole.yaml"),
            """
            listen: {zzzzzzzzzz: 1}
            nomad:
              zzzzzzzzzz: 1
              tls: {zzzzzzzzzz: 1}
            identity: {zzzzzzzzzz: 1}
            placement: {zzzzzzzzzz: 1}
            sts: {zzzzzzzzzz: 1}
            audit: {zzzzzzzzzz: 1}
            zzzzzzzzzz: 1
            """);
    Problems problems = new Problems();
    ConfigFile.load(file, _ -> Optional.empty(), problems);
    Set<String> keys =
        known(
            problems.list(),
            List.of("listen", "nomad", "nomad.tls", "identity", "placement", "sts", "audit", ""));
    keys.removeAll(SECTIONS);
    assertThat(
            DocumentTable.names("configuration.md").stream()
                .filter(name -> !name.startsWith("roles[]"))
                .distinct())
        .containsExactlyInAnyOrderElementsOf(keys);
  }

  @Test
  void roles_areDocumentedKeyByKey() {
    Problems problems = new Problems();
    RolesFile.parse(
        "roles.yaml",
        """
        zzzzzzzzzz: 1
        roles:
          - zzzzzzzzzz: 1
            match: {zzzzzzzzzz: 1}
            role-from-meta: {zzzzzzzzzz: 1}
        """
            .getBytes(StandardCharsets.UTF_8),
        Optional.of(new Region("eu-west-1")),
        problems);
    Set<String> keys =
        known(problems.list(), List.of("", "roles[]", "roles[].match", "roles[].role-from-meta"));
    keys.remove("roles[].match");
    keys.remove("roles[].role-from-meta");
    keys.remove("roles");
    assertThat(
            DocumentTable.names("configuration.md").stream()
                .filter(name -> name.startsWith("roles[]")))
        .containsExactlyInAnyOrderElementsOf(keys);
  }
}
