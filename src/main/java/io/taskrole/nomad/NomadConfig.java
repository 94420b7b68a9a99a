package io.taskrole.nomad;

import java.net.URI;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * How the Nomad agent of this node is reached.
 *
 * @param address http or https without a path, or unix with the path of a task API socket
 * @param tokenFile holds the token that is sent with every call; read again on each
 * @param nodeId the id of this node; asked of the agent when empty
 * @param tls for an https address with a private certificate authority
 */
public record NomadConfig(
    URI address, Optional<Path> tokenFile, Optional<String> nodeId, Optional<Tls> tls) {
  private static final Pattern NODE_ID =
      Pattern.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}");

  /** Whether an id has the form that Nomad gives to nodes; others must not get into a path. */
  public static boolean isNodeId(String text) {
    return NODE_ID.matcher(text).matches();
  }

  /** Whether the agent is reached through a task API socket. */
  public boolean isSocket() {
    return "unix".equals(address.getScheme());
  }

  /**
   * PEM files; each is read again on each use, so that they may be rotated.
   *
   * @param caFile the certificates that may sign the agent's own
   * @param certFile our certificate and its chain, where the agent asks for one
   * @param keyFile the key to it: PKCS #8, PKCS #1 or SEC 1, not encrypted
   */
  public record Tls(Path caFile, Optional<Path> certFile, Optional<Path> keyFile) {
    /** Throws {@link IllegalArgumentException} when only one of certificate and key is given. */
    public Tls {
      if (certFile.isPresent() != keyFile.isPresent()) {
        throw new IllegalArgumentException("cert-file and key-file go together");
      }
    }
  }
}
