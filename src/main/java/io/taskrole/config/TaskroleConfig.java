package io.taskrole.config;

import io.taskrole.broker.BrokerConfig;
import io.taskrole.broker.PlacementConfig;
import io.taskrole.http.ListenConfig;
import io.taskrole.identity.IdentityConfig;
import io.taskrole.nomad.NomadConfig;
import io.taskrole.sts.StsConfig;
import io.taskrole.telemetry.AuditConfig;
import java.nio.file.Path;

/**
 * A whole configuration; an instance has been checked.
 *
 * @param file where it was read from
 * @param roles the roles file
 */
public record TaskroleConfig(
    Path file,
    ListenConfig listen,
    BrokerConfig broker,
    NomadConfig nomad,
    IdentityConfig identity,
    PlacementConfig placement,
    Path roles,
    StsConfig sts,
    AuditConfig audit) {}
