/**
 * The one place where time is read and waited for; everything else gets it as a parameter. A leaf.
 */
@NullMarked
package io.taskrole.time;

import org.jspecify.annotations.NullMarked;
