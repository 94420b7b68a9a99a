package io.taskrole.config;

import io.taskrole.broker.BrokerConfig;
import io.taskrole.broker.PlacementConfig;
import io.taskrole.http.ListenConfig;
import io.taskrole.identity.IdentityConfig;
import io.taskrole.nomad.NomadConfig;
import io.taskrole.policy.AttestLevel;
import io.taskrole.policy.Region;
import io.taskrole.policy.RolesFile;
import io.taskrole.sts.StsConfig;
import io.taskrole.telemetry.AuditConfig;
import io.taskrole.yaml.Durations;
import io.taskrole.yaml.Place;
import io.taskrole.yaml.Problems;
import io.taskrole.yaml.YamlDocument;
import io.taskrole.yaml.YamlFields;
import io.taskrole.yaml.YamlNode;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * Reads {@code taskrole.yaml}. A value that is {@code ${env:NAME}} comes from the environment;
 * paths are relative to the file. {@code docs/configuration.md} describes every key.
 */
public final class ConfigFile {
  private static final String JWKS = "/.well-known/jwks.json";
  private static final String DURATION = "write a duration such as 850ms, 5s or 1h30m";
  private static final Duration UNLIMITED = Duration.ofSeconds(Long.MAX_VALUE);
  private static final YamlNode.Mapping NOTHING =
      new YamlNode.Mapping(Place.beginningOf(""), List.of());

  private final Path directory;
  private final YamlFields root;
  private final Problems problems;

  private ConfigFile(Path directory, YamlNode.Mapping root, Problems problems) {
    this.directory = directory;
    this.root = new YamlFields(root, problems);
    this.problems = problems;
  }

  /**
   * Reads a configuration; empty when there is any problem.
   *
   * @param environment values of environment variables
   * @param problems takes everything that is wrong
   */
  public static Optional<TaskroleConfig> load(
      Path file, Function<String, Optional<String>> environment, Problems problems) {
    byte[] content;
    try {
      content = YamlDocument.read(file);
    } catch (IOException e) {
      problems.add(
          Place.beginningOf(file.toString()),
          e instanceof NoSuchFileException ? "there is no such file" : "the file cannot be read",
          "name a readable file with --config");
      return Optional.empty();
    }
    Path parent = file.toAbsolutePath().getParent();
    return YamlDocument.parse(file.toString(), content, problems, environment)
        .flatMap(root -> new ConfigFile(parent == null ? file : parent, root, problems).read(file))
        .filter(_ -> problems.isEmpty());
  }

  /**
   * Reads a configuration and its roles file, offline; empty when there is any problem in either.
   */
  public static Optional<TaskroleConfig> check(
      Path file, Function<String, Optional<String>> environment, Problems problems) {
    Optional<TaskroleConfig> config = load(file, environment, problems);
    if (Files.isReadable(file)) {
      // Also when the configuration has problems: all are told in one go.
      Path roles =
          config.map(TaskroleConfig::roles).orElseGet(() -> rolesBeside(file, environment));
      RolesFile.load(roles, config.map(known -> known.sts().region()), problems);
    }
    return config.filter(_ -> problems.isEmpty());
  }

  private static Path rolesBeside(Path file, Function<String, Optional<String>> environment) {
    String roles = "roles.yaml";
    try {
      roles =
          YamlDocument.parse(file.toString(), YamlDocument.read(file), new Problems(), environment)
              .flatMap(root -> new YamlFields(root, new Problems()).text("roles"))
              .orElse(roles);
    } catch (IOException e) {
      // told by load already
    }
    return file.toAbsolutePath().resolveSibling(roles).normalize();
  }

  private Optional<TaskroleConfig> read(Path file) {
    root.require("sts", "write sts: with region: below it");
    Optional<ListenConfig> listen = listen(below("listen"));
    Duration answerWithin =
        duration(root, "answer-within", "100ms", "20s").orElse(Duration.ofMillis(850));
    NomadConfig nomad = nomad(below("nomad"));
    IdentityConfig identity = identity(below("identity"), nomad);
    PlacementConfig placement = placement(below("placement"));
    Path roles = resolve(root.text("roles").orElse("roles.yaml"));
    Optional<StsConfig> sts = root.fields("sts").flatMap(this::sts);
    YamlFields audit = below("audit");
    AuditConfig auditLog = new AuditConfig(audit.text("file").map(this::resolve));
    audit.end();
    root.end();
    return listen.flatMap(listening ->
        sts.map(asking ->
            new TaskroleConfig(
                file,
                listening,
                new BrokerConfig(answerWithin, asking.fallback().map(StsConfig.Fallback::region)),
                nomad,
                identity,
                placement,
                roles,
                asking,
                auditLog)));
  }

  private YamlFields below(String key) {
    return root.fields(key).orElseGet(() -> new YamlFields(NOTHING, problems));
  }

