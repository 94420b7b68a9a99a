/**
 * YAML 1.2 read strictly, every value with its place, so that a configuration file's problems can
 * all be reported at once. The YAML library is seen here alone.
 */
@NullMarked
package io.taskrole.yaml;

import org.jspecify.annotations.NullMarked;
