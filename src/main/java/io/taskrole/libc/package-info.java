/** Calls to the C library, for what the JDK has no interface for. */
@NullMarked
package io.taskrole.libc;

import org.jspecify.annotations.NullMarked;
