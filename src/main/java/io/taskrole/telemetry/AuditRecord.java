package io.taskrole.telemetry;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * One decision, as the audit log keeps it. Absent members are null here and absent in the line.
 * Holds no token and no secret.
 *
 * @param time when the decision was made
 * @param outcome {@code issued} or {@code refused}
 * @param reason the refusal's code
 * @param expiration when the credentials end, ISO 8601
 * @param attested the attestation level reached
 * @param source the caller's address
 * @param millis from the request's arrival to the decision
 */
public record AuditRecord(
    Instant time,
    String outcome,
    @Nullable String reason,
    @Nullable String allocation,
    @Nullable String namespace,
    @Nullable String job,
    @Nullable String group,
    @Nullable String task,
    @Nullable String role,
    @Nullable String sessionName,
    @Nullable String accessKeyId,
    @Nullable String expiration,
    @Nullable String stsRequestId,
    @Nullable String jti,
    @Nullable String attested,
    String source,
    String requestId,
    long millis) {
  /** A refusal before anything is known of the caller but its address. */
  public static AuditRecord refusedEarly(
      Instant time, String reason, String source, String requestId, long millis) {
    return new AuditRecord(
        time, "refused", reason, null, null, null, null, null, null, null, null, null, null, null,
        null, source, requestId, millis);
  }
}
