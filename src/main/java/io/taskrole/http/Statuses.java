package io.taskrole.http;

import io.taskrole.refusal.Reason;

/** Which status code carries which reason: the one place where that is decided. */
final class Statuses {
  private Statuses() {}

  /**
   * The status of a refusal. Never 404, of which both Java SDKs replace the text, and never 429,
   * which is final for several SDKs; 503 for what passes by itself, since SDKs repeat that.
   */
  static int of(Reason reason) {
    return switch (reason) {
      case TOKEN_MISSING -> 401;
      case TOKEN_ALGORITHM_REFUSED,
          TOKEN_HEADER_REFUSED,
          TOKEN_KEY_UNKNOWN,
          TOKEN_SIGNATURE_INVALID,
          TOKEN_EXPIRED,
          TOKEN_NOT_YET_VALID,
          TOKEN_AUDIENCE_REFUSED,
          TOKEN_ISSUER_REFUSED,
          TOKEN_NOT_A_TASK,
          TOKEN_CLAIMS_INVALID,
          ALLOCATION_NOT_HERE,
          ALLOCATION_STOPPED,
          TASK_STOPPED,
          CALLER_NOT_ALLOCATION,
          NO_ROLE_FOR_TASK,
          ROLE_REFUSED,
          TOKEN_REFUSED_BY_STS,
          REQUEST_REFUSED ->
          403;
      case TOKEN_MALFORMED,
          EXCHANGE_PENDING,
          STS_UNAVAILABLE,
          KEY_SET_UNAVAILABLE,
          NOMAD_UNAVAILABLE,
          STARTING,
          STOPPING ->
          503;
      case BAD_REQUEST -> 400;
      case METHOD_NOT_ALLOWED -> 405;
      case HEADER_TOO_LARGE -> 431;
    };
  }
}
