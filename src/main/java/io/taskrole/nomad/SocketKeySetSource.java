package io.taskrole.nomad;

import io.taskrole.identity.KeySetSource;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalLong;
import org.apache.http.Header;
import org.apache.http.client.methods.CloseableHttpResponse;
import org.apache.http.client.methods.HttpGet;
import org.apache.http.impl.client.CloseableHttpClient;
import org.apache.http.util.EntityUtils;

/**
 * Fetches the key set through the task API socket, where every call needs the token. Blocks; for
 * virtual threads.
 */
final class SocketKeySetSource implements KeySetSource {
  private final CloseableHttpClient client;

  SocketKeySetSource(NomadConfig config) {
    client = NomadHttp.client(config, Duration.ofMinutes(5), (_, _) -> false);
  }

  @Override
  public Document fetch(long index, Duration wait) throws IOException {
    String query = index > 0 ? "?index=" + index + "&wait=" + wait.toSeconds() + "s" : "";
    HttpGet request = new HttpGet("http://localhost/.well-known/jwks.json" + query);
    try (CloseableHttpResponse response = client.execute(request)) {
      int status = response.getStatusLine().getStatusCode();
      if (status != 200) {
        throw new IOException(
            "the agent's socket answered with status "
                + status
                + (status == 401 || status == 403 ? "; see nomad.token-file" : ""));
      }
      Header told = response.getFirstHeader("X-Nomad-Index");
      String value = told == null ? "" : told.getValue();
      return new Document(
          EntityUtils.toByteArray(response.getEntity()),
          value.matches("[0-9]{1,18}")
              ? OptionalLong.of(Long.parseLong(value))
              : OptionalLong.empty(),
          Optional.empty());
    }
  }
}
