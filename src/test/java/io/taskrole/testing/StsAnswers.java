package io.taskrole.testing;

import io.taskrole.time.TimeSource;
import java.time.Duration;
import java.time.temporal.ChronoUnit;

/** Answers of STS as bytes on the wire (STS API reference, shapes of AssumeRoleWithWebIdentity). */
public final class StsAnswers {
  private static final String NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/";

  private StsAnswers() {}

  /** A time from now as STS writes it. */
  public static String in(Duration time) {
    return TimeSource.system().instant().plus(time).truncatedTo(ChronoUnit.SECONDS).toString();
  }

  public static String issued(
      String key, String secret, String session, String expiration, String arn) {
    return ok(issuedXml(key, secret, session, expiration, arn));
  }

  public static String issuedXml(
      String key, String secret, String session, String expiration, String arn) {
    return "<AssumeRoleWithWebIdentityResponse xmlns=\""
        + NAMESPACE
        + "\"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>"
        + key
        + "</AccessKeyId><SecretAccessKey>"
        + secret
        + "</SecretAccessKey><SessionToken>"
        + session
        + "</SessionToken><Expiration>"
        + expiration
        + "</Expiration></Credentials>"
        + (arn.isEmpty()
            ? ""
            : "<AssumedRoleUser><AssumedRoleId>AROA:x</AssumedRoleId><Arn>"
                + arn
                + "</Arn></AssumedRoleUser>")
        + "</AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>request-1</RequestId>"
        + "</ResponseMetadata></AssumeRoleWithWebIdentityResponse>";
  }

  public static String ok(String xml) {
    return answer(200, xml);
  }

  public static String error(int status, String code, String message) {
    return answer(
        status,
        "<ErrorResponse xmlns=\""
            + NAMESPACE
            + "\"><Error><Type>Sender</Type><Code>"
            + code
            + "</Code><Message>"
            + message
            + "</Message></Error><RequestId>request-2</RequestId></ErrorResponse>");
  }

  private static String answer(int status, String body) {
    return "HTTP/1.1 "
        + status
        + " X\r\nContent-Type: text/xml\r\nContent-Length: "
        + body.length()
        + "\r\nConnection: close\r\n\r\n"
        + body;
  }
}
