package io.taskrole.policy;

import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;

/** How strongly a connection is tied to an allocation; later constants prove more. */
public enum AttestLevel {
  /** The token alone: whoever holds it may use it. */
  BEARER,
  /** The source address is the one that Nomad gave the allocation. */
  ADDRESS,
  /** The kernel names the cgroup or network namespace of the caller, and it is the allocation's. */
  KERNEL;

  private final String label = name().toLowerCase(Locale.ROOT);

  /** Reads a label. */
  public static Optional<AttestLevel> parse(String text) {
    return Stream.of(values()).filter(level -> level.label.equals(text)).findFirst();
  }

  /** Its name in configuration, rules and audit lines. */
  public String label() {
    return label;
  }
}
