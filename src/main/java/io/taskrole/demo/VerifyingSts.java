package io.taskrole.demo;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.taskrole.identity.BearerToken;
import io.taskrole.identity.HttpKeySetSource;
import io.taskrole.identity.IdentityConfig;
import io.taskrole.identity.KeySet;
import io.taskrole.identity.Keys;
import io.taskrole.identity.TokenVerifier;
import io.taskrole.identity.Verification;
import io.taskrole.time.TimeSource;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Base64;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A small STS that means it: it loads the issuer's keys, checks signature, audience, issuer and
 * expiry of a token and the role's trust in its {@code sub}, issues session credentials, and
 * answers GetCallerIdentity only to requests that are signed with them. For the demo and the fast
 * tests.
 *
 * <p>Safe for concurrent use.
 */
public final class VerifyingSts implements AutoCloseable {
  private static final String NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/";
  private static final Pattern ROLE =
      Pattern.compile("arn:aws:iam::([0-9]{12}):role/(?:.*/)?([^/]+)");
  private static final int CLIENT_ERROR = 400;
  private static final int FORBIDDEN = 403;

  /** An answer that is an error. */
  private static final class Refused extends Exception {
    private static final long serialVersionUID = 1;
    private final int status;
    private final String code;

    Refused(int status, String code) {
      super(code, null, false, false);
      this.status = status;
      this.code = code;
    }
  }

  private final TimeSource time;
  private final TokenVerifier verifier;
  private final Map<String, Set<String>> trust = new ConcurrentHashMap<>();
  private final Map<String, SignedRequest.Session> sessions = new ConcurrentHashMap<>();
  private final AtomicInteger exchanges = new AtomicInteger();
  private final SecureRandom random = new SecureRandom();
  private final HttpServer server;
  private final ExecutorService requests = Executors.newVirtualThreadPerTaskExecutor();
  private volatile boolean down;
  private volatile Duration delay = Duration.ZERO;

