package io.taskrole.broker;

import io.taskrole.identity.AllocationId;
import io.taskrole.policy.Grant;
import io.taskrole.policy.SessionName;
import io.taskrole.secret.Secret;
import java.time.Instant;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Credentials that are held for one task: what the answer needs, and what the audit line names. Its
 * secrets are overwritten a while after it is dropped. Two leases are equal only when they are one.
 *
 * <p>Safe for concurrent use.
 */
public final class Lease {
  /**
   * What a lease is held for. Never the token: a renewed token finds the same lease, and one
   * allocation's session is never another's.
   */
  public record Key(AllocationId allocation, String task, Grant grant) {
    /**
     * Leaves the grant out: a task has hardly ever two, and hashing all of it would cost each
     * request.
     */
    @Override
    public int hashCode() {
      return 31 * allocation.hashCode() + task.hashCode();
    }
  }

  private final Key key;
  private final SessionName session;
  private volatile SessionCredentials credentials;
  private final Instant obtainedAt;
  private final String expirationText;
  private volatile @Nullable Secret document;
  private volatile boolean erased;

  /**
   * Makes a lease.
   *
   * @param key whose lease it is
   * @param session the session name STS was given
   * @param credentials the credentials
   * @param obtainedAt when STS answered
   */
  public Lease(Key key, SessionName session, SessionCredentials credentials, Instant obtainedAt) {
    this.key = key;
    this.session = session;
    this.credentials = credentials;
    this.obtainedAt = obtainedAt;
    this.expirationText = credentials.expiration().toString();
  }

  public Key key() {
    return key;
  }

  public SessionName session() {
    return session;
  }

  /** The credentials; without their secrets once {@link #document} holds them. */
  public SessionCredentials credentials() {
    return credentials;
  }

  public Instant obtainedAt() {
    return obtainedAt;
  }

  /** When the credentials end, as every audit line of the lease says it. */
  String expirationText() {
    return expirationText;
  }

  /**
   * The lease as it is written to callers: encoded once, from then on the only copy of its secrets,
   * and erased with it. All callers must pass the same encoder.
   */
  public Secret document(Function<Lease, Secret> encoder) {
    Secret encoded = document;
    return encoded == null ? encode(encoder) : encoded;
  }

  private synchronized Secret encode(Function<Lease, Secret> encoder) {
    Secret encoded = document;
    if (encoded == null) {
      encoded = encoder.apply(this);
      document = encoded;
      SessionCredentials whole = credentials;
      credentials = whole.withoutSecrets();
      whole.erase();
    }
    return encoded;
  }

  /** Whether the secrets are gone: what was copied of them before this says no is whole. */
  public boolean isErased() {
    return erased;
  }

  /** Overwrites every secret with zeros. */
  synchronized void erase() {
    erased = true;
    credentials.erase();
    Secret encoded = document;
    if (encoded != null) {
      encoded.erase();
    }
  }
}
