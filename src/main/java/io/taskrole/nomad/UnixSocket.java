package io.taskrole.nomad;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * A unix domain socket for clients that want a {@link Socket}; the JDK offers them as channels
 * only. A read that takes longer than {@link #getSoTimeout} closes it.
 */
final class UnixSocket extends Socket {
  private final SocketChannel channel;
  private int timeoutMillis;

  UnixSocket() {
    try {
      channel = SocketChannel.open(StandardProtocolFamily.UNIX);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  /** Connects; at once or never. */
  void connect(Path path) throws IOException {
    channel.connect(UnixDomainSocketAddress.of(path));
  }

  @Override
  public boolean isConnected() {
    return channel.isConnected();
  }

  @Override
  public boolean isBound() {
    return channel.isConnected();
  }

  @Override
  public boolean isClosed() {
    return !channel.isOpen();
  }

  @Override
  public InetAddress getInetAddress() {
    return InetAddress.getLoopbackAddress();
  }

  @Override
  public int getPort() {
    return 0;
  }

  @Override
  public void setSoTimeout(int millis) {
    timeoutMillis = millis;
  }

  @Override
  public int getSoTimeout() {
    return timeoutMillis;
  }

  @Override
  public void setTcpNoDelay(boolean on) {}

  @Override
  public void setKeepAlive(boolean on) {}

  @Override
  public void setSoLinger(boolean on, int seconds) {}

  @Override
  public void shutdownInput() throws IOException {
    channel.shutdownInput();
  }

  @Override
  public void shutdownOutput() throws IOException {
    channel.shutdownOutput();
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }

  @Override
  public OutputStream getOutputStream() {
    return Channels.newOutputStream(channel);
  }

  @Override
  public InputStream getInputStream() {
    return new Timed();
  }

  private final class Timed extends InputStream {
    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
      if (timeoutMillis == 0) {
        return channel.read(ByteBuffer.wrap(bytes, offset, length));
      }
      CompletableFuture<Void> watch =
          CompletableFuture.runAsync(
              this::expire,
              CompletableFuture.delayedExecutor(timeoutMillis, TimeUnit.MILLISECONDS));
      try {
        return channel.read(ByteBuffer.wrap(bytes, offset, length));
      } catch (AsynchronousCloseException e) {
        SocketTimeoutException timeout = new SocketTimeoutException("no answer in time");
        timeout.initCause(e);
        throw timeout;
      } finally {
        watch.cancel(false);
      }
    }

    private void expire() {
      try {
        channel.close();
      } catch (IOException e) {
        // the reader is woken all the same
      }
    }
  }
}
