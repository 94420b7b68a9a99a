/**
 * Which role a task gets: rules, role ARN, session name and their loader. Pure and immutable;
 * depends on {@code identity} for the task's coordinates and on {@code yaml} for reading.
 */
@NullMarked
package io.taskrole.policy;

import org.jspecify.annotations.NullMarked;
