package io.taskrole.testing;

import io.taskrole.identity.KeySet;
import io.taskrole.identity.Keys;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** The key set that the test says; a reload brings what was set for it. */
public final class FixedKeys implements Keys {
  private volatile @Nullable KeySet current;
  private volatile @Nullable KeySet next;
  private int reloads;

  public static FixedKeys of(byte[] document) {
    FixedKeys keys = new FixedKeys();
    keys.current = KeySet.parse(document).orElseThrow();
    return keys;
  }

  public static FixedKeys of(String document) {
    return of(document.getBytes(StandardCharsets.UTF_8));
  }

  public static FixedKeys none() {
    return new FixedKeys();
  }

  /** Puts another set into force. */
  public void replace(String document) {
    current = KeySet.parse(document.getBytes(StandardCharsets.UTF_8)).orElseThrow();
  }

  /** What the next reload brings. */
  public void upstream(String document) {
    next = KeySet.parse(document.getBytes(StandardCharsets.UTF_8)).orElseThrow();
  }

  public int reloads() {
    return reloads;
  }

  @Override
  public @Nullable KeySet current() {
    return current;
  }

  @Override
  public @Nullable KeySet reloaded() {
    reloads++;
    if (next != null) {
      current = next;
    }
    return current;
  }
}
