/**
 * Proves where a connection comes from: by its address, and by what the kernel says of its other
 * end. Asks the kernel over netlink, without any capability.
 */
@NullMarked
package io.taskrole.attest;

import org.jspecify.annotations.NullMarked;
