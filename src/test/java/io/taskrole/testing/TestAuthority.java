package io.taskrole.testing;

import io.taskrole.time.TimeSource;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPrivateKey;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import org.bouncycastle.asn1.sec.SECObjectIdentifiers;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.openssl.jcajce.JcaPEMWriter;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.util.io.pem.PemObject;

/** A certificate authority that lives as long as a test. */
public final class TestAuthority {
  /** A key and its certificate. */
  public record Identity(KeyPair key, X509Certificate certificate) {}

  /** A time of validity, counted from now. */
  public record Life(Duration from, Duration to) {}

  private static final Life HOUR = new Life(Duration.ofMinutes(-1), Duration.ofHours(1));

  private final Identity own;
  private int serial = 1;

  public TestAuthority(String name) {
    KeyPair key = key("EC");
    own = new Identity(key, sign(name, key, key, name, "127.0.0.1", HOUR, true));
  }

  public X509Certificate certificate() {
    return own.certificate();
  }

  /** Its own key and certificate, which it signed itself. */
  public Identity own() {
    return own;
  }

  /** A certificate for 127.0.0.1, good as a server's and as a client's. */
  public Identity issue(String name, String algorithm) {
    return issue(name, algorithm, "127.0.0.1", HOUR);
  }

  /**
   * A certificate that is not as it should be.
   *
   * @param host whose certificate it is, an address or a name
   * @param life from when to when it is valid, counted from now
   */
  public Identity issue(String name, String algorithm, String host, Life life) {
    KeyPair key = key(algorithm);
    String issuer = own.certificate().getSubjectX500Principal().getName();
    return new Identity(key, sign(name, key, own.key(), issuer, host, life, false));
  }

  /** PEM as OpenSSL writes it: keys as PKCS #1 or SEC 1, certificates as they are. */
  public static String pem(Object... objects) {
    StringWriter text = new StringWriter();
    try (JcaPEMWriter writer = new JcaPEMWriter(text)) {
      for (Object object : objects) {
        writer.writeObject(object instanceof ECPrivateKey key ? sec1(key) : object);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return text.toString();
  }

  /** As OpenSSL does: the curve stands inside, the public part may be missing (RFC 5915). */
  private static PemObject sec1(ECPrivateKey key) throws IOException {
    return new PemObject(
        "EC PRIVATE KEY",
        new org.bouncycastle.asn1.sec.ECPrivateKey(256, key.getS(), SECObjectIdentifiers.secp256r1)
            .getEncoded());
  }

  private X509Certificate sign(
      String subject,
      KeyPair key,
      KeyPair signer,
      String issuer,
      String host,
      Life life,
      boolean isAuthority) {
    try {
      Instant now = TimeSource.system().instant();
      var builder =
          new JcaX509v3CertificateBuilder(
              new X500Name(issuer),
              BigInteger.valueOf(serial++),
              Date.from(now.plus(life.from())),
              Date.from(now.plus(life.to())),
              new X500Name(subject),
              key.getPublic());
      builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(isAuthority));
      builder.addExtension(
          Extension.subjectAlternativeName,
          false,
          new GeneralNames(
              new GeneralName(
                  Character.isDigit(host.charAt(0)) ? GeneralName.iPAddress : GeneralName.dNSName,
                  host)));
      return new JcaX509CertificateConverter()
          .getCertificate(
              builder.build(
                  new JcaContentSignerBuilder("SHA256withECDSA").build(signer.getPrivate())));
    } catch (GeneralSecurityException | OperatorCreationException | IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private static KeyPair key(String algorithm) {
    try {
      KeyPairGenerator generator = KeyPairGenerator.getInstance(algorithm);
      generator.initialize(algorithm.equals("EC") ? 256 : 2048);
      return generator.generateKeyPair();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }
}
