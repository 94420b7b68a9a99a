/**
 * The service manager above the daemon: the sockets that it hands over, what it wants to be told,
 * and how often. Knows systemd's protocols, {@code sd_listen_fds(3)} and {@code sd_notify(3)}, and
 * nothing of the daemon.
 */
@NullMarked
package io.taskrole.systemd;

import org.jspecify.annotations.NullMarked;
