package io.taskrole.broker;

import io.taskrole.policy.AttestLevel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * What is asked of the task behind a token.
 *
 * @param attest what must be proven of every connection; a rule may ask for more
 * @param serveWithoutNomad how long the last known view stands while Nomad cannot be reached; empty
 *     means for ever
 * @param servesExpired whether an expired but genuine token of a running task gets the lease that
 *     exists
 * @param prefetchFrom Nomad's directory of allocations, when token files are read ahead of the
 *     tasks' first requests
 */
public record PlacementConfig(
    AttestLevel attest,
    Optional<Duration> serveWithoutNomad,
    boolean servesExpired,
    Optional<Path> prefetchFrom) {
  /** What holds when nothing is configured. */
  public static final PlacementConfig STANDARD =
      new PlacementConfig(AttestLevel.BEARER, Optional.empty(), false, Optional.empty());
}
