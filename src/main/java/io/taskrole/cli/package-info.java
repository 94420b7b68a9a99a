/** The commands, one class each. The command line library is seen here alone. */
@NullMarked
package io.taskrole.cli;

import org.jspecify.annotations.NullMarked;
