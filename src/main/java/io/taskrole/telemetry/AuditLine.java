package io.taskrole.telemetry;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import java.io.IOException;
import java.io.OutputStream;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** Writes records as JSON lines (jsonlines.org): ASCII only, absent members left out. */
final class AuditLine {
  private static final JsonFactory FACTORY =
      new JsonFactoryBuilder()
          .enable(JsonWriteFeature.ESCAPE_NON_ASCII)
          .rootValueSeparator("\n")
          .build();

  private AuditLine() {}

  /** Begins to write lines to a stream; closing the generator closes the stream. */
  static JsonGenerator to(OutputStream out) throws IOException {
    return FACTORY.createGenerator(out);
  }

  /** Writes one record; a line feed is written before each but the first. */
  static void write(JsonGenerator json, AuditRecord record) throws IOException {
    json.writeStartObject();
    text(json, "time", record.time().toString());
    text(json, "outcome", record.outcome());
    text(json, "reason", record.reason());
    text(json, "allocation", record.allocation());
    text(json, "namespace", record.namespace());
    text(json, "job", record.job());
    text(json, "group", record.group());
    text(json, "task", record.task());
    text(json, "role", record.role());
    text(json, "sessionName", record.sessionName());
    text(json, "accessKeyId", record.accessKeyId());
    Instant expiration = record.expiration();
    text(json, "expiration", expiration == null ? null : expiration.toString());
    text(json, "stsRequestId", record.stsRequestId());
    text(json, "jti", record.jti());
    text(json, "attested", record.attested());
    text(json, "source", record.source());
    text(json, "requestId", record.requestId());
    json.writeNumberField("millis", record.millis());
    json.writeEndObject();
  }

  private static void text(JsonGenerator json, String name, @Nullable String value)
      throws IOException {
    if (value != null) {
      json.writeStringField(name, value);
    }
  }
}
