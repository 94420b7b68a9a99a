package io.taskrole.docs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the pages point at is there: tests, other pages, configuration that loads. */
class PagesTest {
  private static final Pattern LINK = Pattern.compile("]\\(([^)#:]+)\\)");
  private static final Pattern TEST =
      Pattern.compile("`(?:(\\w+Test)\\.?)?([a-z]\\w*[A-Z]\\w*_\\w+)?`");

  private static String read(String page) {
    try {
      return Files.readString(Path.of(page));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "README.md",
        "SECURITY.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "docs/reasons.md",
        "docs/metrics.md",
        "docs/decisions.md",
        "docs/configuration.md"
      })
  void links_leadSomewhere(String page) {
    Path folder = Path.of(page).toAbsolutePath().getParent();
    assertThat(LINK.matcher(read(page)).results().map(found -> folder.resolve(found.group(1))))
        .allMatch(Files::exists);
  }

  @Test
  void securityPage_namesTestsThatExist() throws IOException {
    String tests;
    try (Stream<Path> files = Files.walk(Path.of("src/test/java"))) {
      List<Path> sources = files.filter(file -> file.toString().endsWith("Test.java")).toList();
      StringBuilder all = new StringBuilder();
      for (Path source : sources) {
        all.append(Files.readString(source));
      }
      tests = all.toString();
    }
    List<MatchResult> named =
        TEST.matcher(read("SECURITY.md"))
            .results()
            .filter(found -> found.group(1) != null || found.group(2) != null)
            .toList();
    assertThat(named).hasSizeGreaterThan(20);
    for (MatchResult found : named) {
      if (found.group(1) != null) {
        assertThat(tests).contains("class " + found.group(1) + " ");
      }
      if (found.group(2) != null) {
        assertThat(tests).contains("void " + found.group(2) + "(");
      }
    }
  }

  @Test
  void jobAndReadme_tellTasksTheSameVariables() {
    for (String page : List.of("README.md", "nomad-jobs/s3-upload.nomad.hcl")) {
      assertThat(read(page))
          .contains(
              "AWS_CONTAINER_CREDENTIALS_FULL_URI     = \"http://127.0.0.1:9171/v1/credentials\"")
          .contains(
              "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = \"${NOMAD_SECRETS_DIR}/nomad_aws.jwt\"")
          .contains("AWS_EC2_METADATA_DISABLED")
          .contains("aud  = [\"sts.amazonaws.com\"]")
          .contains("ttl  = \"1h\"");
    }
  }
}
