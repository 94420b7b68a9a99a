package io.taskrole.policy;

import java.util.Optional;

/**
 * What a rule says of one of a task's names: any, a prefix, or exactly one. The natural order puts
 * the more specific first: exact, longer prefix, shorter prefix, any.
 */
sealed interface NamePattern extends Comparable<NamePattern> {
  /** Every name. */
  record Any() implements NamePattern {
    @Override
    public boolean matches(String name) {
      return true;
    }
  }

  /** Every name that begins so. */
  record Prefix(String prefix) implements NamePattern {
    @Override
    public boolean matches(String name) {
      return name.startsWith(prefix);
    }
  }

  /** This name alone. */
  record Exact(String name) implements NamePattern {
    @Override
    public boolean matches(String other) {
      return name.equals(other);
    }
  }

  boolean matches(String name);

  /** Reads a value of {@code match}; empty when it is neither a name nor a prefix with one star. */
  static Optional<NamePattern> parse(String text) {
    int star = text.indexOf('*');
    if (text.isEmpty() || text.chars().anyMatch(Character::isISOControl)) {
      return Optional.empty();
    } else if (star < 0) {
      return Optional.of(new Exact(text));
    }
    return star > 0 && star == text.length() - 1
        ? Optional.of(new Prefix(text.substring(0, star)))
        : Optional.empty();
  }

  private int specificity() {
    return switch (this) {
      case Any _ -> 0;
      case Prefix(var prefix) -> prefix.length();
      case Exact _ -> Integer.MAX_VALUE;
    };
  }

  @Override
  default int compareTo(NamePattern other) {
    return Integer.compare(other.specificity(), specificity());
  }
}
