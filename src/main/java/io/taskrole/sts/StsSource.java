package io.taskrole.sts;

import io.taskrole.broker.CredentialSource;
import io.taskrole.broker.SessionCredentials;
import io.taskrole.identity.BearerToken;
import io.taskrole.policy.Grant;
import io.taskrole.policy.RoleArn;
import io.taskrole.policy.SessionName;
import io.taskrole.refusal.Reason;
import io.taskrole.secret.Secret;
import io.taskrole.time.TimeSource;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.auth.credentials.AnonymousCredentialsProvider;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.endpoints.Endpoint;
import software.amazon.awssdk.endpoints.EndpointUrl;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.urlconnection.ProxyConfiguration;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.profiles.ProfileFile;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.sts.StsClient;
import software.amazon.awssdk.services.sts.model.AssumeRoleWithWebIdentityRequest;
import software.amazon.awssdk.services.sts.model.AssumeRoleWithWebIdentityResponse;
import software.amazon.awssdk.services.sts.model.AssumedRoleUser;
import software.amazon.awssdk.services.sts.model.Credentials;
import software.amazon.awssdk.services.sts.model.PolicyDescriptorType;

/**
 * Exchanges tokens with AssumeRoleWithWebIdentity (STS API reference): one unsigned call each,
 * within the configured timeout. How many are made is the caller's business.
 *
 * <p>Safe for concurrent use. Calls must come on virtual threads: the timeout ends a blocked read
 * by interrupting it, which on a platform thread would not.
 */
public final class StsSource implements CredentialSource, AutoCloseable {
  private static final System.Logger LOG = System.getLogger(StsSource.class.getName());

  private static final Duration CONNECT = Duration.ofSeconds(2);

  /** Credentials that end sooner are of no use to any SDK, and STS issues none such. */
  private static final Duration LEAST_LIFE = Duration.ofSeconds(60);

  /** STS issues at most 12 hours; the rest is a wrong clock somewhere. */
  private static final Duration MOST_LIFE = Duration.ofHours(13);

  private static final Pattern ASSUMED_ROLE =
      Pattern.compile("arn:([a-z-]+):sts::([0-9]{12}):assumed-role/([^/]{1,64})/([^/]{2,64})");

  private final StsConfig config;
  private final TimeSource time;
  private final SdkHttpClient http;
  private final Map<String, StsClient> clients = new ConcurrentHashMap<>();

  /** Builds the source; nothing is called yet. */
  public StsSource(StsConfig config, TimeSource time) {
    this.config = config;
    this.time = time;
    this.http =
        new BoundedHttpClient(
            UrlConnectionHttpClient.builder()
                .connectionTimeout(CONNECT)
                .socketTimeout(config.timeout())
                .proxyConfiguration(
                    ProxyConfiguration.builder()
                        .useSystemPropertyValues(false)
                        .useEnvironmentVariablesValues(false)
                        .build())
                .build());
  }

  /**
   * Builds the clients of the configured Regions and takes one exchange through another of its
   * kind, which we answer ourselves: all that the SDK loads the first time would take a caller's
   * time.
   *
   * <p>To be called on a platform thread, before the first exchange: the classes that it
   * initialises are then never waited for by virtual threads.
   *
   * @throws SdkException when the SDK cannot do what every exchange needs
   */
  public void warmUp() {
    String region = config.region().name();
    client(region);
    config.fallback().ifPresent(second -> client(second.region().name()));
    try (StsClient rehearsing = newClient(region, new Rehearsal())) {
      rehearsing.assumeRoleWithWebIdentity(Rehearsal.request());
    }
  }

  @Override
  public Exchange exchange(Grant grant, SessionName session, BearerToken token) {
    try {
      AssumeRoleWithWebIdentityResponse response =
          client(grant.region().orElse(config.region().name()))
              .assumeRoleWithWebIdentity(request(grant, session, token));
      return judge(response, grant.role(), session);
    } catch (AwsServiceException e) {
      LOG.log(
          System.Logger.Level.DEBUG,
          "STS answered status " + e.statusCode() + ", request id " + e.requestId());
      return StsErrors.classify(e);
    } catch (SdkException e) {
      return new Exchange.Failed(
          Unanswered.explain(
              e, endpointOf(grant.region().orElse(config.region().name())).getHost()));
    }
  }

  @Override
  public void close() {
    clients.values().forEach(StsClient::close);
    http.close();
  }

