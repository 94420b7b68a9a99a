package io.taskrole.nomad;

import io.taskrole.broker.Prefetched;
import io.taskrole.identity.AllocationId;
import io.taskrole.identity.BearerToken;
import io.taskrole.nomad.Allocation.TokenFile;
import io.taskrole.time.TimeSource;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Reads the token files of this node's tasks as Nomad writes them: at an allocation's start, before
 * the task itself asks, and at every renewal, which rewrites the file in place. A file that is cut
 * is read again. The path is partly a job author's choice: only a regular file inside the task's
 * own directory is read, and whose token it is the taker has to check.
 *
 * <p>Safe for concurrent use. {@link #start()} reads on a virtual thread of its own until {@link
 * #close()}.
 */
final class TokenFiles implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(TokenFiles.class.getName());
  private static final Duration LOOK_EVERY = Duration.ofMillis(100);

  /**
   * Twenty exchanges a second: a node's cold start must not take STS from those who wait for it.
   */
  private static final Duration PACE = Duration.ofMillis(50);

  private static final int LARGEST = 16 * 1024;
  private static final Pattern TOKEN = Pattern.compile("[\\w-]+\\.[\\w-]+\\.[\\w-]+");

  /** Takes what was read. */
  interface Taker {
    Prefetched take(AllocationId allocation, String task, BearerToken token);
  }

  private record Watch(AllocationId allocation, String task, Path directory, Path file) {}

  private record Seen(FileTime modified, long size) {}

  private final Path allocations;
  private final String audience;
  private final TimeSource time;
  private final Taker taker;
  private final Map<Watch, Seen> seen = new HashMap<>();
  private final AtomicReference<@Nullable AllocationView> news = new AtomicReference<>();
  private @Nullable Thread thread;

  /**
   * Reads below this directory; nothing is read yet.
   *
   * @param allocations Nomad's {@code <data_dir>/alloc}
   * @param audience the one audience that an identity must have for its file to be read
   */
  TokenFiles(Path allocations, String audience, TimeSource time, Taker taker) {
    this.allocations = allocations;
    this.audience = audience;
    this.time = time;
    this.taker = taker;
  }

  /** Begins to read. */
  synchronized void start() {
    thread = Thread.ofVirtual().name("token-files").start(this::follow);
  }

  /** Reads the files of these allocations from now on. */
  void changed(AllocationView next) {
    news.set(next);
  }

  @Override
  public synchronized void close() {
    if (thread != null) {
      thread.interrupt();
    }
  }

  private void follow() {
    List<Watch> watches = List.of();
    while (!Thread.currentThread().isInterrupted()) {
      try {
        AllocationView now = news.getAndSet(null);
        if (now != null) {
          watches = watches(now);
          seen.keySet().retainAll(watches);
        }
        for (Watch watch : watches) {
          if (look(watch)) {
            time.sleep(PACE);
          }
        }
        time.sleep(LOOK_EVERY);
      } catch (InterruptedException e) {
        return;
      } catch (RuntimeException | LinkageError e) {
        LOG.log(System.Logger.Level.ERROR, "a token file could not be taken", e);
      }
    }
  }

  private List<Watch> watches(AllocationView now) {
    return now.allocations().values().stream()
        .filter(allocation -> !allocation.status().isTerminal())
        .flatMap(allocation ->
            allocation.tasks().entrySet().stream()
                .flatMap(task ->
                    task.getValue().tokenFiles().stream()
                        .filter(file -> file.audience().equals(List.of(audience)))
                        .map(file -> watch(allocation.id(), task.getKey(), file))))
        .toList();
  }

  private Watch watch(AllocationId allocation, String task, TokenFile file) {
    Path directory = allocations.resolve(allocation.value()).resolve(task);
    return new Watch(allocation, task, directory, directory.resolve(file.path()).normalize());
  }

  /** Reads a file that has changed; says whether that cost an exchange. */
  private boolean look(Watch watch) {
    try {
      BasicFileAttributes attributes =
          Files.readAttributes(watch.file(), BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
      Seen now = new Seen(attributes.lastModifiedTime(), attributes.size());
      if (now.equals(seen.get(watch))
          || !attributes.isRegularFile()
          || !watch.file().toRealPath().startsWith(watch.directory().toRealPath())) {
        return false;
      }
      String text;
      try (InputStream in = Files.newInputStream(watch.file(), LinkOption.NOFOLLOW_LINKS)) {
        text = new String(in.readNBytes(LARGEST), StandardCharsets.ISO_8859_1);
      }
      if (text.length() != now.size() || !TOKEN.matcher(text).matches()) {
        // Nomad is rewriting it: the next look reads it whole.
        return false;
      }
      Prefetched taken = taker.take(watch.allocation(), watch.task(), BearerToken.of(text));
      if (taken != Prefetched.LATER) {
        seen.put(watch, now);
      }
      return taken == Prefetched.BEGUN;
    } catch (IOException e) {
      // Not written yet, or gone with its allocation.
      return false;
    }
  }
}
