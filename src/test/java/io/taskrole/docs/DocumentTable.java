package io.taskrole.docs;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/** The rows of a page's markdown tables whose first cell is {@code `code`}, cells trimmed. */
final class DocumentTable {
  private DocumentTable() {}

  static List<List<String>> rows(String page) {
    try {
      return Files.readAllLines(Path.of("docs", page)).stream()
          .filter(line -> line.startsWith("| `"))
          .map(line -> line.substring(1, line.length() - 1).split("(?<!\\\\)\\|", -1))
          .map(cells -> Arrays.stream(cells).map(String::strip).toList())
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static List<String> names(String page) {
    return rows(page).stream().map(row -> row.getFirst().replace("`", "")).toList();
  }
}