  private static AssumeRoleWithWebIdentityRequest request(
      Grant grant, SessionName session, BearerToken token) {
    var request =
        AssumeRoleWithWebIdentityRequest.builder()
            .roleArn(grant.role().value())
            .roleSessionName(session.value())
            .webIdentityToken(token.content().revealText())
            .durationSeconds((int) grant.duration().toSeconds());
    grant.sessionPolicy().ifPresent(request::policy);
    if (!grant.policyArns().isEmpty()) {
      request.policyArns(
          grant.policyArns().stream()
              .map(arn -> PolicyDescriptorType.builder().arn(arn).build())
              .toList());
    }
    return request.build();
  }

  /** An answer is worth what it holds: complete, of the role that was asked for, and alive. */
  private Exchange judge(
      AssumeRoleWithWebIdentityResponse response, RoleArn role, SessionName session) {
    Credentials credentials = response.credentials();
    if (credentials == null
        || isBlank(credentials.accessKeyId())
        || isBlank(credentials.secretAccessKey())
        || isBlank(credentials.sessionToken())
        || credentials.expiration() == null) {
      return unusable("credentials with a part missing");
    }
    Instant now = time.instant();
    Duration life = Duration.between(now, credentials.expiration());
    if (life.compareTo(LEAST_LIFE) < 0 || life.compareTo(MOST_LIFE) > 0) {
      return unusable("credentials that end too soon or too late; set this node's clock");
    }
    Optional<String> account = account(response.assumedRoleUser(), role, session);
    if (account.isEmpty()) {
      return unusable("credentials of another role or session than asked for");
    }
    return new Exchange.Obtained(
        new SessionCredentials(
            credentials.accessKeyId(),
            Secret.of(credentials.secretAccessKey()),
            Secret.of(credentials.sessionToken()),
            credentials.expiration(),
            account.get(),
            Optional.ofNullable(response.responseMetadata().requestId())
                .filter(id -> id.matches("[A-Za-z0-9-]{1,64}"))));
  }

  /**
   * The account of the session; the role's own where the STS does not name the assumed role, as
   * SeaweedFS and MinIO do not. Empty when it names another one.
   */
  private static Optional<String> account(
      @Nullable AssumedRoleUser user, RoleArn role, SessionName session) {
    if (user == null || isBlank(user.arn())) {
      return Optional.of(role.account());
    }
    Matcher arn = ASSUMED_ROLE.matcher(user.arn());
    return arn.matches()
            && arn.group(1).equals(role.partition())
            && arn.group(2).equals(role.account())
            && arn.group(3).equals(role.name())
            && arn.group(4).equals(session.value())
        ? Optional.of(role.account())
        : Optional.empty();
  }

  private static boolean isBlank(@Nullable String text) {
    return text == null || text.isBlank();
  }

  private static Exchange unusable(String what) {
    return unavailable("Operator: check sts.endpoint; STS answered with " + what + ".");
  }

  private static Exchange unavailable(String message) {
    return new Exchange.Failed(Reason.STS_UNAVAILABLE.refusal(message));
  }

  private StsClient client(String region) {
    return clients.computeIfAbsent(region, name -> newClient(name, http));
  }

  /** Names everything that the SDK would otherwise look for in the daemon's own surroundings. */
  private StsClient newClient(String name, SdkHttpClient http) {
    Region region = Region.of(name);
    URI uri = endpointOf(name);
    // Known once and for all: the SDK would run its partition rules for each call.
    CompletableFuture<Endpoint> endpoint =
        CompletableFuture.completedFuture(
            Endpoint.builder().endpointUrl(EndpointUrl.fromUri(uri)).build());
    return StsClient.builder()
        .httpClient(http)
        .region(region)
        .endpointOverride(uri)
        .endpointProvider(_ -> endpoint)
        .credentialsProvider(AnonymousCredentialsProvider.create())
        .dualstackEnabled(false)
        .fipsEnabled(false)
        .overrideConfiguration(override ->
            override
                .defaultProfileFile(ProfileFile.aggregator().build())
                .defaultProfileName("taskrole")
                .retryStrategy(AwsRetryStrategy.doNotRetry())
                .apiCallTimeout(config.timeout())
                .apiCallAttemptTimeout(config.timeout()))
        .build();
  }

  /** The Region's own endpoint, or what the configuration writes in place of it. */
  private URI endpointOf(String region) {
    return config
        .fallback()
        .filter(second -> second.region().name().equals(region))
        .map(StsConfig.Fallback::endpoint)
        .orElse(config.endpoint())
        .orElseGet(() ->
            URI.create("https://" + StsClient.serviceMetadata().endpointFor(Region.of(region))));
  }
}
