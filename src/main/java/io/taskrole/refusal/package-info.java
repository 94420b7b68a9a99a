/**
 * The catalogue of reasons for which a request is refused. A leaf: every other package may name a
 * reason, only {@code http} knows which status code carries it.
 */
@NullMarked
package io.taskrole.refusal;

import org.jspecify.annotations.NullMarked;
