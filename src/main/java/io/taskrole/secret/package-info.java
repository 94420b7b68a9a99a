/** Bytes that must never reach a log, a metric, an error or a {@code toString}. A leaf. */
@NullMarked
package io.taskrole.secret;

import org.jspecify.annotations.NullMarked;
