package io.taskrole.identity;

import io.taskrole.time.TimeSource;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.DoubleSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Keeps the key set current: by long poll where the server speaks Nomad, by schedule elsewhere. The
 * set in force is swapped atomically; an outage, an empty set or garbage leaves the last good one
 * in force.
 *
 * <p>Safe for concurrent use. {@link #start()} follows on a virtual thread of its own until {@link
 * #close()}.
 */
public final class KeySetFollower implements Keys, AutoCloseable {
  private static final System.Logger LOG = System.getLogger(KeySetFollower.class.getName());

  private static final Duration WAIT = Duration.ofMinutes(5);

  /** A server that does not speak Nomad is asked no more and no less often than this. */
  private static final Duration LEAST_AGE = Duration.ofSeconds(30);

  private static final Duration MOST_AGE = Duration.ofHours(1);
  private static final Duration RELOAD_EVERY = Duration.ofSeconds(10);
  private static final Duration RELOAD_WITHIN = Duration.ofMillis(600);

  /**
   * A new key's first token may be here before the long poll's answer; a forged one may have had
   * the only reload meanwhile.
   */
  private static final Duration ARRIVES_WITHIN = Duration.ofMillis(300);

  /** What health and metrics show. */
  public record State(
      Optional<KeySet> keySet, Duration age, Optional<String> problem, long failures) {}

  private record Loaded(KeySet keySet, long atNanos) {}

  private final KeySetSource source;
  private final TimeSource time;
  private final DoubleSupplier jitter;
  private final Executor fetches;
  private final Consumer<KeySet> changed;
  private final CompletableFuture<@Nullable Void> first = new CompletableFuture<>();
  private final Object reloading = new Object();

  /** Completes when the next good set is in force. */
  private final AtomicReference<CompletableFuture<@Nullable Void>> arrival =
      new AtomicReference<>(new CompletableFuture<@Nullable Void>());

  private volatile @Nullable Loaded loaded;
  private volatile @Nullable String problem;
  private final AtomicLong failures = new AtomicLong();
  private volatile boolean closed;
  private @Nullable Thread thread;
  private @Nullable CompletableFuture<@Nullable Void> reload;
  private long reloadAllowedNanos;

  /**
   * Builds the follower; nothing is fetched yet.
   *
   * @param jitter numbers between 0 and 1 that spread retries
   * @param fetches runs a reload, which blocks its thread: virtual threads
   * @param changed told of every set that comes into force, on the fetching thread
   */
  public KeySetFollower(
      KeySetSource source,
      TimeSource time,
      DoubleSupplier jitter,
      Executor fetches,
      Consumer<KeySet> changed) {
    this.source = source;
    this.time = time;
    this.jitter = jitter;
    this.fetches = fetches;
    this.changed = changed;
    this.reloadAllowedNanos = time.nanos();
  }

  /** Begins to follow. */
  public synchronized void start() {
    thread = Thread.ofVirtual().name("key-set").start(this::follow);
  }

  /** Completes when the first good set is in force. */
  public CompletableFuture<@Nullable Void> firstLoaded() {
    return first;
  }

  @Override
  public @Nullable KeySet current() {
    Loaded now = loaded;
    return now == null ? null : now.keySet();
  }

  @Override
  public @Nullable KeySet reloaded() {
    CompletableFuture<@Nullable Void> awaited;
    Duration patience = RELOAD_WITHIN;
    synchronized (reloading) {
      if (reload != null) {
        awaited = reload;
      } else if (time.nanos() - reloadAllowedNanos < 0) {
        awaited = arrival.get();
        patience = ARRIVES_WITHIN;
      } else {
        reloadAllowedNanos = time.nanos() + RELOAD_EVERY.toNanos();
        awaited = new CompletableFuture<>();
        reload = awaited;
        fetches.execute(this::reloadOnce);
      }
    }
    try {
      awaited.get(patience.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (ExecutionException | TimeoutException e) {
      LOG.log(System.Logger.Level.DEBUG, "key set reload did not end in time");
    }
    return current();
  }

  /** What is known now. */
  public State state() {
    Loaded now = loaded;
    return new State(
        Optional.ofNullable(now).map(Loaded::keySet),
        now == null ? Duration.ZERO : Duration.ofNanos(time.nanos() - now.atNanos()),
        Optional.ofNullable(problem),
        failures.get());
  }

  @Override
  public synchronized void close() {
    closed = true;
    if (thread != null) {
      thread.interrupt();
    }
  }

  private void reloadOnce() {
    CompletableFuture<@Nullable Void> ended;
    try {
      accept(source.fetch(0, Duration.ZERO));
    } catch (IOException | RuntimeException | LinkageError e) {
      failed(e);
    } finally {
      synchronized (reloading) {
        ended = reload;
        reload = null;
      }
      if (ended != null) {
        ended.complete(null);
      }
    }
  }

  private void follow() {
    long index = 0;
    int failed = 0;
    while (!closed) {
      try {
        long begun = time.nanos();
        KeySetSource.Document document = source.fetch(index, WAIT);
        boolean good = accept(document);
        failed = good ? 0 : failed + 1;
        long next = document.index().orElse(0);
        // An index that fell means a restored or new cluster state: begin anew.
        boolean changedAtOnce = next > 0 && next == index && time.nanos() - begun < 1_000_000_000L;
        index = good && next >= index ? next : 0;
        if (!good || changedAtOnce) {
          time.sleep(pause(Math.max(1, failed)));
        } else if (next == 0) {
          time.sleep(age(document.maxAge()));
        }
      } catch (IOException | RuntimeException | LinkageError e) {
        index = 0;
        failed(e);
        try {
          time.sleep(pause(++failed));
        } catch (InterruptedException interrupted) {
          return;
        }
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  private boolean accept(KeySetSource.Document document) {
    Optional<KeySet> parsed = KeySet.parse(document.body());
    if (parsed.isEmpty()) {
      failures.incrementAndGet();
      trouble("the key server's answer holds no usable key set; the last good one stays");
      return false;
    }
    KeySet next = parsed.get();
    loaded = new Loaded(next, time.nanos());
    problem = next.problems().isEmpty() ? null : String.join("; ", next.problems());
    changed.accept(next);
    first.complete(null);
    arrival.getAndSet(new CompletableFuture<>()).complete(null);
    return true;
  }

  private void failed(Throwable e) {
    if (!closed) {
      failures.incrementAndGet();
      String cause = e instanceof IOException ? e.getMessage() : "a fault of ours";
      trouble("the key set cannot be fetched: " + cause + "; it is tried again");
    }
  }

  private void trouble(String text) {
    if (!text.equals(problem)) {
      LOG.log(System.Logger.Level.WARNING, text);
    }
    problem = text;
  }

  private static Duration age(Optional<Duration> maxAge) {
    Duration age = maxAge.orElse(Duration.ofMinutes(5));
    if (age.compareTo(LEAST_AGE) < 0) {
      return LEAST_AGE;
    }
    return age.compareTo(MOST_AGE) > 0 ? MOST_AGE : age;
  }

  /** Full jitter below 0.5 s, 1 s, 2 s … 30 s, at least 100 ms. */
  private Duration pause(int failed) {
    double ceiling = Math.min(30_000, 250L << Math.min(failed, 7));
    return Duration.ofMillis(Math.max(100, (long) (ceiling * jitter.getAsDouble())));
  }
}