  private Optional<ListenConfig> listen(YamlFields fields) {
    List<YamlNode.Scalar> written = fields.texts("credentials").orElse(List.of());
    List<InetSocketAddress> credentials = new ArrayList<>();
    boolean exposed = fields.flag("expose-to-network").orElse(false);
    boolean reusePort = fields.flag("reuse-port").orElse(false);
    for (YamlNode.Scalar text : written) {
      IpEndpoint.parse(text.text())
          .ifPresentOrElse(
              endpoint -> {
                refuseRoutable(text.place(), endpoint, exposed);
                credentials.add(endpoint);
              },
              () ->
                  problems.add(
                      text.place(),
                      "not an address to listen on",
                      "write an IP address and port, such as 127.0.0.1:9171 or [::1]:9171"));
    }
    if (written.isEmpty()) {
      IpEndpoint.parse("127.0.0.1:9171").ifPresent(credentials::add);
    }
    Optional<InetSocketAddress> admin =
        fields.parsed(
            "admin", IpEndpoint::parse, "write an IP address and port, such as 127.0.0.1:9172");
    admin.ifPresent(endpoint -> refuseRoutable(fields.place("admin"), endpoint, exposed));
    admin
        .filter(endpoint -> endpoint.getPort() != 0 && credentials.contains(endpoint))
        .ifPresent(_ ->
            problems.add(
                fields.place("admin"),
                "admin is an address of the credential endpoint",
                "give it a port of its own"));
    fields.end();
    return problems.isEmpty()
        ? admin
            .or(() -> IpEndpoint.parse("127.0.0.1:9172"))
            .map(endpoint -> new ListenConfig(credentials, endpoint, exposed, reusePort))
        : Optional.empty();
  }

  private void refuseRoutable(Place place, InetSocketAddress endpoint, boolean exposed) {
    if (!exposed && !ListenConfig.isLocal(endpoint)) {
      problems.add(
          place,
          IpEndpoint.format(endpoint) + " can be reached from other hosts",
          "listen on 127.0.0.1 or 169.254.170.23; or risk it with listen.expose-to-network: true:"
              + " credentials then cross the network in clear, and a stolen token can be tried from"
              + " anywhere");
    }
  }

  private NomadConfig nomad(YamlFields fields) {
    URI address =
        fields
            .parsed(
                "address",
                ConfigFile::agent,
                "write http://, https:// or unix:// with the path of a task API socket")
            .orElse(URI.create("http://127.0.0.1:4646"));
    Optional<Path> tokenFile = fields.text("token-file").map(this::resolve);
    Optional<String> nodeId =
        fields.parsed(
            "node-id",
            text -> Optional.of(text).filter(NomadConfig::isNodeId),
            "write the node's whole id, 36 characters, such as ${env:NODE_ID} set to"
                + " ${node.unique.id}; or leave the key out");
    Optional<NomadConfig.Tls> tls = fields.fields("tls").flatMap(this::tls);
    fields.end();
    if ("unix".equals(address.getScheme()) && tokenFile.isEmpty()) {
      problems.add(
          fields.place(),
          "the task API socket needs a token",
          "name it: token-file: /secrets/nomad_token");
    }
    return new NomadConfig(address, tokenFile, nodeId, tls);
  }

  private static Optional<URI> agent(String text) {
    if (text.startsWith("unix:///")) {
      return Optional.of(URI.create("unix://" + Path.of(text.substring(7)).toUri().getRawPath()));
    }
    return uri(text, Set.of("http", "https")).filter(uri -> uri.getPath().matches("/?"));
  }

  private Optional<NomadConfig.Tls> tls(YamlFields fields) {
    fields.require(
        "ca-file", "name the PEM file of the authority that signed the agent's certificate");
    Optional<Path> ca = fields.text("ca-file").map(this::resolve);
    Optional<Path> cert = fields.text("cert-file").map(this::resolve);
    Optional<Path> key = fields.text("key-file").map(this::resolve);
    fields.end();
    if (cert.isPresent() != key.isPresent()) {
      problems.add(
          fields.place(), "cert-file and key-file go together", "write both, or leave both out");
      return Optional.empty();
    }
    return ca.map(authority -> new NomadConfig.Tls(authority, cert, key));
  }

  private IdentityConfig identity(YamlFields fields, NomadConfig nomad) {
    String audience =
        fields
            .parsed("audience", ConfigFile::present, "write the one audience of your identities")
            .orElse("sts.amazonaws.com");
    Optional<String> issuer =
        fields.parsed("issuer", ConfigFile::present, "write oidc_issuer, or leave the key out");
    URI keySet =
        uri(fields, "key-set", Set.of("http", "https"))
            .orElseGet(() ->
                nomad.isSocket()
                    ? nomad.address()
                    : URI.create(nomad.address().toString().replaceAll("/+$", "") + JWKS));
    Duration skew = duration(fields, "clock-skew", "0s", "60s").orElse(Duration.ofSeconds(5));
    fields.end();
    return new IdentityConfig(audience, issuer, keySet, skew);
  }

