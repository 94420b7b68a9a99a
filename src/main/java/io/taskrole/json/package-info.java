/** JSON read strictly. A leaf, used wherever JSON from outside decides something. */
@NullMarked
package io.taskrole.json;

import org.jspecify.annotations.NullMarked;
