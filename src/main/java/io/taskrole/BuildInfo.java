package io.taskrole;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;

/**
 * What was built.
 *
 * @param version the version of the project
 * @param commit the commit it was built from, {@code unknown} outside a checkout
 */
public record BuildInfo(String version, String commit) {
  /** Reads what the build wrote into the jar. */
  public static BuildInfo read() {
    Properties properties = new Properties();
    try (InputStream file = BuildInfo.class.getResourceAsStream("build.properties")) {
      if (file != null) {
        properties.load(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return new BuildInfo(
        properties.getProperty("git.build.version", "unknown"),
        properties.getProperty("git.commit.id.abbrev", "unknown"));
  }
}