  /**
   * Starts on a free port of 127.0.0.1.
   *
   * @param issuer the {@code iss} to trust, which also serves the key set
   */
  public static VerifyingSts start(Issuer issuer, TimeSource time) {
    try {
      return new VerifyingSts(issuer, time);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private VerifyingSts(Issuer issuer, TimeSource time) throws IOException {
    this.time = time;
    this.verifier =
        new TokenVerifier(
            new IdentityConfig(
                "sts.amazonaws.com",
                Optional.of(issuer.issuer()),
                issuer.keySetUri(),
                Duration.ofSeconds(60)),
            new LoadedKeys(issuer.keySetUri()),
            time);
    server =
        HttpServer.create(
            new InetSocketAddress(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), 0), 4096);
    server.createContext("/", this::answer);
    server.setExecutor(requests);
    server.start();
  }

  /** Where it is reached. */
  public URI endpoint() {
    return URI.create("http://127.0.0.1:" + server.getAddress().getPort());
  }

  /**
   * Lets a role be assumed also by the tokens of exactly this {@code sub}, as its trust policy
   * would.
   */
  public void trust(String roleArn, String subject) {
    trust.computeIfAbsent(roleArn, _ -> ConcurrentHashMap.newKeySet()).add(subject);
  }

  /** While down, exchanges are answered 503. */
  public void setDown(boolean down) {
    this.down = down;
  }

  /** Makes every exchange take at least this long. */
  public void setDelay(Duration delay) {
    this.delay = delay;
  }

  /** How many AssumeRoleWithWebIdentity calls have come. */
  public int exchanges() {
    return exchanges.get();
  }

  @Override
  public void close() {
    server.stop(0);
    requests.shutdownNow();
  }

  private void answer(HttpExchange exchange) throws IOException {
    String form = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
    int status = 200;
    String body;
    try {
      Map<String, String> fields = fields(form);
      body =
          switch (fields.getOrDefault("Action", "")) {
            case "AssumeRoleWithWebIdentity" -> assumeRole(fields);
            case "GetCallerIdentity" -> callerIdentity(exchange, form);
            default -> throw new Refused(CLIENT_ERROR, "InvalidAction");
          };
    } catch (Refused e) {
      status = e.status;
      body =
          "<ErrorResponse xmlns=\""
              + NAMESPACE
              + "\"><Error><Type>Sender</Type><Code>"
              + e.code
              + "</Code><Message>refused by the demo's STS</Message></Error><RequestId>"
              + requestId()
              + "</RequestId></ErrorResponse>";
    }
    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", "text/xml");
    try (exchange) {
      exchange.sendResponseHeaders(status, bytes.length);
      exchange.getResponseBody().write(bytes);
    }
  }

  private String assumeRole(Map<String, String> fields) throws Refused {
    exchanges.incrementAndGet();
    pause();
    if (down) {
      throw new Refused(503, "ServiceUnavailable");
    }
    String role = fields.getOrDefault("RoleArn", "");
    String name = fields.getOrDefault("RoleSessionName", "");
    String subject = subject(fields.getOrDefault("WebIdentityToken", ""));
    Matcher arn = ROLE.matcher(role);
    if (!arn.matches() || !trust.getOrDefault(role, Set.of()).contains(subject)) {
      throw new Refused(FORBIDDEN, "AccessDenied");
    }
    Instant expiration =
        time.instant()
            .plusSeconds(Long.parseLong(fields.getOrDefault("DurationSeconds", "3600")))
            .truncatedTo(ChronoUnit.SECONDS);
    String assumed = "arn:aws:sts::" + arn.group(1) + ":assumed-role/" + arn.group(2) + "/" + name;
    var session =
        new SignedRequest.Session(
            "ASIA" + randomText(12).toUpperCase(Locale.ROOT).replaceAll("[^A-Z0-9]", "X"),
            randomText(30),
            randomText(200),
            assumed,
            expiration);
    sessions.put(session.accessKeyId(), session);
    return String.format(
        Locale.ROOT,
        "<AssumeRoleWithWebIdentityResponse xmlns=\"%s\"><AssumeRoleWithWebIdentityResult><Credentials>"
            + "<AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey>"
            + "<SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials>"
            + "<SubjectFromWebIdentityToken>%s</SubjectFromWebIdentityToken>"
            + "<AssumedRoleUser><AssumedRoleId>AROADEMO:%s</AssumedRoleId><Arn>%s</Arn>"
            + "</AssumedRoleUser></AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>%s"
            + "</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>",
        NAMESPACE,
        session.accessKeyId(),
        session.secretKey(),
        session.sessionToken(),
        expiration,
        subject.replace("&", "&amp;").replace("<", "&lt;"),
        name,
        assumed,
        requestId());
  }

  private String subject(String token) throws Refused {
    return switch (verifier.verify(BearerToken.of(token))) {
      case Verification.Verified(var identity) -> identity.subject();
      case Verification.Expired _ -> throw new Refused(CLIENT_ERROR, "ExpiredTokenException");
      case Verification.Rejected _ -> throw new Refused(CLIENT_ERROR, "InvalidIdentityToken");
    };
  }

  private String callerIdentity(HttpExchange exchange, String form) throws Refused {
    SignedRequest.Session session =
        SignedRequest.read(exchange, endpoint(), form)
            .flatMap(signed -> signed.verifiedBy(sessions::get))
            .filter(known -> time.instant().isBefore(known.expiration()))
            .orElseThrow(() -> new Refused(FORBIDDEN, "InvalidClientTokenId"));
    return String.format(
        Locale.ROOT,
        "<GetCallerIdentityResponse xmlns=\"%s\"><GetCallerIdentityResult><Arn>%s</Arn>"
            + "<UserId>AROADEMO</UserId><Account>%s</Account></GetCallerIdentityResult>"
            + "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata>"
            + "</GetCallerIdentityResponse>",
        NAMESPACE,
        session.arn(),
        session.arn().split(":", -1)[4],
        requestId());
  }

  private void pause() {
    try {
      time.sleep(delay);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private String randomText(int bytes) {
    byte[] content = new byte[bytes];
    random.nextBytes(content);
    return Base64.getEncoder().encodeToString(content);
  }

  private static String requestId() {
    return UUID.randomUUID().toString();
  }

  private static Map<String, String> fields(String form) {
    Map<String, String> fields = new HashMap<>();
    for (String pair : form.split("&", -1)) {
      int equals = pair.indexOf('=');
      if (equals > 0) {
        fields.put(
            pair.substring(0, equals),
            URLDecoder.decode(pair.substring(equals + 1), StandardCharsets.UTF_8));
      }
    }
    return fields;
  }

  /** The issuer's key set, loaded when a key is not in it, as AWS does it. */
  private static final class LoadedKeys implements Keys {
    private final HttpKeySetSource source;
    private volatile @Nullable KeySet current;

    LoadedKeys(URI keySet) {
      this.source = new HttpKeySetSource(keySet, Optional.empty());
    }

    @Override
    public @Nullable KeySet current() {
      return current;
    }

    @Override
    public synchronized @Nullable KeySet reloaded() {
      try {
        KeySet.parse(source.fetch(0, Duration.ZERO).body()).ifPresent(loaded -> current = loaded);
      } catch (IOException e) {
        // the keys that are known stay good
      }
      return current;
    }
  }
}
