package io.taskrole.nomad;

import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.openssl.PEMKeyPair;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;

/**
 * TLS towards the Nomad agent: its certificate authority and no other, and our certificate where it
 * asks for one. Safe for concurrent use; reads its files on each call.
 */
public final class NomadTls {
  private static final char[] NO_PASSWORD = new char[0];

  private final NomadConfig.Tls config;

  public NomadTls(NomadConfig.Tls config) {
    this.config = config;
  }

  /**
   * Reads the files and returns sockets that trust and present what they hold.
   *
   * @throws IOException when a file cannot be read or used; the message names it, and never quotes
   *     it
   */
  public SSLSocketFactory socketFactory() throws IOException {
    try {
      TrustManagerFactory trust =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      trust.init(authorities());
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(keys(), trust.getTrustManagers(), null);
      return context.getSocketFactory();
    } catch (GeneralSecurityException e) {
      throw new IOException("nomad.tls: certificate and key cannot be used together", e);
    }
  }

  private KeyStore authorities() throws IOException, GeneralSecurityException {
    KeyStore store = emptyStore();
    List<X509Certificate> certificates = certificates(config.caFile());
    for (int i = 0; i < certificates.size(); i++) {
      store.setCertificateEntry("ca-" + i, certificates.get(i));
    }
    return store;
  }

  private KeyManager[] keys() throws IOException, GeneralSecurityException {
    if (config.certFile().isEmpty() || config.keyFile().isEmpty()) {
      return new KeyManager[0];
    }
    KeyStore store = emptyStore();
    store.setKeyEntry(
        "own",
        key(config.keyFile().get()),
        NO_PASSWORD,
        certificates(config.certFile().get()).toArray(Certificate[]::new));
    KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    keys.init(store, NO_PASSWORD);
    return keys.getKeyManagers();
  }

  private static KeyStore emptyStore() throws IOException, GeneralSecurityException {
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    return store;
  }

  private static List<X509Certificate> certificates(Path file) throws IOException {
    List<X509Certificate> certificates = new ArrayList<>();
    for (Object object : objects(file)) {
      if (object instanceof X509CertificateHolder holder) {
        try {
          certificates.add(new JcaX509CertificateConverter().getCertificate(holder));
        } catch (GeneralSecurityException e) {
          throw new IOException(file + " holds a certificate that cannot be used", e);
        }
      }
    }
    if (certificates.isEmpty()) {
      throw new IOException(file + " holds no PEM certificate");
    }
    return certificates;
  }

  private static PrivateKey key(Path file) throws IOException {
    for (Object object : objects(file)) {
      if (object instanceof PEMKeyPair pair) {
        // A SEC 1 file may hold the private part alone, so no pair is asked for.
        return new JcaPEMKeyConverter().getPrivateKey(pair.getPrivateKeyInfo());
      } else if (object instanceof PrivateKeyInfo info) {
        return new JcaPEMKeyConverter().getPrivateKey(info);
      }
    }
    throw new IOException(file + " holds no PEM private key that is not encrypted");
  }

  /** Everything in a PEM file; what is not a certificate or key, such as EC parameters, as well. */
  private static List<Object> objects(Path file) throws IOException {
    List<Object> objects = new ArrayList<>();
    try (Reader reader = Files.newBufferedReader(file);
        PEMParser parser = new PEMParser(reader)) {
      for (Object next = parser.readObject(); next != null; next = parser.readObject()) {
        objects.add(next);
      }
      return objects;
    } catch (IOException | RuntimeException e) {
      throw new IOException(file + " cannot be read as PEM", e);
    }
  }
}
