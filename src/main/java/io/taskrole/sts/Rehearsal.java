package io.taskrole.sts;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import software.amazon.awssdk.http.AbortableInputStream;
import software.amazon.awssdk.http.ExecutableHttpRequest;
import software.amazon.awssdk.http.HttpExecuteRequest;
import software.amazon.awssdk.http.HttpExecuteResponse;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.SdkHttpResponse;
import software.amazon.awssdk.services.sts.model.AssumeRoleWithWebIdentityRequest;

/**
 * Stands for the network while the SDK is exercised: answers every call with credentials that are
 * none (STS API reference, AssumeRoleWithWebIdentity, sample response).
 */
final class Rehearsal implements SdkHttpClient {
  private static final byte[] ANSWER =
      """
      <AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
        <AssumeRoleWithWebIdentityResult>
          <Credentials>
            <AccessKeyId>rehearsal</AccessKeyId>
            <SecretAccessKey>rehearsal</SecretAccessKey>
            <SessionToken>rehearsal</SessionToken>
            <Expiration>2000-01-01T00:00:00Z</Expiration>
          </Credentials>
          <AssumedRoleUser>
            <AssumedRoleId>rehearsal</AssumedRoleId>
            <Arn>arn:aws:sts::000000000000:assumed-role/rehearsal/rehearsal</Arn>
          </AssumedRoleUser>
        </AssumeRoleWithWebIdentityResult>
        <ResponseMetadata><RequestId>rehearsal</RequestId></ResponseMetadata>
      </AssumeRoleWithWebIdentityResponse>
      """
          .getBytes(StandardCharsets.UTF_8);

  /** A request like every other. */
  static AssumeRoleWithWebIdentityRequest request() {
    return AssumeRoleWithWebIdentityRequest.builder()
        .roleArn("arn:aws:iam::000000000000:role/rehearsal")
        .roleSessionName("rehearsal")
        .webIdentityToken("rehearsal")
        .durationSeconds(3600)
        .build();
  }

  @Override
  public ExecutableHttpRequest prepareRequest(HttpExecuteRequest request) {
    return new ExecutableHttpRequest() {
      @Override
      public HttpExecuteResponse call() {
        return HttpExecuteResponse.builder()
            .response(
                SdkHttpResponse.builder()
                    .statusCode(200)
                    .putHeader("Content-Type", "text/xml")
                    .build())
            .responseBody(AbortableInputStream.create(new ByteArrayInputStream(ANSWER)))
            .build();
      }

      @Override
      public void abort() {}
    };
  }

  @Override
  public String clientName() {
    return "Rehearsal";
  }

  @Override
  public void close() {}
}
