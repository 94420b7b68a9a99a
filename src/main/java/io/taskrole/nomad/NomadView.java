package io.taskrole.nomad;

import io.taskrole.broker.PlacementConfig;
import io.taskrole.broker.Placements;
import io.taskrole.broker.Prefetched;
import io.taskrole.identity.AllocationId;
import io.taskrole.identity.BearerToken;
import io.taskrole.identity.HttpKeySetSource;
import io.taskrole.identity.KeySetSource;
import io.taskrole.time.TimeSource;
import java.net.URI;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.DoubleSupplier;
import org.jspecify.annotations.Nullable;

/**
 * What this node's Nomad agent says: the allocations that run here, kept current. Safe for
 * concurrent use.
 */
public final class NomadView implements AutoCloseable {
  /** What health and metrics show. */
  public record State(
      boolean isLoaded,
      int allocations,
      Duration age,
      Optional<String> problem,
      long failures,
      long lookUps) {}

  /** What the view tells of. */
  public interface Events {
    /** An allocation has ended; it is refused already. */
    void stopped(AllocationId allocation);

    /** A task's token file was written or renewed. Whose token it holds is still to be checked. */
    Prefetched tokenRead(AllocationId allocation, String task, BearerToken token);
  }

  private final AllocationFeed feed;
  private final @Nullable TokenFiles tokenFiles;
  private final Placements placements;

  /**
   * Builds the view; nothing is asked yet.
   *
   * @param audience of the identities whose token files are read, where that is configured
   * @param jitter numbers between 0 and 1 that spread retries
   * @param lookUps runs look-ups, each blocking its thread: virtual threads
   */
  public NomadView(
      NomadConfig config,
      PlacementConfig placement,
      String audience,
      TimeSource time,
      DoubleSupplier jitter,
      Executor lookUps,
      Events events) {
    this.tokenFiles =
        placement
            .prefetchFrom()
            .map(directory -> new TokenFiles(directory, audience, time, events::tokenRead))
            .orElse(null);
    this.feed =
        new AllocationFeed(
            known -> new AgentSource(config, known),
            time,
            jitter,
            lookUps,
            new AllocationFeed.Listener() {
              @Override
              public void stopped(AllocationId allocation) {
                events.stopped(allocation);
              }

              @Override
              public void changed(AllocationView view) {
                if (tokenFiles != null) {
                  tokenFiles.changed(view);
                }
              }
            });
    this.placements = new NomadPlacements(feed, placement.serveWithoutNomad(), time);
  }

  /** Begins to follow Nomad. */
  public void start() {
    feed.start();
    if (tokenFiles != null) {
      tokenFiles.start();
    }
  }

  /** Completes when the first view is in force. */
  public CompletableFuture<@Nullable Void> firstLoaded() {
    return feed.firstLoaded();
  }

  /** Judges tasks by the view. */
  public Placements placements() {
    return placements;
  }

  /** What is known now. */
  public State state() {
    AllocationFeed.State state = feed.state();
    return new State(
        state.view().isPresent(),
        state.view().map(AllocationView::live).orElse(0),
        state.age(),
        state.problem(),
        state.failures(),
        state.lookUps());
  }

  /** Where the key set comes from: an address of its own, or the agent itself. */
  public static KeySetSource keySet(NomadConfig config, URI uri) {
    return "unix".equals(uri.getScheme())
        ? new SocketKeySetSource(config)
        : new HttpKeySetSource(uri, config.tls().map(tls -> new NomadTls(tls)::socketFactory));
  }

  /** Stops following. */
  @Override
  public void close() {
    feed.close();
    if (tokenFiles != null) {
      tokenFiles.close();
    }
  }
}
