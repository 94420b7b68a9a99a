/**
 * Who is asking: the token of a Nomad workload identity, the key set that proves it, and the
 * identity that it proves. Depends on nothing but the leaves; the JOSE library is seen here alone.
 */
@NullMarked
package io.taskrole.identity;

import org.jspecify.annotations.NullMarked;
