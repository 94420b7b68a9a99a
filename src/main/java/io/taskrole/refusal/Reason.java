package io.taskrole.refusal;

/**
 * Every reason for which a request is answered without credentials. The constant's {@link #code()}
 * is what the caller, the audit log, the metrics and {@code docs/reasons.md} show; it never changes
 * its meaning.
 */
public enum Reason {
  TOKEN_MISSING("TokenMissing", Lasting.PERMANENT),
  TOKEN_MALFORMED("TokenMalformed", Lasting.TRANSIENT),
  TOKEN_ALGORITHM_REFUSED("TokenAlgorithmRefused", Lasting.PERMANENT),
  TOKEN_HEADER_REFUSED("TokenHeaderRefused", Lasting.PERMANENT),
  TOKEN_KEY_UNKNOWN("TokenKeyUnknown", Lasting.PERMANENT),
  TOKEN_SIGNATURE_INVALID("TokenSignatureInvalid", Lasting.PERMANENT),
  TOKEN_EXPIRED("TokenExpired", Lasting.PERMANENT),
  TOKEN_NOT_YET_VALID("TokenNotYetValid", Lasting.PERMANENT),
  TOKEN_AUDIENCE_REFUSED("TokenAudienceRefused", Lasting.PERMANENT),
  TOKEN_ISSUER_REFUSED("TokenIssuerRefused", Lasting.PERMANENT),
  TOKEN_NOT_A_TASK("TokenNotATask", Lasting.PERMANENT),
  TOKEN_CLAIMS_INVALID("TokenClaimsInvalid", Lasting.PERMANENT),
  ALLOCATION_NOT_HERE("AllocationNotHere", Lasting.PERMANENT),
  ALLOCATION_STOPPED("AllocationStopped", Lasting.PERMANENT),
  TASK_STOPPED("TaskStopped", Lasting.PERMANENT),
  CALLER_NOT_ALLOCATION("CallerNotAllocation", Lasting.PERMANENT),
  NO_ROLE_FOR_TASK("NoRoleForTask", Lasting.PERMANENT),
  ROLE_REFUSED("RoleRefused", Lasting.PERMANENT),
  TOKEN_REFUSED_BY_STS("TokenRefusedBySts", Lasting.PERMANENT),
  EXCHANGE_PENDING("ExchangePending", Lasting.TRANSIENT),
  STS_UNAVAILABLE("StsUnavailable", Lasting.TRANSIENT),
  KEY_SET_UNAVAILABLE("KeySetUnavailable", Lasting.TRANSIENT),
  NOMAD_UNAVAILABLE("NomadUnavailable", Lasting.TRANSIENT),
  STARTING("Starting", Lasting.TRANSIENT),
  STOPPING("Stopping", Lasting.TRANSIENT),
  REQUEST_REFUSED("RequestRefused", Lasting.PERMANENT),
  BAD_REQUEST("BadRequest", Lasting.PERMANENT),
  METHOD_NOT_ALLOWED("MethodNotAllowed", Lasting.PERMANENT),
  HEADER_TOO_LARGE("HeaderTooLarge", Lasting.PERMANENT);

  /** Whether the same request may succeed later without anybody mending anything. */
  public enum Lasting {
    /** Asking again is useless until somebody acts. */
    PERMANENT,
    /** Asking again is right: the cause passes by itself. */
    TRANSIENT
  }

  private final String code;
  private final Lasting lasting;

  Reason(String code, Lasting lasting) {
    this.code = code;
    this.lasting = lasting;
  }

  /** The stable name, for example {@code NoRoleForTask}. */
  public String code() {
    return code;
  }

  /** Whether the cause passes by itself. */
  public boolean isTransient() {
    return lasting == Lasting.TRANSIENT;
  }

  /** A refusal for this reason; see {@link Refusal} for what the message owes its reader. */
  public Refusal refusal(String message) {
    return new Refusal(this, message);
  }
}
