package io.taskrole.http;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import io.taskrole.broker.Lease;
import io.taskrole.broker.SessionCredentials;
import io.taskrole.refusal.Refusal;
import io.taskrole.secret.Secret;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;

/**
 * The bodies that the AWS SDKs read: the credentials document of the container credentials
 * protocol, and the error document. ASCII only, string members only, exactly the members that every
 * SDK accepts.
 */
final class EcsDocument {
  /**
   * How much earlier than the truth the expiration is told, for SDKs that use credentials to the
   * very end. Must stay below the least remaining life that is served (30 s), or the time told
   * would be past.
   */
  static final Duration EARLY = Duration.ofSeconds(25);

  private static final JsonFactory FACTORY =
      JsonFactory.builder().enable(JsonWriteFeature.ESCAPE_NON_ASCII).build();

  private EcsDocument() {}

  /** The answer with a lease's credentials. */
  static Secret encode(Lease lease) {
    SessionCredentials credentials = lease.credentials();
    var out = new Wipeable();
    try (JsonGenerator json = FACTORY.createGenerator(out)) {
      json.writeStartObject();
      json.writeStringField("AccessKeyId", credentials.accessKeyId());
      json.writeStringField("SecretAccessKey", credentials.secretAccessKey().revealText());
      json.writeStringField("Token", credentials.sessionToken().revealText());
      json.writeStringField("AccountId", credentials.account());
      json.writeStringField("RoleArn", lease.key().grant().role().value());
      // Whole seconds and a Z: a fraction makes some SDKs keep credentials for ever, others fail.
      json.writeStringField(
          "Expiration",
          credentials.expiration().minus(EARLY).truncatedTo(ChronoUnit.SECONDS).toString());
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toSecret();
  }

  /**
   * The answer with a refusal: each member in both spellings, since SDKs differ in which they read.
   */
  static byte[] encode(Refusal refusal, String requestId) {
    var out = new ByteArrayOutputStream(512);
    try (JsonGenerator json = FACTORY.createGenerator(out)) {
      json.writeStartObject();
      json.writeStringField("code", refusal.reason().code());
      json.writeStringField("message", refusal.message());
      json.writeStringField("Code", refusal.reason().code());
      json.writeStringField("Message", refusal.message());
      json.writeStringField("requestId", requestId);
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  /** Leaves no copy of what was written. */
  private static final class Wipeable extends ByteArrayOutputStream {
    Wipeable() {
      super(4096);
    }

    Secret toSecret() {
      Secret secret = Secret.taking(Arrays.copyOf(buf, count));
      Arrays.fill(buf, (byte) 0);
      return secret;
    }
  }
}
