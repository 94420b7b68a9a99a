/**
 * The pipeline that turns a caller's token into a lease of credentials, the leases themselves, and
 * the ports through which the outside is reached: {@link io.taskrole.broker.CredentialSource},
 * {@link io.taskrole.broker.Placements}, {@link io.taskrole.broker.CallerAttestor}.
 */
@NullMarked
package io.taskrole.broker;

import org.jspecify.annotations.NullMarked;
