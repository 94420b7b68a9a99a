package io.taskrole.identity;

import org.jspecify.annotations.Nullable;

/** The issuer's keys as they are known now. Safe for concurrent use. */
public interface Keys {
  /** The key set in force, null while none was ever loaded. Never blocks. */
  @Nullable KeySet current();

  /**
   * The key set after a reload, for a token whose key is not in {@link #current()}. Bounded in time
   * and in number: most calls return what is known. Blocks for at most a fraction of {@code
   * answer-within}.
   */
  @Nullable KeySet reloaded();
}
