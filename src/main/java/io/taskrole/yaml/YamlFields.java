package io.taskrole.yaml;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;

/**
 * Takes the keys of one mapping one after another, each by the name and type that it must have;
 * what was not asked for is an unknown key, told by {@link #end()}. Every problem goes to the
 * collector; an absent or faulty value reads as empty. For one thread.
 */
public final class YamlFields {
  private final YamlNode.Mapping mapping;
  private final Problems problems;
  private final Map<String, YamlNode.Entry> left = new LinkedHashMap<>();
  private final Set<String> asked = new TreeSet<>();

  public YamlFields(YamlNode.Mapping mapping, Problems problems) {
    this.mapping = mapping;
    this.problems = problems;
    mapping.entries().forEach(entry -> left.put(entry.key().text(), entry));
  }

  /** Where the mapping begins. */
  public Place place() {
    return mapping.place();
  }

  /** Where the value of a key stands, or the mapping when it has no such key. */
  public Place place(String key) {
    return mapping.entries().stream()
        .filter(entry -> entry.key().text().equals(key))
        .findFirst()
        .map(entry -> entry.value().place())
        .orElse(mapping.place());
  }

  /** The value of a key, whatever it is. */
  public Optional<YamlNode> any(String key) {
    asked.add(key);
    YamlNode.Entry entry = left.remove(key);
    if (entry == null) {
      return Optional.empty();
    }
    if (entry.value() instanceof YamlNode.Scalar(_, _, YamlNode.Scalar.Type type)
        && type == YamlNode.Scalar.Type.NOTHING) {
      problems.add(entry.key().place(), key + " has no value", "give it one or leave the key out");
      return Optional.empty();
    }
    return Optional.of(entry.value());
  }

  /** Whether there is such a key, whatever its value. */
  public boolean has(String key) {
    return mapping.entries().stream().anyMatch(entry -> entry.key().text().equals(key));
  }

  /** Says that a key must be there, when it is not. */
  public void require(String key, String mend) {
    if (!has(key)) {
      problems.add(mapping.place(), key + " is missing", mend);
    }
  }

  /** A mapping below this one. */
  public Optional<YamlFields> fields(String key) {
    Optional<YamlNode> value = any(key);
    if (value.isPresent() && value.get() instanceof YamlNode.Mapping below) {
      return Optional.of(new YamlFields(below, problems));
    }
    value.ifPresent(wrong -> wrongType(key, wrong, "write keys below it"));
    return Optional.empty();
  }

  /** A text. */
  public Optional<YamlNode.Scalar> scalar(String key) {
    return any(key).flatMap(value -> text(key, value));
  }

  /** A text. */
  public Optional<String> text(String key) {
    return scalar(key).map(YamlNode.Scalar::text);
  }

  /** {@code true} or {@code false}. */
  public Optional<Boolean> flag(String key) {
    Optional<YamlNode> value = any(key);
    if (value.isPresent()
        && value.get() instanceof YamlNode.Scalar(_, String text, YamlNode.Scalar.Type type)
        && type == YamlNode.Scalar.Type.BOOLEAN) {
      return Optional.of(Boolean.valueOf(text));
    }
    value.ifPresent(wrong -> wrongType(key, wrong, "write true or false"));
    return Optional.empty();
  }

  /** A whole number within bounds. */
  public Optional<Integer> integer(String key, int least, int most) {
    Optional<YamlNode> value = any(key);
    if (value.isEmpty()) {
      return Optional.empty();
    }
    String mend = "write a whole number from " + least + " to " + most;
    if (value.get() instanceof YamlNode.Scalar scalar && scalar.text().matches("-?[0-9]{1,9}")) {
      int number = Integer.parseInt(scalar.text());
      if (number >= least && number <= most) {
        return Optional.of(number);
      }
    }
    problems.add(value.get().place(), key + " is not such a number", mend);
    return Optional.empty();
  }

  /**
   * A text in a form of its own.
   *
   * @param parse empty where the text has another form
   * @param mend how to write it
   */
  public <T> Optional<T> parsed(String key, Function<String, Optional<T>> parse, String mend) {
    Optional<YamlNode.Scalar> scalar = scalar(key);
    Optional<T> value = scalar.flatMap(present -> parse.apply(present.text()));
    if (scalar.isPresent() && value.isEmpty()) {
      problems.add(
          scalar.get().place(), key + " cannot be '" + shown(scalar.get().text()) + "'", mend);
    }
    return value;
  }

  /** A list of texts; a single text counts as a list of one. */
  public Optional<List<YamlNode.Scalar>> texts(String key) {
    return any(key)
        .map(value -> {
          List<YamlNode> values =
              value instanceof YamlNode.Sequence(_, var several) ? several : List.of(value);
          List<YamlNode.Scalar> texts = new ArrayList<>();
          values.forEach(single -> text(key, single).ifPresent(texts::add));
          return texts;
        });
  }

  /** Reports every key that nobody asked for. */
  public void end() {
    for (YamlNode.Entry entry : left.values()) {
      String key = entry.key().text();
      problems.add(
          entry.key().place(),
          "unknown key " + shown(key),
          nearest(key)
              .map(near -> "did you mean " + near + "?")
              .orElse("known here: " + String.join(", ", asked)));
    }
  }

  private Optional<YamlNode.Scalar> text(String key, YamlNode value) {
    if (value instanceof YamlNode.Scalar scalar && scalar.type() == YamlNode.Scalar.Type.TEXT) {
      return Optional.of(scalar);
    }
    wrongType(
        key, value, value instanceof YamlNode.Scalar ? "put it in quotes" : "write a single text");
    return Optional.empty();
  }

  private void wrongType(String key, YamlNode value, String mend) {
    problems.add(value.place(), key + " is " + value.kind(), mend);
  }

  private Optional<String> nearest(String key) {
    return asked.stream().filter(known -> distance(known, key) <= 2).findFirst();
  }

  private static String shown(String text) {
    String line = text.replaceAll("\\p{Cntrl}", "?");
    return line.length() <= 60 ? line : line.substring(0, 57) + "...";
  }

  /** Levenshtein's edit distance. */
  private static int distance(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int same = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(same, Math.min(row[j], row[j - 1]) + 1);
      }
    }
    return row[b.length()];
  }
}
