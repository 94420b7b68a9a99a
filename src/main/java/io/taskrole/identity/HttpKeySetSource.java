package io.taskrole.identity;

import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.HttpURLConnection;
import java.net.NoRouteToHostException;
import java.net.Proxy;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocketFactory;

/**
 * Fetches the key set over HTTP or HTTPS: no proxy, no redirect, no more than {@link
 * KeySet#MAXIMUM_BYTES}, status 200 or nothing. Blocks; for virtual threads.
 */
public final class HttpKeySetSource implements KeySetSource {
  private static final Duration CONNECT = Duration.ofSeconds(2);
  private static final Duration READ = Duration.ofSeconds(5);
  private static final Pattern MAX_AGE = Pattern.compile("(?i)max-age=([0-9]{1,9})");

  /** Sockets for an https address; asked anew for each connection. */
  public interface Tls {
    SSLSocketFactory socketFactory() throws IOException;
  }

  private final URI uri;
  private final Optional<Tls> tls;

  /**
   * Makes a source; nothing is fetched yet.
   *
   * @param tls for an https address with a private authority; empty means the platform's own
   */
  public HttpKeySetSource(URI uri, Optional<Tls> tls) {
    this.uri = uri;
    this.tls = tls;
  }

  @Override
  public Document fetch(long index, Duration wait) throws IOException {
    String query = index > 0 ? "?index=" + index + "&wait=" + wait.toSeconds() + "s" : "";
    HttpURLConnection connection =
        (HttpURLConnection) URI.create(uri + query).toURL().openConnection(Proxy.NO_PROXY);
    if (tls.isPresent() && connection instanceof HttpsURLConnection secured) {
      secured.setSSLSocketFactory(tls.get().socketFactory());
    }
    connection.setInstanceFollowRedirects(false);
    connection.setUseCaches(false);
    connection.setConnectTimeout((int) CONNECT.toMillis());
    // Nomad adds up to a sixteenth to the wait that is asked for.
    long hold = index > 0 ? wait.toMillis() * 17 / 16 : 0;
    connection.setReadTimeout((int) (READ.toMillis() + hold));
    connection.setRequestProperty("Accept", "application/json");
    try {
      int status = connection.getResponseCode();
      if (status != 200) {
        throw new IOException("the key server answered with status " + status);
      }
      return new Document(body(connection), index(connection), maxAge(connection));
    } catch (ConnectException | NoRouteToHostException e) {
      throw new IOException("nothing answers at " + uri, e);
    } catch (SocketTimeoutException e) {
      throw new IOException("no answer in time from " + uri, e);
    } catch (UnknownHostException e) {
      throw new IOException("the name in " + uri + " is unknown", e);
    } catch (SSLException e) {
      throw new IOException("no TLS with " + uri + "; check nomad.tls", e);
    } catch (RuntimeException e) {
      throw new IOException("the key server's answer is not HTTP", e);
    } finally {
      connection.disconnect();
    }
  }

  private static byte[] body(HttpURLConnection connection) throws IOException {
    long announced = connection.getContentLengthLong();
    try (InputStream stream = connection.getInputStream()) {
      byte[] body = stream.readNBytes(KeySet.MAXIMUM_BYTES + 1);
      if (body.length > KeySet.MAXIMUM_BYTES) {
        throw new IOException("the key set is larger than " + KeySet.MAXIMUM_BYTES + " bytes");
      }
      if (announced >= 0 && body.length != announced) {
        throw new IOException("the key set was cut short");
      }
      return body;
    }
  }

  private static OptionalLong index(HttpURLConnection connection) {
    String value = connection.getHeaderField("X-Nomad-Index");
    return value != null && value.matches("[0-9]{1,18}")
        ? OptionalLong.of(Long.parseLong(value))
        : OptionalLong.empty();
  }

  private static Optional<Duration> maxAge(HttpURLConnection connection) {
    String value = connection.getHeaderField("Cache-Control");
    Matcher matcher = MAX_AGE.matcher(value == null ? "" : value.toLowerCase(Locale.ROOT));
    return matcher.find()
        ? Optional.of(Duration.ofSeconds(Long.parseLong(matcher.group(1))))
        : Optional.empty();
  }
}
