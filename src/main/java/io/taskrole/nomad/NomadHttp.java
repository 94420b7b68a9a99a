package io.taskrole.nomad;

import io.taskrole.time.TimeSource;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.http.HttpEntity;
import org.apache.http.HttpHost;
import org.apache.http.HttpRequest;
import org.apache.http.HttpResponse;
import org.apache.http.client.config.CookieSpecs;
import org.apache.http.client.config.RequestConfig;
import org.apache.http.client.protocol.HttpClientContext;
import org.apache.http.config.RegistryBuilder;
import org.apache.http.conn.ConnectionReleaseTrigger;
import org.apache.http.conn.socket.ConnectionSocketFactory;
import org.apache.http.conn.socket.LayeredConnectionSocketFactory;
import org.apache.http.conn.socket.PlainConnectionSocketFactory;
import org.apache.http.conn.ssl.DefaultHostnameVerifier;
import org.apache.http.conn.ssl.SSLConnectionSocketFactory;
import org.apache.http.conn.util.PublicSuffixMatcher;
import org.apache.http.entity.ByteArrayEntity;
import org.apache.http.entity.ContentType;
import org.apache.http.impl.client.CloseableHttpClient;
import org.apache.http.impl.client.HttpClientBuilder;
import org.apache.http.impl.conn.PoolingHttpClientConnectionManager;
import org.apache.http.protocol.HttpContext;
import org.apache.http.ssl.SSLContexts;
import org.jspecify.annotations.Nullable;

/**
 * The HTTP client that is put under the Nomad SDK, whose own has no time-outs, two connections for
 * all and no way to a unix socket: no proxy, no redirect, no retry, no cookies; the token read from
 * its file for each request; whole answers bounded in time and size.
 */
final class NomadHttp {
  private static final Duration CONNECT = Duration.ofSeconds(2);
  private static final Duration READ = Duration.ofSeconds(5);
  private static final int CONNECTIONS = 4;
  private static final int LARGEST_TOKEN = 16 * 1024;
  private static final int LARGEST_ERROR = 4 * 1024;
  private static final int LARGEST_ANSWER = 16 << 20;

  /**
   * The feed rests after so many bytes: read in one go, a full node's list holds a core long enough
   * for requests to feel it.
   */
  private static final int SLICE = 16 * 1024;

  private static final Duration REST = Duration.ofMillis(2);

  /** In all of one list: what has stopped must be known within a second. */
  private static final int RESTS = 150;

  private NomadHttp() {}

  /** Where the SDK believes the agent to be; a socket has no host. */
  static HttpHost host(NomadConfig config) {
    URI address = config.address();
    return config.isSocket()
        ? new HttpHost("localhost", 80, "http")
        : new HttpHost(address.getHost(), address.getPort(), address.getScheme());
  }

  /**
   * Makes a client; nothing is connected yet.
   *
   * @param hold how long the agent may hold an answer back, as blocking queries ask for
   * @param known allocations that need not be read again
   */
  static CloseableHttpClient client(
      NomadConfig config, Duration hold, AllocationFilter.Known known) {
    PoolingHttpClientConnectionManager connections =
        new PoolingHttpClientConnectionManager(
            RegistryBuilder.<ConnectionSocketFactory>create()
                .register("http", config.isSocket() ? new Unix(config) : plain())
                .register("https", new Tls(config))
                .build(),
            null,
            null,
            null,
            1,
            TimeUnit.MINUTES);
    connections.setMaxTotal(CONNECTIONS);
    connections.setDefaultMaxPerRoute(CONNECTIONS);
    // Nomad adds up to a sixteenth to the wait that is asked for.
    int read = (int) (READ.toMillis() + hold.toMillis() * 17 / 16);
    return HttpClientBuilder.create()
        .setConnectionManager(connections)
        .setDefaultRequestConfig(
            RequestConfig.custom()
                .setConnectTimeout((int) CONNECT.toMillis())
                .setConnectionRequestTimeout((int) CONNECT.toMillis())
                .setSocketTimeout(read)
                .setRedirectsEnabled(false)
                .setContentCompressionEnabled(false)
                .setAuthenticationEnabled(false)
                .setCookieSpec(CookieSpecs.IGNORE_COOKIES)
                .build())
        .disableAutomaticRetries()
        .disableRedirectHandling()
        .disableCookieManagement()
        .disableAuthCaching()
        .disableContentCompression()
        // Without cookies nobody needs the public suffix list, a megabyte of memory.
        .setPublicSuffixMatcher(new PublicSuffixMatcher(List.of(), List.of()))
        .setUserAgent("taskrole")
        .addInterceptorLast((HttpRequest request, HttpContext _) -> authorize(config, request))
        .addInterceptorLast((HttpResponse response, HttpContext context) ->
            bound(response, context, known, read + READ.toMillis(), !hold.isPositive()))
        .build();
  }

  private static void authorize(NomadConfig config, HttpRequest request) throws IOException {
    if (config.tokenFile().isPresent()) {
      // The header is set anew for each request, and the file's content kept nowhere.
      request.setHeader("X-Nomad-Token", token(config.tokenFile().get()));
    }
  }

