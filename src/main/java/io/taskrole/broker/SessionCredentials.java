package io.taskrole.broker;

import io.taskrole.secret.Secret;
import java.time.Instant;
import java.util.Optional;

/**
 * Temporary credentials as STS issued them, checked for completeness by the source that fetched
 * them. Prints without its secrets.
 *
 * @param accessKeyId the public half, joins our audit log with CloudTrail
 * @param secretAccessKey the secret half
 * @param sessionToken the session token
 * @param expiration when AWS stops accepting them, as STS said
 * @param account the account that the session belongs to, 12 digits
 * @param stsRequestId the request id of the STS call, empty when the answer had none
 */
public record SessionCredentials(
    String accessKeyId,
    Secret secretAccessKey,
    Secret sessionToken,
    Instant expiration,
    String account,
    Optional<String> stsRequestId) {
  private static final Secret NONE = Secret.of("");

  /** What may be told: all but the secrets, which are empty. */
  SessionCredentials withoutSecrets() {
    return new SessionCredentials(accessKeyId, NONE, NONE, expiration, account, stsRequestId);
  }

  /** Overwrites both secrets with zeros. */
  void erase() {
    secretAccessKey.erase();
    sessionToken.erase();
  }
}
