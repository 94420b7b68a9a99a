package io.taskrole.cli;

import java.security.Security;

/**
 * How long this process keeps what a name server said: STS and Nomad are asked for by name, and an
 * outage of DNS must not become one of theirs.
 */
final class NameCache {
  /**
   * Seconds for which a known address is used on while the name server fails; it is asked again
   * each half minute meanwhile. Longer than most outages, shorter than an address of STS lives.
   */
  private static final String STALE = "3600";

  /** Seconds until a name that was not known is asked for again. Java's own are ten. */
  private static final String UNKNOWN = "1";

  private NameCache() {}

  /** Sets both for this process; without effect once a name has been looked up. */
  static void outlivesTheNameServer() {
    Security.setProperty("networkaddress.cache.stale.ttl", STALE);
    Security.setProperty("networkaddress.cache.negative.ttl", UNKNOWN);
  }
}
