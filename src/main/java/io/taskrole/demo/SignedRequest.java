package io.taskrole.demo;

import com.sun.net.httpserver.HttpExchange;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.http.SdkHttpFullRequest;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.http.auth.aws.signer.AwsV4HttpSigner;
import software.amazon.awssdk.http.auth.spi.signer.HttpSigner;
import software.amazon.awssdk.identity.spi.AwsSessionCredentialsIdentity;

/**
 * A request with an AWS Signature Version 4, verified by signing it again with the AWS SDK's own
 * signer.
 *
 * @param accessKeyId the key it claims to be signed with
 * @param scopeRegion the Region in the credential scope
 * @param request what was signed, without the signature
 * @param body what was sent
 * @param signedAt {@code X-Amz-Date}
 * @param authorization the header as it came
 */
record SignedRequest(
    String accessKeyId,
    String scopeRegion,
    SdkHttpRequest request,
    String body,
    Instant signedAt,
    String authorization) {
  private static final Pattern AUTHORIZATION =
      Pattern.compile(
          "AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)/[0-9]{8}/([a-z0-9-]+)/sts/aws4_request,"
              + " SignedHeaders=([a-z0-9;-]+), Signature=[0-9a-f]{64}");
  private static final DateTimeFormatter DATE =
      DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'", Locale.ROOT).withZone(ZoneOffset.UTC);

  /** A session that was issued; prints without its secrets. */
  static final class Session {
    private final String accessKeyId;
    private final byte[] signingKey;
    private final byte[] bearer;
    private final String arn;
    private final Instant expiration;

    Session(String accessKeyId, String signingKey, String bearer, String arn, Instant expiration) {
      this.accessKeyId = accessKeyId;
      this.signingKey = signingKey.getBytes(StandardCharsets.US_ASCII);
      this.bearer = bearer.getBytes(StandardCharsets.US_ASCII);
      this.arn = arn;
      this.expiration = expiration;
    }

    String accessKeyId() {
      return accessKeyId;
    }

    String secretKey() {
      return new String(signingKey, StandardCharsets.US_ASCII);
    }

    String sessionToken() {
      return new String(bearer, StandardCharsets.US_ASCII);
    }

    String arn() {
      return arn;
    }

    Instant expiration() {
      return expiration;
    }
  }

  /** Takes a request apart; empty when it is not signed, or not so that it could be verified. */
  static Optional<SignedRequest> read(HttpExchange exchange, URI endpoint, String body) {
    String authorization = exchange.getRequestHeaders().getFirst("Authorization");
    String date = exchange.getRequestHeaders().getFirst("X-Amz-Date");
    Matcher parts = AUTHORIZATION.matcher(authorization == null ? "" : authorization);
    if (!parts.matches() || date == null) {
      return Optional.empty();
    }
    SdkHttpFullRequest.Builder request =
        SdkHttpFullRequest.builder().method(SdkHttpMethod.POST).uri(endpoint.resolve("/"));
    for (String name : parts.group(3).split(";", -1)) {
      String value = exchange.getRequestHeaders().getFirst(name);
      if (value == null) {
        return Optional.empty();
      }
      request.putHeader(name, value);
    }
    try {
      return Optional.of(
          new SignedRequest(
              parts.group(1),
              parts.group(2),
              request.build(),
              body,
              DATE.parse(date, Instant::from),
              authorization == null ? "" : authorization));
    } catch (DateTimeParseException e) {
      return Optional.empty();
    }
  }

  /** The session whose secret signed this request; empty when none did. */
  Optional<Session> verifiedBy(Function<String, @Nullable Session> sessions) {
    Session session = sessions.apply(accessKeyId);
    return session != null && isSignedBy(session) ? Optional.of(session) : Optional.empty();
  }

  private boolean isSignedBy(Session session) {
    String again =
        AwsV4HttpSigner.create()
            .sign(sign ->
                sign.identity(
                        AwsSessionCredentialsIdentity.create(
                            session.accessKeyId(), session.secretKey(), session.sessionToken()))
                    .request(request)
                    .payload(ContentStreamProvider.fromUtf8String(body))
                    .putProperty(AwsV4HttpSigner.SERVICE_SIGNING_NAME, "sts")
                    .putProperty(AwsV4HttpSigner.REGION_NAME, scopeRegion)
                    .putProperty(HttpSigner.SIGNING_CLOCK, Clock.fixed(signedAt, ZoneOffset.UTC)))
            .request()
            .firstMatchingHeader("Authorization")
            .orElse("");
    return MessageDigest.isEqual(
        again.getBytes(StandardCharsets.US_ASCII),
        authorization.getBytes(StandardCharsets.US_ASCII));
  }
}
