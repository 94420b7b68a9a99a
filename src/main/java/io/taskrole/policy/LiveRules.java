package io.taskrole.policy;

import io.taskrole.time.TimeSource;
import io.taskrole.yaml.Problem;
import io.taskrole.yaml.Problems;
import io.taskrole.yaml.YamlDocument;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The rules in force, read again whenever the roles file's content changes, however it was changed:
 * rewritten in place, replaced by a rename, or behind a symbolic link that was turned. A good file
 * comes into force atomically; a bad, half-written or missing one changes nothing and is told once.
 *
 * <p>Safe for concurrent use. {@link #start()} watches on a virtual thread of its own until {@link
 * #close()}.
 */
public final class LiveRules implements RoleRules, AutoCloseable {
  private static final System.Logger LOG = System.getLogger(LiveRules.class.getName());

  /**
   * Content is compared, not times and inodes: it is the only thing that no way of writing fools.
   */
  private static final Duration LOOK_EVERY = Duration.ofMillis(500);

  /** A file that is being written is read when it has been the same for this long. */
  private static final Duration SETTLED = Duration.ofMillis(100);

  private static final int SETTLE_ATTEMPTS = 20;

  /** What is wrong with the roles file now, and since when. */
  public record Trouble(List<Problem> problems, Instant since) {}

  private final Path file;
  private final Region defaultRegion;
  private final TimeSource time;
  private final Runnable changed;
  private volatile Policy current;
  private volatile @Nullable Trouble trouble;
  private byte[] seen;
  private volatile @Nullable Thread thread;
  private volatile boolean closed;

  private LiveRules(
      Path file,
      Region defaultRegion,
      Policy policy,
      byte[] content,
      TimeSource time,
      Runnable changed) {
    this.file = file;
    this.defaultRegion = defaultRegion;
    this.current = policy;
    this.seen = content;
    this.time = time;
    this.changed = changed;
  }

  /**
   * Reads the file for the first time; empty when it cannot be used.
   *
   * @param problems takes what is wrong with it
   * @param changed called after other rules came into force, on the watching thread
   */
  public static Optional<LiveRules> load(
      Path file, Region defaultRegion, Problems problems, TimeSource time, Runnable changed) {
    try {
      byte[] content = YamlDocument.read(file);
      return RolesFile.parse(file.toString(), content, Optional.of(defaultRegion), problems)
          .map(policy -> new LiveRules(file, defaultRegion, policy, content, time, changed));
    } catch (IOException e) {
      RolesFile.unreadable(file, e, problems);
      return Optional.empty();
    }
  }

  /** Begins to watch the file. */
  public void start() {
    thread = Thread.ofVirtual().name("roles-file").start(this::watch);
  }

  @Override
  public Decision decide(Applicant applicant) {
    return current.decide(applicant);
  }

  /** Number of rules in force. */
  public int size() {
    return current.size();
  }

  /** Whether a rule in force asks for this level. */
  public boolean demands(AttestLevel level) {
    return current.demands(level);
  }

  /** What is wrong with the file, empty when it is what is in force. */
  public Optional<Trouble> trouble() {
    return Optional.ofNullable(trouble);
  }

  /**
   * Looks at the file now; for SIGHUP and for the watcher. Returns when the file's content is in
   * force or has been refused. Blocks for the reading.
   */
  public synchronized void reload() {
    try {
      byte[] content = settled();
      if (!Arrays.equals(content, seen)) {
        seen = content;
        take(content);
      }
    } catch (IOException e) {
      Problems problems = new Problems();
      RolesFile.unreadable(file, e, problems);
      if (seen.length > 0) {
        seen = new byte[0];
        refuse(problems);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    closed = true;
    Thread watching = thread;
    if (watching != null) {
      watching.interrupt();
    }
  }

  private void watch() {
    while (!closed) {
      try {
        time.sleep(LOOK_EVERY);
        reload();
      } catch (InterruptedException e) {
        return;
      } catch (RuntimeException | LinkageError e) {
        LOG.log(System.Logger.Level.ERROR, "the roles file could not be looked at", e);
      }
    }
  }

  private byte[] settled() throws IOException, InterruptedException {
    byte[] content = YamlDocument.read(file);
    for (int i = 0; i < SETTLE_ATTEMPTS && !Arrays.equals(content, seen); i++) {
      time.sleep(SETTLED);
      byte[] again = YamlDocument.read(file);
      if (Arrays.equals(content, again)) {
        return content;
      }
      content = again;
    }
    return content;
  }

  private void take(byte[] content) {
    Problems problems = new Problems();
    Optional<Policy> policy =
        RolesFile.parse(file.toString(), content, Optional.of(defaultRegion), problems);
    if (policy.isEmpty()) {
      refuse(problems);
      return;
    }
    current = policy.get();
    trouble = null;
    LOG.log(
        System.Logger.Level.INFO,
        "roles file read again: " + policy.get().size() + " rules in force");
    changed.run();
  }

  private void refuse(Problems problems) {
    trouble = new Trouble(problems.list(), time.instant());
    LOG.log(
        System.Logger.Level.WARNING,
        "the roles file is not taken, the last good rules stay in force");
    problems.list().forEach(problem -> LOG.log(System.Logger.Level.WARNING, problem.toString()));
  }
}