  private static String token(Path file) throws IOException {
    byte[] content;
    try (InputStream in = Files.newInputStream(file)) {
      content = in.readNBytes(LARGEST_TOKEN);
    } catch (IOException e) {
      throw new IOException("nomad.token-file " + file + " cannot be read", e);
    }
    String text = new String(content, StandardCharsets.ISO_8859_1).strip();
    if (!text.matches("[!-~]{1,16384}")) {
      throw new IOException("nomad.token-file " + file + " holds no token");
    }
    return text;
  }

  /** How many bytes the agent sent, in the answer that the SDK gets to see. */
  static final String LENGTH = "X-Taskrole-Length";

  /** Reads the whole answer here, where it can be bounded, and leaves the SDK what it needs. */
  private static void bound(
      HttpResponse response,
      HttpContext context,
      AllocationFilter.Known known,
      long millis,
      boolean isHurried)
      throws IOException {
    HttpEntity entity = response.getEntity();
    if (entity == null) {
      response.setEntity(new ByteArrayEntity(new byte[0], ContentType.APPLICATION_JSON));
      return;
    }
    boolean isGood = response.getStatusLine().getStatusCode() == 200;
    String path = HttpClientContext.adapt(context).getRequest().getRequestLine().getUri();
    byte[] body;
    InputStream content = entity.getContent();
    Body in = new Body(content, millis, isHurried);
    boolean isWhole = false;
    try {
      if (isGood && path.contains("/allocations")) {
        body = AllocationFilter.filter(in, known);
      } else {
        body = in.readNBytes(isGood ? LARGEST_ANSWER : LARGEST_ERROR);
      }
      response.setHeader(LENGTH, Long.toString(in.count));
      isWhole = in.read() < 0;
    } finally {
      if (isWhole) {
        content.close();
      } else {
        abort(content);
      }
    }
    response.setEntity(
        new ByteArrayEntity(
            body, ContentType.APPLICATION_JSON.withCharset(StandardCharsets.UTF_8)));
  }

  /** Ends the connection: closing the stream would first read all that is still to come. */
  private static void abort(InputStream content) throws IOException {
    if (content instanceof ConnectionReleaseTrigger connection) {
      connection.abortConnection();
    } else {
      content.close();
    }
  }

  /** Fails a body that comes so slowly that no read ever times out; reads it in slices. */
  private static final class Body extends FilterInputStream {
    private final TimeSource time = TimeSource.system();
    private final long endNanos;
    private long count;
    private long rested;
    private int rests;

    Body(InputStream in, long millis, boolean isHurried) {
      super(in);
      this.endNanos = time.nanos() + millis * 1_000_000;
      this.rests = isHurried ? 0 : RESTS;
    }

    @Override
    public int read() throws IOException {
      check();
      int read = super.read();
      count += read < 0 ? 0 : 1;
      return read;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
      check();
      int read = super.read(bytes, offset, length);
      count += Math.max(0, read);
      return read;
    }

    /** Does nothing: a parser that closes what it read would wait for all that is still to come. */
    @Override
    public void close() {}

    private void check() throws IOException {
      if (time.nanos() - endNanos > 0) {
        throw new InterruptedIOException("the Nomad agent's answer takes too long");
      }
      if (rests > 0 && count - rested >= SLICE) {
        rests--;
        rested = count;
        try {
          time.sleep(REST);
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          throw new InterruptedIOException("stopping");
        }
      }
    }
  }

  private static ConnectionSocketFactory plain() {
    return PlainConnectionSocketFactory.getSocketFactory();
  }

  /** TLS by the files as they are when a connection is made. */
  private record Tls(NomadConfig config) implements LayeredConnectionSocketFactory {
    private SSLConnectionSocketFactory current() throws IOException {
      return config.tls().isPresent()
          ? new SSLConnectionSocketFactory(
              new NomadTls(config.tls().get()).socketFactory(), new DefaultHostnameVerifier())
          : new SSLConnectionSocketFactory(
              SSLContexts.createDefault(), new DefaultHostnameVerifier());
    }

    @Override
    public Socket createSocket(HttpContext context) throws IOException {
      return current().createSocket(context);
    }

    @Override
    public Socket connectSocket(
        int connectTimeout,
        Socket socket,
        HttpHost host,
        InetSocketAddress remote,
        @Nullable InetSocketAddress local,
        HttpContext context)
        throws IOException {
      return current().connectSocket(connectTimeout, socket, host, remote, local, context);
    }

    @Override
    public Socket createLayeredSocket(Socket socket, String target, int port, HttpContext context)
        throws IOException {
      return current().createLayeredSocket(socket, target, port, context);
    }
  }

  /** Connections to the task API socket. */
  private record Unix(NomadConfig config) implements ConnectionSocketFactory {
    @Override
    public Socket createSocket(HttpContext context) {
      return new UnixSocket();
    }

    @Override
    public Socket connectSocket(
        int connectTimeout,
        Socket socket,
        HttpHost host,
        InetSocketAddress remote,
        @Nullable InetSocketAddress local,
        HttpContext context)
        throws IOException {
      ((UnixSocket) socket).connect(Path.of(config.address().getPath()));
      return socket;
    }
  }
}
