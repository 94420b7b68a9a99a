package io.taskrole.broker;

import io.taskrole.identity.Workload;
import io.taskrole.identity.WorkloadIdentity;
import io.taskrole.policy.AttestLevel;
import io.taskrole.policy.Grant;
import io.taskrole.policy.SessionName;
import io.taskrole.telemetry.AuditRecord;
import io.taskrole.time.TimeSource;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** What one request has shown so far, for its audit line. For one thread. */
final class Trail {
  private final Caller caller;
  private @Nullable WorkloadIdentity identity;
  private @Nullable Workload workload;
  private @Nullable AttestLevel attested;
  private @Nullable Grant grant;

  Trail(Caller caller) {
    this.caller = caller;
  }

  WorkloadIdentity verified(WorkloadIdentity identity) {
    this.identity = identity;
    this.workload = identity.workload();
    return identity;
  }

  void placed(Placement placement) {
    this.workload = placement.workload();
  }

  void attested(AttestLevel level) {
    this.attested = level;
  }

  void granted(Grant grant) {
    this.grant = grant;
  }

  AuditRecord record(Outcome outcome, TimeSource time) {
    Lease lease = outcome instanceof Outcome.Issued(var issued) ? issued : null;
    SessionCredentials credentials = lease == null ? null : lease.credentials();
    Instant now = time.instant();
    return new AuditRecord(
        now,
        lease == null ? "refused" : "issued",
        outcome instanceof Outcome.Refused(var refusal) ? refusal.reason().code() : null,
        identity == null ? null : identity.allocation().value(),
        workload == null ? null : workload.namespace(),
        workload == null ? null : workload.job(),
        workload == null ? null : workload.group(),
        workload == null ? null : workload.task(),
        grant == null ? null : grant.role().value(),
        sessionName(lease),
        credentials == null ? null : credentials.accessKeyId(),
        lease == null ? null : lease.expirationText(),
        credentials == null ? null : credentials.stsRequestId().orElse(null),
        identity == null ? null : identity.tokenId().orElse(null),
        attested == null ? null : attested.label(),
        caller.connection().remote().getAddress().getHostAddress(),
        caller.requestId(),
        (time.nanos() - caller.arrivedNanos()) / 1_000_000);
  }

  private @Nullable String sessionName(@Nullable Lease lease) {
    if (lease != null) {
      return lease.session().value();
    }
    return identity == null || workload == null || grant == null
        ? null
        : SessionName.of(identity.allocation(), workload.task()).value();
  }
}