  private PlacementConfig placement(YamlFields fields) {
    AttestLevel attest =
        fields
            .parsed("attest", AttestLevel::parse, "write bearer, address or kernel")
            .orElse(AttestLevel.BEARER);
    Optional<Duration> without =
        fields
            .parsed(
                "serve-without-nomad",
                ConfigFile::withoutNomad,
                "write unlimited, or a duration from 1m to 720h")
            .filter(limit -> !limit.equals(UNLIMITED));
    boolean servesExpired =
        oneOf(fields, "expired-token", "refuse", "serve-existing").equals("serve-existing");
    boolean prefetches =
        oneOf(fields, "prefetch", "off", "from-secrets-dir").equals("from-secrets-dir");
    Optional<Path> allocations = fields.text("alloc-dir").map(this::resolve);
    if (prefetches && allocations.isEmpty()) {
      problems.add(
          fields.place("prefetch"),
          "prefetch needs alloc-dir",
          "name Nomad's directory of allocations, for example alloc-dir: /opt/nomad/data/alloc");
    } else if (!prefetches && allocations.isPresent()) {
      problems.add(
          fields.place("alloc-dir"),
          "alloc-dir has no effect: prefetch is off",
          "write prefetch: from-secrets-dir, or remove it");
    }
    fields.end();
    return new PlacementConfig(
        attest, without, servesExpired, prefetches ? allocations : Optional.empty());
  }

  private static Optional<Duration> withoutNomad(String text) {
    return text.equals("unlimited")
        ? Optional.of(UNLIMITED)
        : Durations.parse(text)
            .filter(limit ->
                limit.compareTo(Duration.ofMinutes(1)) >= 0
                    && limit.compareTo(Duration.ofDays(30)) <= 0);
  }

  /** One of two words, the first of which is the default. */
  private static String oneOf(YamlFields fields, String key, String usual, String other) {
    return fields
        .parsed(
            key,
            text -> text.equals(usual) || text.equals(other) ? Optional.of(text) : Optional.empty(),
            "write " + usual + " or " + other)
        .orElse(usual);
  }

  private Optional<StsConfig> sts(YamlFields fields) {
    fields.require("region", "name the Region whose STS is asked, for example eu-west-1");
    Optional<Region> region =
        fields.parsed("region", Region::parse, "write an AWS Region, for example eu-west-1");
    Optional<URI> endpoint = uri(fields, "endpoint", Set.of("http", "https"));
    Optional<StsConfig.Fallback> fallback = fallback(fields, region);
    Duration timeout = duration(fields, "timeout", "1s", "60s").orElse(Duration.ofSeconds(6));
    int concurrency = fields.integer("concurrency", 1, 256).orElse(16);
    int rate = fields.integer("rate", 1, 10_000).orElse(50);
    fields.end();
    return region.map(name -> new StsConfig(name, endpoint, fallback, timeout, concurrency, rate));
  }

  private Optional<StsConfig.Fallback> fallback(YamlFields fields, Optional<Region> home) {
    Optional<URI> endpoint = uri(fields, "fallback-endpoint", Set.of("http", "https"));
    Optional<Region> region =
        fields.parsed(
            "fallback-region", Region::parse, "write an AWS Region, for example eu-central-1");
    if (endpoint.isPresent() && !fields.has("fallback-region")) {
      problems.add(
          fields.place("fallback-endpoint"),
          "fallback-endpoint has no effect: there is no fallback-region",
          "write fallback-region:, or leave it out");
    }
    if (region.isPresent() && region.equals(home)) {
      problems.add(
          fields.place("fallback-region"),
          "fallback-region is region",
          "name another Region of its partition");
    } else if (region.isPresent()
        && home.isPresent()
        && !region.get().partition().equals(home.get().partition())) {
      problems.add(
          fields.place("fallback-region"),
          "fallback-region is in partition "
              + region.get().partition()
              + ", region in "
              + home.get().partition(),
          "name a Region of the same partition");
    }
    return region.map(name -> new StsConfig.Fallback(name, endpoint));
  }

  private Optional<Duration> duration(YamlFields fields, String key, String least, String most) {
    Duration from = Durations.parse(least).orElseThrow();
    Duration to = Durations.parse(most).orElseThrow();
    return fields.parsed(
        key,
        text ->
            Durations.parse(text)
                .filter(value -> value.compareTo(from) >= 0 && value.compareTo(to) <= 0),
        DURATION + ", from " + least + " to " + most);
  }

  private static Optional<URI> uri(YamlFields fields, String key, Set<String> schemes) {
    return fields.parsed(
        key, text -> uri(text, schemes), "write an http:// or https:// address without a query");
  }

  private static Optional<URI> uri(String text, Set<String> schemes) {
    try {
      URI uri = new URI(text);
      return uri.getScheme() != null
              && schemes.contains(uri.getScheme())
              && uri.getHost() != null
              && uri.getRawQuery() == null
              && uri.getRawFragment() == null
              && uri.getRawUserInfo() == null
          ? Optional.of(uri)
          : Optional.empty();
    } catch (URISyntaxException e) {
      return Optional.empty();
    }
  }

  private static Optional<String> present(String text) {
    return text.isBlank() ? Optional.empty() : Optional.of(text);
  }

  private Path resolve(String path) {
    return directory.resolve(path).normalize();
  }
}
