package io.taskrole.http;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Where to listen.
 *
 * @param credentials the addresses of the credential endpoint, at least one
 * @param admin the address of {@code /healthz /readyz /metrics}
 * @param exposeToNetwork permits addresses that other hosts can reach: whoever can open a
 *     connection may then try stolen tokens, and credentials cross the network in clear
 * @param reusePort lets a second process of the same user listen on the same addresses, to take
 *     this one's place
 */
public record ListenConfig(
    List<InetSocketAddress> credentials,
    InetSocketAddress admin,
    boolean exposeToNetwork,
    boolean reusePort) {
  /** Throws {@link IllegalArgumentException} when no address is given or one is routable. */
  public ListenConfig {
    credentials = List.copyOf(credentials);
    if (credentials.isEmpty()) {
      throw new IllegalArgumentException("no address to listen on");
    }
    if (!exposeToNetwork
        && !(credentials.stream().allMatch(ListenConfig::isLocal) && isLocal(admin))) {
      throw new IllegalArgumentException("a routable address");
    }
  }

  /**
   * With the addresses of sockets that were handed over, as far as it does not name them: whoever
   * connects there must be answered.
   */
  public ListenConfig and(List<InetSocketAddress> inherited) {
    Set<InetSocketAddress> all = new LinkedHashSet<>(credentials);
    inherited.stream().filter(address -> !address.equals(admin)).forEach(all::add);
    return new ListenConfig(List.copyOf(all), admin, exposeToNetwork, reusePort);
  }

  /** The first of these that other hosts can reach, unless that is permitted. */
  public Optional<InetSocketAddress> routable(List<InetSocketAddress> addresses) {
    return addresses.stream().filter(address -> !exposeToNetwork && !isLocal(address)).findFirst();
  }

  /** Whether only this host can be meant: loopback or link-local. */
  public static boolean isLocal(InetSocketAddress address) {
    InetAddress ip = address.getAddress();
    return ip != null && (ip.isLoopbackAddress() || ip.isLinkLocalAddress() || isEksAddress(ip));
  }

  /** {@code fd00:ec2::23}: link-local in all but its prefix, known to the SDKs as EKS's own. */
  private static boolean isEksAddress(InetAddress ip) {
    return ip.getHostAddress().equals("fd00:ec2:0:0:0:0:0:23");
  }
}
