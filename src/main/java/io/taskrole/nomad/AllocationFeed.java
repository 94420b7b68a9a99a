package io.taskrole.nomad;

import io.taskrole.identity.AllocationId;
import io.taskrole.nomad.AllocationSource.Listing;
import io.taskrole.time.TimeSource;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.DoubleSupplier;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Keeps the view of this node's allocations current by blocking queries; an outage leaves the last
 * view in force. What has ended stays ended, whatever an older answer says.
 *
 * <p>Safe for concurrent use. {@link #start()} follows on a virtual thread of its own until {@link
 * #close()}.
 */
final class AllocationFeed implements AllocationFilter.Known, AutoCloseable {
  private static final System.Logger LOG = System.getLogger(AllocationFeed.class.getName());

  /** Between two lists, to gather what happens together. */
  private static final Duration PAUSE = Duration.ofMillis(50);

  /**
   * Added to the pause for each byte of the last list: however busy a full node is, reading about
   * it takes a few hundredths of a core. What changes after a quiet time is heard at once.
   */
  private static final Duration PAUSE_PER_BYTE = Duration.ofNanos(150);

  /** A stop must be known within a second, and reading a long list takes a third of that. */
  private static final Duration LONGEST_PAUSE = Duration.ofMillis(300);

  /** Between two look-ups out of turn, each of the whole node's list. */
  private static final Duration LOOK_UP_EVERY = Duration.ofMillis(250);

  /** What happens to allocations, told on the feed's thread after the view has changed. */
  interface Listener {
    /** An allocation has ended, or is not this node's any more. */
    void stopped(AllocationId allocation);

    /** Another view is in force. */
    void changed(AllocationView view);
  }

  /** What health and metrics show. */
  record State(
      Optional<AllocationView> view,
      Duration age,
      Optional<String> problem,
      long failures,
      long lookUps) {}

  private final AllocationSource source;
  private final TimeSource time;
  private final DoubleSupplier jitter;
  private final Executor lookUps;
  private final Listener listener;
  private final CompletableFuture<@Nullable Void> first = new CompletableFuture<>();
  private final AtomicLong failures = new AtomicLong();
  private final AtomicLong looked = new AtomicLong();
  private final Object lookingUp = new Object();

  private volatile @Nullable AllocationView view;
  private volatile long heardNanos;
  private volatile boolean rereads = true;
  private volatile @Nullable String problem;
  private volatile boolean closed;
  private @Nullable Thread thread;
  private @Nullable CompletableFuture<Boolean> running;
  private @Nullable CompletableFuture<Boolean> next;
  private long lookUpAllowedNanos;

  /**
   * Builds the feed; nothing is asked yet.
   *
   * @param source makes the source, given what is known of it already
   * @param jitter numbers between 0 and 1 that spread retries
   * @param lookUps runs look-ups, each blocking its thread: virtual threads
   */
  AllocationFeed(
      Function<AllocationFilter.Known, AllocationSource> source,
      TimeSource time,
      DoubleSupplier jitter,
      Executor lookUps,
      Listener listener) {
    this.source = source.apply(this);
    this.time = time;
    this.jitter = jitter;
    this.lookUps = lookUps;
    this.listener = listener;
    this.lookUpAllowedNanos = time.nanos();
  }

  /** Begins to follow. */
  synchronized void start() {
    thread = Thread.ofVirtual().name("allocations").start(this::follow);
  }

  /** Completes when the first view is in force. */
  CompletableFuture<@Nullable Void> firstLoaded() {
    return first;
  }

  /** The view in force, null before the first. Never blocks. */
  @Nullable AllocationView current() {
    return view;
  }

  /** How long ago Nomad last answered; meaningless before the first view. */
  Duration age() {
    return Duration.ofNanos(time.nanos() - heardNanos);
  }

  /** What is known now. */
  State state() {
    AllocationView now = view;
    return new State(
        Optional.ofNullable(now),
        now == null ? Duration.ZERO : age(),
        Optional.ofNullable(problem),
        failures.get(),
        looked.get());
  }

  @Override
  public boolean is(String id, long modifyIndex) {
    AllocationView now = view;
    if (rereads || now == null) {
      return false;
    }
    Optional<Allocation> known = AllocationId.parse(id).map(now::get);
    return known.isPresent() && known.get().modifyIndex() == modifyIndex;
  }

  /**
   * Asks Nomad out of turn, together with everybody who asks meanwhile, at most four times a
   * second. Blocks until an answer that was asked for after this call has come, {@code
   * deadlineNanos} at most.
   *
   * @return whether there was such an answer
   */
  boolean lookUp(long deadlineNanos) {
    CompletableFuture<Boolean> mine;
    synchronized (lookingUp) {
      if (running == null) {
        mine = new CompletableFuture<>();
        running = mine;
        CompletableFuture<Boolean> begun = mine;
        lookUps.execute(() -> lookUpNow(begun));
      } else {
        // The one under way may have been answered before the caller's allocation came to be.
        if (next == null) {
          next = new CompletableFuture<>();
        }
        mine = next;
      }
    }
    try {
      return mine.get(deadlineNanos - time.nanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    } catch (ExecutionException | TimeoutException e) {
      return false;
    }
  }

  private void lookUpNow(CompletableFuture<Boolean> asked) {
    boolean answered = false;
    try {
      long wait = lookUpAllowedNanos - time.nanos();
      time.sleep(Duration.ofNanos(Math.max(0, wait)));
      looked.incrementAndGet();
      lookUpAllowedNanos = time.nanos() + LOOK_UP_EVERY.toNanos();
      answered = publish(source.list(0, Duration.ZERO), false);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (IOException | RuntimeException | LinkageError e) {
      failed(e);
    } finally {
      CompletableFuture<Boolean> follower;
      synchronized (lookingUp) {
        follower = next;
        running = follower;
        next = null;
      }
      asked.complete(answered);
      if (follower != null) {
        lookUps.execute(() -> lookUpNow(follower));
      }
    }
  }

  @Override
  public synchronized void close() {
    closed = true;
    if (thread != null) {
      thread.interrupt();
    }
    if (source instanceof AutoCloseable closeable) {
      try {
        closeable.close();
      } catch (Exception e) {
        LOG.log(System.Logger.Level.DEBUG, "a client did not close cleanly");
      }
    }
  }

  private void follow() {
    long index = 0;
    int failed = 0;
    while (!closed) {
      try {
        Listing listing = source.list(index, AgentSource.HOLD);
        boolean fell = listing.index() < index;
        // An index that fell means a restored cluster: nothing of the old one may be taken over.
        rereads = fell;
        if (!fell) {
          publish(listing, index == 0);
        }
        index = fell ? 0 : listing.index();
        failed = 0;
        time.sleep(pauseAfter(listing));
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

  /**
   * Puts an answer in force unless a later one is.
   *
   * @param anew whether the answer begins a new series of indexes
   * @return whether the view in force is now at least as new as the answer
   */
  private boolean publish(Listing listing, boolean anew) {
    AllocationView after;
    List<AllocationId> stopped = new ArrayList<>();
    synchronized (this) {
      AllocationView before = view;
      heardNanos = time.nanos();
      problem = null;
      if (before != null && listing.index() < before.index() && !anew) {
        return false;
      }
      after = new AllocationView(merge(before, listing), listing.index(), heardNanos);
      if (before != null) {
        for (Allocation old : before.allocations().values()) {
          Allocation now = after.get(old.id());
          if (!old.status().isTerminal() && (now == null || now.status().isTerminal())) {
            stopped.add(old.id());
          }
        }
      }
      view = after;
    }
    stopped.forEach(listener::stopped);
    listener.changed(after);
    first.complete(null);
    return true;
  }

  private static Map<AllocationId, Allocation> merge(
      @Nullable AllocationView before, Listing listing) {
    Map<AllocationId, Allocation> merged = new HashMap<>();
    for (AllocationId id : listing.unchanged()) {
      Allocation known = before == null ? null : before.get(id);
      if (known != null) {
        merged.put(id, known);
      }
    }
    for (Allocation allocation : listing.changed()) {
      Allocation known = before == null ? null : before.get(allocation.id());
      merged.put(
          allocation.id(),
          known != null && known.status().isFinal() ? allocation.with(known.status()) : allocation);
    }
    return merged;
  }

  private static Duration pauseAfter(Listing listing) {
    Duration pause = PAUSE.plus(PAUSE_PER_BYTE.multipliedBy(listing.length()));
    return pause.compareTo(LONGEST_PAUSE) > 0 ? LONGEST_PAUSE : pause;
  }

  private void failed(Throwable e) {
    if (closed) {
      return;
    }
    failures.incrementAndGet();
    String text =
        (e instanceof IOException ? e.getMessage() : "a fault of ours") + "; it is tried again";
    if (!text.equals(problem)) {
      LOG.log(System.Logger.Level.WARNING, "Nomad: " + text);
    }
    problem = text;
  }

  /** Full jitter below 0.5 s, 1 s, 2 s, 4 s, at least 100 ms. */
  private Duration pause(int failed) {
    double ceiling = Math.min(4_000, 250L << Math.min(failed, 4));
    return Duration.ofMillis(Math.max(100, (long) (ceiling * jitter.getAsDouble())));
  }
}
