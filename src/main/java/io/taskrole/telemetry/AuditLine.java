package io.taskrole.telemetry;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.SerializableString;
import com.fasterxml.jackson.core.io.SerializedString;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import java.io.IOException;
import java.io.OutputStream;
import org.jspecify.annotations.Nullable;

/** Writes records as JSON lines (jsonlines.org): ASCII only, absent members left out. */
final class AuditLine {
  private static final JsonFactory FACTORY =
      new JsonFactoryBuilder()
          .enable(JsonWriteFeature.ESCAPE_NON_ASCII)
          .rootValueSeparator("\n")
          .build();

  // Encoded once: names are a third of a line.
  private static final SerializableString TIME = new SerializedString("time");
  private static final SerializableString OUTCOME = new SerializedString("outcome");
  private static final SerializableString REASON = new SerializedString("reason");
  private static final SerializableString ALLOCATION = new SerializedString("allocation");
  private static final SerializableString NAMESPACE = new SerializedString("namespace");
  private static final SerializableString JOB = new SerializedString("job");
  private static final SerializableString GROUP = new SerializedString("group");
  private static final SerializableString TASK = new SerializedString("task");
  private static final SerializableString ROLE = new SerializedString("role");
  private static final SerializableString SESSION_NAME = new SerializedString("sessionName");
  private static final SerializableString ACCESS_KEY_ID = new SerializedString("accessKeyId");
  private static final SerializableString EXPIRATION = new SerializedString("expiration");
  private static final SerializableString STS_REQUEST_ID = new SerializedString("stsRequestId");
  private static final SerializableString JTI = new SerializedString("jti");
  private static final SerializableString ATTESTED = new SerializedString("attested");
  private static final SerializableString SOURCE = new SerializedString("source");
  private static final SerializableString REQUEST_ID = new SerializedString("requestId");
  private static final SerializableString MILLIS = new SerializedString("millis");

  private AuditLine() {}

  /** Begins to write lines to a stream; closing the generator closes the stream. */
  static JsonGenerator to(OutputStream out) throws IOException {
    return FACTORY.createGenerator(out);
  }

  /** Writes one record; a line feed is written before each but the first. */
  static void write(JsonGenerator json, AuditRecord record) throws IOException {
    json.writeStartObject();
    text(json, TIME, record.time().toString());
    text(json, OUTCOME, record.outcome());
    text(json, REASON, record.reason());
    text(json, ALLOCATION, record.allocation());
    text(json, NAMESPACE, record.namespace());
    text(json, JOB, record.job());
    text(json, GROUP, record.group());
    text(json, TASK, record.task());
    text(json, ROLE, record.role());
    text(json, SESSION_NAME, record.sessionName());
    text(json, ACCESS_KEY_ID, record.accessKeyId());
    text(json, EXPIRATION, record.expiration());
    text(json, STS_REQUEST_ID, record.stsRequestId());
    text(json, JTI, record.jti());
    text(json, ATTESTED, record.attested());
    text(json, SOURCE, record.source());
    text(json, REQUEST_ID, record.requestId());
    json.writeFieldName(MILLIS);
    json.writeNumber(record.millis());
    json.writeEndObject();
  }

  private static void text(JsonGenerator json, SerializableString name, @Nullable String value)
      throws IOException {
    if (value != null) {
      json.writeFieldName(name);
      json.writeString(value);
    }
  }
}
