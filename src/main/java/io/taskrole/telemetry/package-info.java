/**
 * Metrics, health and the audit log. A leaf: it knows names and numbers, not the components that
 * report them. The Prometheus client is seen here alone.
 */
@NullMarked
package io.taskrole.telemetry;

import org.jspecify.annotations.NullMarked;
