/**
 * Credentials from AWS STS. The AWS SDK is transport here: no cache, no retry, nothing of the
 * daemon's own profile or environment; what STS says becomes one of our reasons. The SDK is seen
 * here alone.
 */
@NullMarked
package io.taskrole.sts;

import org.jspecify.annotations.NullMarked;
