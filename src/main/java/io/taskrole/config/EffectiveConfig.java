package io.taskrole.config;

import io.taskrole.yaml.Durations;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** Writes a configuration as it is in force, defaults filled in, in the form of the file. */
public final class EffectiveConfig {
  private EffectiveConfig() {}

  /** One line a key; holds nothing secret. */
  public static List<String> lines(TaskroleConfig config) {
    List<String> lines = new ArrayList<>();
    lines.add("config: " + config.file());
    lines.add(
        "listen.credentials: "
            + config.listen().credentials().stream()
                .map(IpEndpoint::format)
                .collect(Collectors.joining(", ", "[", "]")));
    lines.add("listen.admin: " + IpEndpoint.format(config.listen().admin()));
    lines.add("listen.expose-to-network: " + config.listen().exposeToNetwork());
    lines.add("listen.reuse-port: " + config.listen().reusePort());
    lines.add("answer-within: " + Durations.format(config.broker().answerWithin()));
    lines.add("nomad.address: " + config.nomad().address());
    lines.add(
        "nomad.token-file: "
            + config.nomad().tokenFile().map(Object::toString).orElse("(no token)"));
    lines.add("nomad.node-id: " + config.nomad().nodeId().orElse("(asked of the agent)"));
    config.nomad().tls().ifPresent(tls -> lines.add("nomad.tls.ca-file: " + tls.caFile()));
    lines.add("identity.audience: " + config.identity().audience());
    lines.add("identity.issuer: " + config.identity().issuer().orElse("(any)"));
    lines.add("identity.key-set: " + config.identity().keySet());
    lines.add("identity.clock-skew: " + Durations.format(config.identity().clockSkew()));
    lines.add("placement.attest: " + config.placement().attest().label());
    lines.add(
        "placement.serve-without-nomad: "
            + config.placement().serveWithoutNomad().map(Durations::format).orElse("unlimited"));
    lines.add(
        "placement.expired-token: "
            + (config.placement().servesExpired() ? "serve-existing" : "refuse"));
    lines.add(
        "placement.prefetch: "
            + config
                .placement()
                .prefetchFrom()
                .map(path -> "from-secrets-dir below " + path)
                .orElse("off"));
    lines.add("roles: " + config.roles());
    lines.add("sts.region: " + config.sts().region());
    lines.add(
        "sts.endpoint: " + config.sts().endpoint().map(Object::toString).orElse("(the Region's)"));
    lines.add(
        "sts.fallback-region: "
            + config.sts().fallback().map(second -> second.region().name()).orElse("(none)"));
    config
        .sts()
        .fallback()
        .ifPresent(second ->
            lines.add(
                "sts.fallback-endpoint: "
                    + second.endpoint().map(Object::toString).orElse("(the Region's)")));
    lines.add("sts.timeout: " + Durations.format(config.sts().timeout()));
    lines.add("sts.concurrency: " + config.sts().concurrency());
    lines.add("sts.rate: " + config.sts().rate());
    lines.add(
        "audit.file: " + config.audit().file().map(Object::toString).orElse("(standard output)"));
    return lines;
  }
}
