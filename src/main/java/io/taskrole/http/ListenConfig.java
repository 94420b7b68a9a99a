package io.taskrole.http;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;

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
