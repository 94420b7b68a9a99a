package io.taskrole.telemetry;

import java.nio.file.Path;
import java.util.Optional;

/**
 * Where the audit log goes.
 *
 * @param file appended to, created with mode 0640; empty means standard output
 */
public record AuditConfig(Optional<Path> file) {}
