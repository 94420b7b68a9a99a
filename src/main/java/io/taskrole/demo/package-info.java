/**
 * What {@code taskrole demo} embeds: an issuer that signs as Nomad does and an STS that verifies,
 * both on loopback and for one run. Not part of the daemon.
 */
@NullMarked
package io.taskrole.demo;

import org.jspecify.annotations.NullMarked;
