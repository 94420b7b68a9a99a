/**
 * The daemon's configuration: {@code taskrole.yaml}, read into each component's own configuration
 * type, with every problem told at once.
 */
@NullMarked
package io.taskrole.config;

import org.jspecify.annotations.NullMarked;
