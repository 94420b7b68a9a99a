package io.taskrole.demo;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.taskrole.time.TimeSource;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.security.interfaces.RSAPublicKey;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A Nomad agent as far as taskrole sees one. It signs and publishes keys: RS256, root key ids as
 * {@code kid}, {@code /.well-known/jwks.json} as a blocking query with {@code X-Nomad-Index}. And
 * it lists the allocations of its {@link #node()}, on which every task runs that it signs a token
 * for. For the demo and the tests; keys are made at run time and live in memory.
 *
 * <p>Safe for concurrent use.
 */
public final class Issuer implements AutoCloseable {
  private static final Base64.Encoder BASE64 = Base64.getUrlEncoder().withoutPadding();

  private final TimeSource time;
  private final Object changed = new Object();
  private final List<Key> keys = new ArrayList<>();
  private final ClientNode node;
  private final HttpServer server;
  private final ExecutorService requests = Executors.newVirtualThreadPerTaskExecutor();
  private long index = 10;
  private boolean down;
  private int fetches;

  private record Key(String id, KeyPair pair) {}

  /** Starts on a free port of 127.0.0.1 with one key. */
  public static Issuer start(TimeSource time) {
    return start(time, 0);
  }

  /** Starts on that port of 127.0.0.1 with one key. */
  public static Issuer start(TimeSource time, int port) {
    try {
      return new Issuer(time, port);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Issuer(TimeSource time, int port) throws IOException {
    this.time = time;
    keys.add(newKey());
    node = new ClientNode(time);
    server =
        HttpServer.create(
            new InetSocketAddress(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), port), 1024);
    server.createContext("/.well-known/jwks.json", this::answerKeySet);
    server.createContext("/.well-known/openid-configuration", this::answerDiscovery);
    server.createContext(
        "/v1/agent/self",
        exchange ->
            answerOnce(exchange, "{\"stats\":{\"client\":{\"node_id\":\"" + node.id() + "\"}}}"));
    server.createContext(
        "/v1/node/" + node.id(),
        exchange -> answerOnce(exchange, "{\"ID\":\"" + node.id() + "\",\"Status\":\"ready\"}"));
    server.createContext("/v1/node/" + node.id() + "/allocations", this::answerAllocations);
    server.createContext("/v1/node/", exchange -> answer(exchange, 404, "node not found"));
    server.setExecutor(requests);
    server.start();
  }

  /** {@code http://127.0.0.1:port}: the {@code iss} claim, and where the key set is served. */
  public String issuer() {
    return "http://127.0.0.1:" + server.getAddress().getPort();
  }

  /** Where the key set is served. */
  public URI keySetUri() {
    return URI.create(issuer() + "/.well-known/jwks.json");
  }

  /** The node whose agent this is. */
  public ClientNode node() {
    return node;
  }

  /** The key set as it is served now. */
  public String keySetJson() {
    synchronized (changed) {
      StringBuilder json = new StringBuilder("{\"keys\":[");
      for (Key key : keys) {
        RSAPublicKey rsa = (RSAPublicKey) key.pair().getPublic();
        json.append(json.charAt(json.length() - 1) == '[' ? "" : ",")
            .append("{\"use\":\"sig\",\"kty\":\"RSA\",\"kid\":\"")
            .append(key.id())
            .append("\",\"alg\":\"RS256\",\"n\":\"")
            .append(BASE64.encodeToString(unsigned(rsa.getModulus())))
            .append("\",\"e\":\"")
            .append(BASE64.encodeToString(unsigned(rsa.getPublicExponent())))
            .append("\"}");
      }
      return json.append("]}").toString();
    }
  }

  /** The {@code kid} that signs now. */
  public String activeKeyId() {
    synchronized (changed) {
      return keys.getLast().id();
    }
  }

  /** Adds a key and signs with it from now on, as {@code root keyring rotate -now} does. */
  public void rotate() {
    Key key = newKey();
    synchronized (changed) {
      keys.add(key);
      index++;
      changed.notifyAll();
    }
  }

  /** Drops every key but the one that signs, as the keyring's garbage collection does. */
  public void dropOldKeys() {
    synchronized (changed) {
      keys.subList(0, keys.size() - 1).clear();
      index++;
      changed.notifyAll();
    }
  }

  /** While down, every request is answered {@code 500 No cluster leader}. */
  public void setDown(boolean down) {
    synchronized (changed) {
      this.down = down;
      changed.notifyAll();
    }
    node.wake();
  }

  /** How many requests for the key set have come. */
  public int fetches() {
    synchronized (changed) {
      return fetches;
    }
  }

  /** Begins a token of a task; identity {@code aws}, one hour, our usual audience. */
  public Token token(String namespace, String job, String group, String task) {
    return new Token(this, namespace, job, group, task);
  }

  /** Signs any header and payload with the active key: {@code header.payload.signature}. */
  public String sign(String headerJson, String payloadJson) {
    Key key;
    synchronized (changed) {
      key = keys.getLast();
    }
    String input =
        BASE64.encodeToString(headerJson.getBytes(StandardCharsets.UTF_8))
            + "."
            + BASE64.encodeToString(payloadJson.getBytes(StandardCharsets.UTF_8));
    try {
      Signature signature = Signature.getInstance("SHA256withRSA");
      signature.initSign(key.pair().getPrivate());
      signature.update(input.getBytes(StandardCharsets.US_ASCII));
      return input + "." + BASE64.encodeToString(signature.sign());
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every Java platform signs with SHA256withRSA", e);
    }
  }

  @Override
  public void close() {
    server.stop(0);
    requests.shutdownNow();
  }

  private void answerKeySet(HttpExchange exchange) throws IOException {
    String query = exchange.getRequestURI().getQuery();
    long known = parameter(query, "index");
    Duration wait = Duration.ofSeconds(Math.min(parameter(query, "wait"), 600));
    String body;
    synchronized (changed) {
      fetches++;
      long deadline = time.nanos() + wait.toNanos();
      try {
        while (known == index && !down && time.nanos() < deadline) {
          changed.wait(Math.max(1, (deadline - time.nanos()) / 1_000_000));
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      body = down ? null : keySetJson();
      exchange.getResponseHeaders().set("X-Nomad-Index", Long.toString(index));
    }
    exchange.getResponseHeaders().set("Cache-Control", "max-age=1309189");
    exchange.getResponseHeaders().set("X-Nomad-Knownleader", "true");
    answer(exchange, body);
  }

  private void answerDiscovery(HttpExchange exchange) throws IOException {
    answer(
        exchange,
        String.format(
            Locale.ROOT,
            "{\"issuer\":\"%s\",\"jwks_uri\":\"%s\",\"response_types_supported\":[\"code\"],\"subject_types_supported\":[\"public\"],\"id_token_signing_alg_values_supported\":[\"RS256\",\"EdDSA\"]}",
            issuer(),
            keySetUri()));
  }

  private void answerAllocations(HttpExchange exchange) throws IOException {
    String query = exchange.getRequestURI().getQuery();
    long known = parameter(query, "index");
    try {
      node.await(known, Duration.ofSeconds(Math.min(parameter(query, "wait"), 600)));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    // The index first: what changes in between is told again, never lost.
    exchange.getResponseHeaders().set("X-Nomad-Index", Long.toString(node.index()));
    exchange.getResponseHeaders().set("X-Nomad-Knownleader", "true");
    if (isDown()) {
      answer(exchange, null);
    } else {
      answer(exchange, 200, node.allocationsJson());
    }
  }

  private void answerOnce(HttpExchange exchange, String body) throws IOException {
    answer(exchange, isDown() ? null : body);
  }

  private boolean isDown() {
    synchronized (changed) {
      return down;
    }
  }

  private static void answer(HttpExchange exchange, @Nullable String body) throws IOException {
    answer(exchange, body == null ? 500 : 200, body == null ? "No cluster leader" : body);
  }

  private static void answer(HttpExchange exchange, int status, String body) throws IOException {
    answer(exchange, status, body.getBytes(StandardCharsets.UTF_8));
  }

  private static void answer(HttpExchange exchange, int status, byte[] body) throws IOException {
    exchange
        .getResponseHeaders()
        .set("Content-Type", status == 200 ? "application/json" : "text/plain");
    try (exchange) {
      exchange.sendResponseHeaders(status, body.length);
      exchange.getResponseBody().write(body);
    }
  }

  private static long parameter(@Nullable String query, String name) {
    if (query != null) {
      for (String pair : query.split("&", -1)) {
        if (pair.startsWith(name + "=")) {
          String digits = pair.substring(name.length() + 1).replaceAll("[^0-9]", "");
          boolean millis = pair.endsWith("ms");
          long value = digits.isEmpty() ? 0 : Long.parseLong(digits);
          boolean minutes = pair.endsWith("m");
          return millis ? value / 1000 : minutes ? value * 60 : value;
        }
      }
    }
    return 0;
  }

  private static Key newKey() {
    try {
      KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
      generator.initialize(2048);
      return new Key(UUID.randomUUID().toString(), generator.generateKeyPair());
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every Java platform makes RSA keys", e);
    }
  }

  private static byte[] unsigned(BigInteger value) {
    byte[] bytes = value.toByteArray();
    return bytes[0] == 0 ? Arrays.copyOfRange(bytes, 1, bytes.length) : bytes;
  }

  /** A token in the making; {@link #sign()} ends it. Not safe for concurrent use. */
  public static final class Token {
    private final Issuer issuer;
    private final String namespace;
    private final String job;
    private final String group;
    private final String task;
    private String allocation = UUID.randomUUID().toString();
    private String audience = "sts.amazonaws.com";
    private Duration life = Duration.ofHours(1);
    private Duration age = Duration.ZERO;
    private boolean isHere = true;
    private Consumer<ClientNode.Run> nature = _ -> {};

    private Token(Issuer issuer, String namespace, String job, String group, String task) {
      this.issuer = issuer;
      this.namespace = namespace;
      this.job = job;
      this.group = group;
      this.task = task;
    }

    /** Sets the allocation id; otherwise a random one. */
    public Token allocation(String allocation) {
      this.allocation = allocation;
      return this;
    }

    /** What the allocation is like from the first that Nomad tells of it. */
    public Token running(Consumer<ClientNode.Run> nature) {
      this.nature = nature;
      return this;
    }

    /** Signs without an allocation on this node, as for a task that runs elsewhere. */
    public Token elsewhere() {
      this.isHere = false;
      return this;
    }

    /** Sets the one audience. */
    public Token audience(String audience) {
      this.audience = audience;
      return this;
    }

    /** Sets {@code exp - iat}. */
    public Token life(Duration life) {
      this.life = life;
      return this;
    }

    /** Signs as if this long ago. */
    public Token age(Duration age) {
      this.age = age;
      return this;
    }

    /** The allocation id that the token will carry. */
    public String allocation() {
      return allocation;
    }

    /** The payload, keys sorted as Nomad sorts them. */
    public String payload() {
      long issued = issuer.time.instant().minus(age).getEpochSecond();
      return String.format(
          Locale.ROOT,
          """
          {"aud":%s,"exp":%d,"iat":%d,"iss":%s,"jti":"%s","nbf":%d,"nomad_allocation_id":%s,"nomad_job_id":%s,"nomad_namespace":%s,"nomad_task":%s,"sub":%s}\
          """,
          quote(audience),
          issued + life.toSeconds(),
          issued,
          quote(issuer.issuer()),
          UUID.randomUUID(),
          issued,
          quote(allocation),
          quote(job),
          quote(namespace),
          quote(task),
          quote(subject()));
    }

    /** The {@code sub} claim: what a trust policy names. */
    public String subject() {
      return "global:" + namespace + ":" + job + ":" + group + ":" + task + ":aws";
    }

    /** Signs with the issuer's active key; from then on, the task runs on the issuer's node. */
    public String sign() {
      if (isHere) {
        issuer.node.atOnce(
            () -> nature.accept(issuer.node.run(allocation, namespace, job, group, task)));
      }
      return issuer.sign(
          "{\"alg\":\"RS256\",\"kid\":\"" + issuer.activeKeyId() + "\",\"typ\":\"JWT\"}",
          payload());
    }

    private static String quote(String text) {
      return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }
  }
}
