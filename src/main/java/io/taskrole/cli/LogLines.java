package io.taskrole.cli;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.temporal.ChronoUnit;
import java.util.Locale;
import java.util.logging.ConsoleHandler;
import java.util.logging.Formatter;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogManager;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * The log as an operator reads it, on standard error: one line each, control characters escaped,
 * and of an exception its class alone, since its text may quote what a caller sent.
 */
final class LogLines extends Formatter {
  private static final Logger OURS = Logger.getLogger("io.taskrole");
  private static final int PACKAGE = "io.taskrole.".length();

  private final boolean debug;

  private LogLines(boolean debug) {
    this.debug = debug;
  }

  /** Makes every logger of this process write so. */
  static void install(boolean debug) {
    LogManager.getLogManager().reset();
    Handler handler = new ConsoleHandler();
    handler.setFormatter(new LogLines(debug));
    handler.setLevel(Level.ALL);
    Logger root = Logger.getLogger("");
    root.setLevel(Level.WARNING);
    root.addHandler(handler);
    OURS.setLevel(debug ? Level.FINE : Level.INFO);
  }

  @Override
  public String format(LogRecord entry) {
    Throwable thrown = entry.getThrown();
    String line =
        entry.getInstant().truncatedTo(ChronoUnit.MILLIS)
            + " "
            + level(entry.getLevel())
            + " "
            + source(entry.getLoggerName())
            + ": "
            + escape(formatMessage(entry))
            + (thrown == null ? "" : " (" + thrown.getClass().getSimpleName() + ")")
            + System.lineSeparator();
    return debug && thrown != null ? line + stackTrace(thrown) : line;
  }

  static String stackTrace(Throwable thrown) {
    StringWriter text = new StringWriter();
    try (PrintWriter writer = new PrintWriter(text)) {
      for (Throwable cause = thrown; cause != null; cause = cause.getCause()) {
        writer.println("  " + cause.getClass().getName());
        for (StackTraceElement frame : cause.getStackTrace()) {
          writer.println("    at " + frame);
        }
      }
    }
    return text.toString();
  }

  private static String level(Level level) {
    if (level.intValue() >= Level.SEVERE.intValue()) {
      return "ERROR";
    } else if (level.intValue() >= Level.WARNING.intValue()) {
      return "WARN";
    }
    return level.intValue() >= Level.INFO.intValue() ? "INFO" : "DEBUG";
  }

  private static String source(@Nullable String logger) {
    if (logger == null) {
      return "taskrole";
    }
    return logger.startsWith("io.taskrole.") ? logger.substring(PACKAGE) : logger;
  }

  private static String escape(String text) {
    StringBuilder line = new StringBuilder(text.length());
    text.codePoints()
        .forEach(c -> {
          if (Character.isISOControl(c) || Character.getType(c) == Character.FORMAT) {
            line.append(String.format(Locale.ROOT, "\\u%04x", c));
          } else {
            line.appendCodePoint(c);
          }
        });
    return line.toString();
  }
}
