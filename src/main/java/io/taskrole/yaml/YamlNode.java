package io.taskrole.yaml;

import java.util.List;

/** A value of a YAML document, with its place. Immutable. */
public sealed interface YamlNode {
  /** Where the value begins. */
  Place place();

  /** What a reader would call this kind of value, for messages. */
  default String kind() {
    return switch (this) {
      case Mapping _ -> "a mapping";
      case Sequence _ -> "a list";
      case Scalar scalar ->
          switch (scalar.type()) {
            case TEXT -> "text";
            case NUMBER -> "a number";
            case BOOLEAN -> "true or false";
            case NOTHING -> "empty";
          };
    };
  }

  /** Keys and values in the order of the file; no key twice. */
  record Mapping(Place place, List<Entry> entries) implements YamlNode {
    public Mapping {
      entries = List.copyOf(entries);
    }
  }

  /** One key of a mapping and its value. */
  record Entry(Scalar key, YamlNode value) {}

  /** Values in order. */
  record Sequence(Place place, List<YamlNode> values) implements YamlNode {
    public Sequence {
      values = List.copyOf(values);
    }
  }

  /**
   * A single value: its text, and what YAML's JSON schema (YAML 1.2.2 section 10.2) takes it for.
   */
  record Scalar(Place place, String text, Type type) implements YamlNode {
    /** What a single value is. */
    public enum Type {
      TEXT,
      NUMBER,
      BOOLEAN,
      NOTHING
    }
  }
}
