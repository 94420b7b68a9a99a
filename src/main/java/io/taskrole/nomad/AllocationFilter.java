package io.taskrole.nomad;

import com.fasterxml.jackson.core.JsonEncoding;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Cuts Nomad's list of a node's allocations down to the fields that the view reads, while it
 * streams by: whole, it is megabytes on a full node, and comes again with every change. Of an
 * allocation that has not changed since the last list only its id and index are left.
 */
final class AllocationFilter {
  static final String ID = "ID";
  static final String MODIFY_INDEX = "ModifyIndex";

  private static final JsonFactory JSON =
      JsonFactory.builder()
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(64)
                  .maxStringLength(4 << 20)
                  .maxDocumentLength(256L << 20)
                  .build())
          .build();

  /** Which allocations a reader knows already. */
  interface Known {
    /** Whether the allocation was read before, at this very index. */
    boolean is(String id, long modifyIndex);
  }

  /** Which members are kept: none named means all, the name {@code *} means any name. */
  private record Shape(Map<String, Shape> members) {
    static final Shape ALL = new Shape(Map.of());

    boolean keepsAll() {
      return members.isEmpty();
    }

    /** The shape of a member, null when it is not kept. */
    @Nullable Shape of(String name) {
      Shape exact = members.get(name);
      return exact != null ? exact : members.get("*");
    }
  }

  private static final Shape ALLOCATION =
      new Shape(
          Map.ofEntries(
              Map.entry(ID, Shape.ALL),
              Map.entry("Namespace", Shape.ALL),
              Map.entry("NodeID", Shape.ALL),
              Map.entry("JobID", Shape.ALL),
              Map.entry("TaskGroup", Shape.ALL),
              Map.entry("ClientStatus", Shape.ALL),
              Map.entry(MODIFY_INDEX, Shape.ALL),
              Map.entry(
                  "TaskStates", new Shape(Map.of("*", new Shape(Map.of("State", Shape.ALL))))),
              Map.entry(
                  "NetworkStatus",
                  new Shape(Map.of("Address", Shape.ALL, "AddressIPv6", Shape.ALL))),
              Map.entry(
                  "Job",
                  new Shape(
                      Map.of(
                          "ParentID", Shape.ALL,
                          "Meta", Shape.ALL,
                          "TaskGroups",
                              new Shape(
                                  Map.of(
                                      "Name", Shape.ALL,
                                      "Meta", Shape.ALL,
                                      "Tasks",
                                          new Shape(
                                              Map.of(
                                                  "Name", Shape.ALL,
                                                  "Meta", Shape.ALL,
                                                  "Identities",
                                                      new Shape(
                                                          Map.of(
                                                              "Name", Shape.ALL,
                                                              "Audience", Shape.ALL,
                                                              "File", Shape.ALL,
                                                              "Filepath", Shape.ALL)))))))))));

  private AllocationFilter() {}

  /**
   * Reads a list of allocations to its end and returns what is kept of it, as JSON in UTF-8.
   *
   * @throws IOException when it is not a JSON array, or the stream fails
   */
  static byte[] filter(InputStream list, Known known) throws IOException {
    ByteArrayOutputStream kept = new ByteArrayOutputStream(16 * 1024);
    ByteArrayOutputStream one = new ByteArrayOutputStream(4 * 1024);
    try (JsonParser in = JSON.createParser(list)) {
      if (in.nextToken() != JsonToken.START_ARRAY) {
        throw new IOException("the list of allocations is not a JSON array");
      }
      kept.write('[');
      while (in.nextToken() == JsonToken.START_OBJECT) {
        one.reset();
        boolean isKnown;
        Header header = new Header();
        try (JsonGenerator out = JSON.createGenerator(one, JsonEncoding.UTF8)) {
          object(in, out, ALLOCATION, header);
          isKnown = header.modifyIndex > 0 && known.is(header.id, header.modifyIndex);
        }
        if (kept.size() > 1) {
          kept.write(',');
        }
        if (isKnown) {
          try (JsonGenerator out = JSON.createGenerator(kept, JsonEncoding.UTF8)) {
            out.writeStartObject();
            out.writeStringField(ID, header.id);
            out.writeNumberField(MODIFY_INDEX, header.modifyIndex);
            out.writeEndObject();
          }
        } else {
          one.writeTo(kept);
        }
      }
      if (in.currentToken() != JsonToken.END_ARRAY || in.nextToken() != null) {
        throw new IOException("the list of allocations is not one JSON array of objects");
      }
      kept.write(']');
    }
    return kept.toByteArray();
  }

  /** What decides whether an allocation is known. */
  private static final class Header {
    private String id = "";
    private long modifyIndex;
  }

  /** Copies an object; {@code header} takes what an allocation is known by, null further down. */
  private static void object(JsonParser in, JsonGenerator out, Shape shape, @Nullable Header header)
      throws IOException {
    out.writeStartObject();
    while (in.nextToken() == JsonToken.FIELD_NAME) {
      String name = in.currentName();
      Shape member = shape.of(name);
      JsonToken value = in.nextToken();
      if (member == null) {
        in.skipChildren();
        continue;
      }
      if (header != null && name.equals(ID) && value == JsonToken.VALUE_STRING) {
        header.id = in.getText();
      } else if (header != null
          && name.equals(MODIFY_INDEX)
          && value == JsonToken.VALUE_NUMBER_INT) {
        header.modifyIndex = in.getLongValue();
      }
      out.writeFieldName(name);
      value(in, out, member);
    }
    out.writeEndObject();
  }

  private static void value(JsonParser in, JsonGenerator out, Shape shape) throws IOException {
    if (shape.keepsAll()) {
      out.copyCurrentStructure(in);
    } else if (in.currentToken() == JsonToken.START_OBJECT) {
      object(in, out, shape, null);
    } else if (in.currentToken() == JsonToken.START_ARRAY) {
      out.writeStartArray();
      while (in.nextToken() != JsonToken.END_ARRAY) {
        if (in.currentToken() == null) {
          throw new IOException("the list of allocations was cut short");
        }
        value(in, out, shape);
      }
      out.writeEndArray();
    } else {
      out.copyCurrentEvent(in);
    }
  }
}
