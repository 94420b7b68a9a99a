package io.taskrole.docs;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.testing.TestDaemon;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code docs/metrics.md} lists exactly the metrics that a scrape shows, with their types and
 * labels.
 */
class MetricsDocumentTest {
  private static final Pattern TYPE = Pattern.compile("# TYPE (\\S+) (\\S+)");
  private static final Pattern LABEL =
      Pattern.compile("^(taskrole_\\w+?)(?:_bucket|_sum|_count)?\\{(.*)} ");

  @TempDir Path directory;

  @Test
  void page_hasEveryMetric() {
    try (TestDaemon test = TestDaemon.start(directory)) {
      test.get(test.billing().sign());
      test.get("a.b.c");
      String scrape = test.admin("/metrics").body();
      Set<String> scraped = new TreeSet<>();
      TYPE.matcher(scrape)
          .results()
          .forEach(found -> scraped.add(found.group(1) + " " + found.group(2)));
      assertThat(
              DocumentTable.rows("metrics.md").stream()
                  .map(row -> row.get(0).replace("`", "") + " " + row.get(1)))
          .containsExactlyInAnyOrderElementsOf(scraped);

      Set<String> labels = new TreeSet<>();
      scrape
          .lines()
          .map(LABEL::matcher)
          .filter(found -> found.find())
          .forEach(found -> {
            for (String label : found.group(2).split(",", -1)) {
              String name = label.substring(0, label.indexOf('='));
              if (!name.equals("le")) {
                labels.add(found.group(1) + " " + name);
              }
            }
          });
      Set<String> documented = new TreeSet<>();
      for (var row : DocumentTable.rows("metrics.md")) {
        for (String label : row.get(2).replace("`", "").split(", ", -1)) {
          if (!label.isEmpty()) {
            documented.add(row.get(0).replace("`", "") + " " + label);
          }
        }
      }
      assertThat(documented).isEqualTo(labels);
    }
  }
}
