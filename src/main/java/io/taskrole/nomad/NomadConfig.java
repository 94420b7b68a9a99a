package io.taskrole.nomad;

import java.net.URI;
import java.nio.file.Path;
import java.util.Optional;

/**
 * How the Nomad agent of this node is reached.
 *
 * @param address http or https, without a path
 * @param tls for an https address with a private certificate authority
 */
public record NomadConfig(URI address, Optional<Tls> tls) {
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
