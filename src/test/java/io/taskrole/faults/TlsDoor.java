package io.taskrole.faults;

import io.taskrole.testing.TestAuthority;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.net.URI;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;

/**
 * Stands before a server that speaks no TLS, and speaks it for it; while a fault is set, each
 * connection gets what the fault says in place of that.
 */
final class TlsDoor implements AutoCloseable {
  /** What happens to one connection, from its first byte on. */
  @FunctionalInterface
  interface Fault {
    void play(Socket raw, TlsDoor door) throws IOException, InterruptedException;
  }

  private static final char[] NO_PASSWORD = new char[0];

  private final InetSocketAddress target;
  private final ServerSocket server;
  private final Fault well;
  private final Set<Socket> open = ConcurrentHashMap.newKeySet();
  private final CountDownLatch closed = new CountDownLatch(1);
  private volatile Fault fault;

  TlsDoor(URI target, TestAuthority.Identity identity) {
    try {
      this.target = new InetSocketAddress(target.getHost(), target.getPort());
      this.server = new ServerSocket(0, 512, InetAddress.getByAddress(new byte[] {127, 0, 0, 1}));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    this.well = presents(identity);
    this.fault = well;
    Thread.ofVirtual().start(this::accept);
  }

  URI endpoint() {
    return URI.create("https://127.0.0.1:" + server.getLocalPort());
  }

  /** Speaks TLS with this certificate. */
  static Fault presents(TestAuthority.Identity identity) {
    SSLContext context = context(identity);
    return (raw, door) -> {
      try (SSLSocket socket =
              (SSLSocket) context.getSocketFactory().createSocket(raw, null, false);
          Socket upstream = new Socket(door.target.getAddress(), door.target.getPort())) {
        socket.startHandshake();
        Thread back =
            Thread.ofVirtual()
                .start(() -> {
                  try {
                    upstream.getInputStream().transferTo(socket.getOutputStream());
                  } catch (IOException e) {
                    // one of them hung up
                  }
                });
        socket.getInputStream().transferTo(upstream.getOutputStream());
        upstream.shutdownOutput();
        back.join();
      }
    };
  }

  /** Says nothing until the door is closed. */
  static Fault silence() {
    return (_, door) -> door.closed.await();
  }

  /** Waits for the first message of the handshake, and answers it with these bytes. */
  static Fault answers(byte[] bytes) {
    return (raw, _) -> {
      hello(raw);
      raw.getOutputStream().write(bytes);
      raw.getOutputStream().flush();
      raw.getInputStream().read();
    };
  }

  /** Waits for the first message of the handshake, and ends the connection by a reset. */
  static Fault reset() {
    return (raw, _) -> {
      hello(raw);
      raw.setSoLinger(true, 0);
    };
  }

  void begin(Fault begun) throws IOException {
    turn(begun);
  }

  void end() throws IOException {
    turn(well);
  }

  /** Connections that are kept would not see the change. */
  private void turn(Fault next) throws IOException {
    fault = next;
    for (Socket socket : open) {
      socket.close();
    }
  }

  private static void hello(Socket raw) throws IOException {
    byte[] record = raw.getInputStream().readNBytes(5);
    raw.getInputStream().readNBytes(((record[3] & 0xff) << 8) | (record[4] & 0xff));
  }

  private void accept() {
    while (!server.isClosed()) {
      try {
        Socket socket = server.accept();
        Thread.ofVirtual().start(() -> serve(socket));
      } catch (SocketException e) {
        return;
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private void serve(Socket socket) {
    open.add(socket);
    try (socket) {
      fault.play(socket, this);
    } catch (IOException e) {
      // The daemon hung up, or the fault was one for it.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      open.remove(socket);
    }
  }

  private static SSLContext context(TestAuthority.Identity identity) {
    try {
      KeyStore store = KeyStore.getInstance("PKCS12");
      store.load(null, null);
      store.setKeyEntry(
          "key",
          identity.key().getPrivate(),
          NO_PASSWORD,
          new Certificate[] {identity.certificate()});
      KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
      keys.init(store, NO_PASSWORD);
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(keys.getKeyManagers(), null, null);
      return context;
    } catch (GeneralSecurityException | IOException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    closed.countDown();
    try {
      server.close();
      turn(well);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
