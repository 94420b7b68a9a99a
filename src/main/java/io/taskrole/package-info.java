/** The composition root: what is built, in which order it starts and stops. */
@NullMarked
package io.taskrole;

import org.jspecify.annotations.NullMarked;
