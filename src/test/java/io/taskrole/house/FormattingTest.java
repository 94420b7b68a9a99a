package io.taskrole.house;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.googlejavaformat.java.Formatter;
import com.google.googlejavaformat.java.FormatterException;
import com.google.googlejavaformat.java.ImportOrderer;
import com.google.googlejavaformat.java.JavaFormatterOptions;
import com.google.googlejavaformat.java.RemoveUnusedImports;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Holds every source file to google-java-format. {@code mvn test -Dtest=FormattingTest
 * -Dformat=apply} rewrites the files instead of complaining.
 */
class FormattingTest {
  private final Formatter formatter = new Formatter(JavaFormatterOptions.defaultOptions());

  @Test
  void sources_areFormatted() throws IOException {
    boolean apply = "apply".equals(System.getProperty("format"));
    List<Path> unformatted = new ArrayList<>();
    for (Path file : sources()) {
      String text = Files.readString(file);
      String formatted = format(file, text);
      if (!formatted.equals(text)) {
        if (apply) {
          Files.writeString(file, formatted);
        } else {
          unformatted.add(file);
        }
      }
    }
    assertThat(unformatted).as("run: mvn test -Dtest=FormattingTest -Dformat=apply").isEmpty();
  }

  private String format(Path file, String text) {
    try {
      String imports = RemoveUnusedImports.removeUnusedImports(text);
      return formatter.formatSource(
          ImportOrderer.reorderImports(imports, JavaFormatterOptions.Style.GOOGLE));
    } catch (FormatterException e) {
      throw new AssertionError("cannot parse " + file, e);
    }
  }

  private static List<Path> sources() throws IOException {
    List<Path> files = new ArrayList<>();
    for (String root : List.of("src/main/java", "src/test/java", "src/bench/java")) {
      if (Files.isDirectory(Path.of(root))) {
        try (Stream<Path> tree = Files.walk(Path.of(root))) {
          tree.filter(path -> path.toString().endsWith(".java")).sorted().forEach(files::add);
        }
      }
    }
    return files;
  }
}
