package io.taskrole.sts;

import io.taskrole.broker.CredentialSource.Exchange;
import io.taskrole.refusal.Reason;
import io.taskrole.refusal.Refusal;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.awscore.exception.AwsErrorDetails;
import software.amazon.awssdk.awscore.exception.AwsServiceException;

/**
 * What an error of STS means, by its code (STS API reference, AssumeRoleWithWebIdentity, "Errors",
 * and "Common errors"). Texts of STS are never passed on.
 */
final class StsErrors {
  private StsErrors() {}

  /** Classifies an answer of STS that is an error. */
  static Exchange classify(AwsServiceException error) {
    AwsErrorDetails details = error.awsErrorDetails();
    String code = details == null ? null : details.errorCode();
    if (error.statusCode() >= 500 || error.statusCode() == 429 || error.isThrottlingException()) {
      return failed(
          Reason.STS_UNAVAILABLE, "Wait and ask again: STS is overloaded or failing", code);
    }
    if (code == null || error.statusCode() < 400) {
      return failed(
          Reason.STS_UNAVAILABLE,
          "Operator: check sts.endpoint; what answers there (status "
              + error.statusCode()
              + ") is not an STS",
          null);
    }
    return switch (code) {
      case "AccessDenied", "AccessDeniedException" ->
          new Exchange.Denied(
              refusal(
                  Reason.ROLE_REFUSED,
                  "Operator: let the role's trust policy allow this issuer, sub and aud; or the role"
                      + " does not exist",
                  code));
      case "InvalidIdentityToken", "InvalidIdentityTokenException" -> invalidToken(details, code);
      case "ExpiredTokenException", "ExpiredToken" ->
          failed(
              Reason.TOKEN_REFUSED_BY_STS,
              "Wait for Nomad to renew the token file: to STS this token is expired or not yet valid",
              code);
      case "IDPRejectedClaim", "IDPRejectedClaimException" ->
          failed(
              Reason.TOKEN_REFUSED_BY_STS,
              "Operator: see why the identity provider rejects the token's claims",
              code);
      case "IDPCommunicationError", "IDPCommunicationErrorException" ->
          failed(
              Reason.STS_UNAVAILABLE,
              "Operator: make the issuer reachable for AWS; STS could not talk to it",
              code);
      case "RegionDisabledException" ->
          failed(
              Reason.ROLE_REFUSED,
              "Operator: activate STS in this Region for the role's account, or set another region",
              code);
      case "MalformedPolicyDocument", "MalformedPolicyDocumentException" ->
          failed(Reason.ROLE_REFUSED, "Operator: mend the rule's session-policy", code);
      case "PackedPolicyTooLarge", "PackedPolicyTooLargeException" ->
          failed(
              Reason.ROLE_REFUSED,
              "Operator: shorten the rule's session-policy and policy-arns; packed they are too large",
              code);
      case "ValidationError", "MissingParameter", "InvalidParameterValue" ->
          failed(
              Reason.ROLE_REFUSED,
              "Operator: check the rule's duration against the role's maximum session duration, and its"
                  + " role and policies",
              code);
      default -> failed(Reason.ROLE_REFUSED, "Operator: check the rule and sts.endpoint", code);
    };
  }

  /**
   * One code, two meanings: a token that is bad for ever, or keys that STS could not load just now.
   */
  private static Exchange invalidToken(AwsErrorDetails details, String code) {
    String message = details.errorMessage() == null ? "" : details.errorMessage();
    String lower = message.toLowerCase(Locale.ROOT);
    if (lower.contains("retrieve verification key") || lower.contains("jwks_uri")) {
      return failed(
          Reason.STS_UNAVAILABLE,
          "Operator: make the issuer's discovery and key set reachable for AWS; STS could not load the"
              + " keys",
          code);
    }
    return failed(
        Reason.TOKEN_REFUSED_BY_STS,
        "Operator: check the IAM OIDC provider of the role's account: issuer, audience, keys",
        code);
  }

  private static Exchange failed(Reason reason, String message, @Nullable String code) {
    return new Exchange.Failed(refusal(reason, message, code));
  }

  private static Refusal refusal(Reason reason, String message, @Nullable String code) {
    boolean isPlain = code != null && code.matches("[A-Za-z]{1,64}");
    return reason.refusal(message + (isPlain ? " (STS: " + code + ")." : "."));
  }
}
