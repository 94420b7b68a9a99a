/** How Nomad is reached. The Nomad SDK and Bouncy Castle are seen here alone. */
@NullMarked
package io.taskrole.nomad;

import org.jspecify.annotations.NullMarked;
