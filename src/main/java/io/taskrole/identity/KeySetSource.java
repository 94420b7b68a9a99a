package io.taskrole.identity;

import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalLong;

/** Port: where the key set comes from. */
public interface KeySetSource {
  /**
   * Fetches the document.
   *
   * @param index the {@code X-Nomad-Index} of the last answer, to wait for a change; 0 to be
   *     answered at once
   * @param wait how long the server may hold the request for a change
   * @throws IOException when there is no document; its message is in our words
   */
  Document fetch(long index, Duration wait) throws IOException;

  /**
   * An answer.
   *
   * @param body the document, at most {@link KeySet#MAXIMUM_BYTES}
   * @param index {@code X-Nomad-Index}, empty from servers that do not speak Nomad
   * @param maxAge {@code max-age} of Cache-Control, empty when there is none
   */
  record Document(byte[] body, OptionalLong index, Optional<Duration> maxAge) {}
}
