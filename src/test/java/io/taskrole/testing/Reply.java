package io.taskrole.testing;

import io.taskrole.json.StrictJson;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/** An HTTP/1.1 answer as it came over the wire; header names in lower case. */
public record Reply(int status, String reasonPhrase, Map<String, String> headers, String body) {

  /** A member of the JSON body, empty when it is absent or not a string. */
  public String text(String member) {
    return StrictJson.parse(body.getBytes(StandardCharsets.UTF_8))
        .map(json -> json.get(member) instanceof String text ? text : "")
        .orElse("");
  }

  public String code() {
    return text("code");
  }

  public String message() {
    return text("message");
  }

  public String header(String name) {
    return headers.getOrDefault(name, "");
  }

  /** The answer that a program printed; status 0 and what it printed when there is none. */
  public static Reply parse(String printed) {
    try {
      return read(new ByteArrayInputStream(printed.getBytes(StandardCharsets.ISO_8859_1)));
    } catch (IOException | RuntimeException e) {
      return new Reply(0, "no answer", Map.of(), printed);
    }
  }

  /** Reads one answer with a Content-Length. */
  public static Reply read(InputStream in) throws IOException {
    String[] status = line(in).split(" ", 3);
    Map<String, String> headers = new LinkedHashMap<>();
    for (String line = line(in); !line.isEmpty(); line = line(in)) {
      int colon = line.indexOf(':');
      headers.put(
          line.substring(0, colon).toLowerCase(Locale.ROOT), line.substring(colon + 1).strip());
    }
    int length = Integer.parseInt(headers.getOrDefault("content-length", "0"));
    String body = new String(in.readNBytes(length), StandardCharsets.UTF_8);
    return new Reply(Integer.parseInt(status[1]), status[2], headers, body);
  }

  private static String line(InputStream in) throws IOException {
    ByteArrayOutputStream line = new ByteArrayOutputStream();
    for (int c = in.read(); c != '\n'; c = in.read()) {
      if (c < 0) {
        throw new EOFException("the connection ended");
      }
      line.write(c);
    }
    return line.toString(StandardCharsets.ISO_8859_1).stripTrailing();
  }
}
