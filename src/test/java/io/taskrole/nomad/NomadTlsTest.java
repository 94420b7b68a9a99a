package io.taskrole.nomad;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsParameters;
import com.sun.net.httpserver.HttpsServer;
import io.taskrole.identity.HttpKeySetSource;
import io.taskrole.testing.TestAuthority;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.time.Duration;
import java.util.Optional;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.TrustManagerFactory;
import org.bouncycastle.openssl.jcajce.JcaPKCS8Generator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** An agent with TLS of its own authority, which asks for a client certificate. */
class NomadTlsTest {
  private static final TestAuthority AUTHORITY = new TestAuthority("CN=nomad");
  private static final TestAuthority OTHER = new TestAuthority("CN=other");

  @TempDir Path directory;
  private HttpsServer agent;

  @BeforeEach
  void start() throws Exception {
    char[] none = new char[0];
    TestAuthority.Identity identity = AUTHORITY.issue("CN=server", "RSA");
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    store.setKeyEntry(
        "key", identity.key().getPrivate(), none, new Certificate[] {identity.certificate()});
    KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
    keys.init(store, none);
    KeyStore clients = KeyStore.getInstance("PKCS12");
    clients.load(null, null);
    clients.setCertificateEntry("ca", AUTHORITY.certificate());
    TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
    trust.init(clients);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
    agent =
        HttpsServer.create(
            new InetSocketAddress(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), 0), 16);
    agent.setHttpsConfigurator(
        new HttpsConfigurator(context) {
          @Override
          public void configure(HttpsParameters parameters) {
            SSLParameters asked = context.getDefaultSSLParameters();
            asked.setNeedClientAuth(true);
            parameters.setSSLParameters(asked);
          }
        });
    agent.createContext(
        "/",
        exchange -> {
          boolean lists = exchange.getRequestURI().getPath().endsWith("/allocations");
          exchange.getResponseHeaders().set("X-Nomad-Index", "7");
          try (exchange) {
            exchange.sendResponseHeaders(200, 2);
            exchange.getResponseBody().write((lists ? "[]" : "{}").getBytes(US_ASCII));
          }
        });
    agent.start();
  }

  @AfterEach
  void stop() {
    agent.stop(0);
  }

  private Path file(String name, String content) throws IOException {
    return Files.writeString(directory.resolve(name), content);
  }

  private byte[] fetch(Path ca, Path cert, Path key) throws IOException {
    NomadTls tls = new NomadTls(new NomadConfig.Tls(ca, Optional.of(cert), Optional.of(key)));
    URI uri = URI.create("https://127.0.0.1:" + agent.getAddress().getPort() + "/keys");
    return new HttpKeySetSource(uri, Optional.of(tls::socketFactory))
        .fetch(0, Duration.ZERO)
        .body();
  }

  @ParameterizedTest
  @CsvSource({"EC, false", "EC, true", "RSA, false", "RSA, true"})
  void ownCertificate_isPresented_inEveryCommonKeyForm(String algorithm, boolean pkcs8)
      throws IOException {
    TestAuthority.Identity identity = AUTHORITY.issue("CN=client", algorithm);
    Object key =
        pkcs8
            ? new JcaPKCS8Generator(identity.key().getPrivate(), null)
            : identity.key().getPrivate();
    assertThat(
            fetch(
                // A bundle: the right authority may stand anywhere in it.
                file("ca.pem", TestAuthority.pem(OTHER.certificate(), AUTHORITY.certificate())),
                file("cert.pem", TestAuthority.pem(identity.certificate())),
                file("key.pem", TestAuthority.pem(key))))
        .hasSize(2);
  }

  @Test
  void allocations_areListedOverMutualTls_byTheFilesAsTheyAre() throws IOException {
    TestAuthority.Identity identity = AUTHORITY.issue("CN=client", "EC");
    Path ca = file("ca.pem", TestAuthority.pem(OTHER.certificate()));
    NomadConfig config =
        new NomadConfig(
            URI.create("https://127.0.0.1:" + agent.getAddress().getPort()),
            Optional.empty(),
            Optional.of("2b046d1a-6c1e-03be-2751-028cbff36c51"),
            Optional.of(
                new NomadConfig.Tls(
                    ca,
                    Optional.of(file("cert.pem", TestAuthority.pem(identity.certificate()))),
                    Optional.of(file("key.pem", TestAuthority.pem(identity.key().getPrivate()))))));
    try (AgentSource source = new AgentSource(config, (_, _) -> false)) {
      assertThatThrownBy(() -> source.list(0, Duration.ZERO)).isInstanceOf(IOException.class);
      file("ca.pem", TestAuthority.pem(OTHER.certificate(), AUTHORITY.certificate()));
      assertThat(source.list(0, Duration.ZERO).index()).isEqualTo(7);
    }
  }

  @Test
  void rotatedFiles_areReadAgain() throws IOException {
    TestAuthority.Identity identity = AUTHORITY.issue("CN=client", "EC");
    Path ca = file("ca.pem", TestAuthority.pem(OTHER.certificate()));
    Path cert = file("cert.pem", TestAuthority.pem(identity.certificate()));
    Path key = file("key.pem", TestAuthority.pem(identity.key().getPrivate()));
    assertThatThrownBy(() -> fetch(ca, cert, key)).isInstanceOf(IOException.class);
    file("ca.pem", TestAuthority.pem(AUTHORITY.certificate()));
    assertThat(fetch(ca, cert, key)).hasSize(2);
  }

  @Test
  void unusableFiles_areNamed() throws IOException {
    TestAuthority.Identity identity = AUTHORITY.issue("CN=client", "EC");
    Path good = file("good.pem", TestAuthority.pem(identity.certificate()));
    Path key = file("key.pem", TestAuthority.pem(identity.key().getPrivate()));
    Path empty = file("empty.pem", "nothing here");
    assertThatThrownBy(() -> fetch(empty, good, key))
        .hasMessageContaining("empty.pem holds no PEM certificate");
    assertThatThrownBy(() -> fetch(good, good, empty))
        .hasMessageContaining("empty.pem holds no PEM private key");
    assertThatThrownBy(() -> fetch(directory.resolve("none.pem"), good, key))
        .hasMessageContaining("none.pem cannot be read as PEM");
  }
}
