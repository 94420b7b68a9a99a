/**
 * The credential endpoint as the AWS SDKs know it, and the admin endpoint. The only place that
 * knows status codes; Vert.x is seen here, and in the composition root that starts it.
 */
@NullMarked
package io.taskrole.http;

import org.jspecify.annotations.NullMarked;
