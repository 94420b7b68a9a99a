package io.taskrole.testing;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketException;
import java.util.Arrays;
import java.util.concurrent.ThreadLocalRandom;

/**
 * A name server on a loopback address of its own, port 53, where the C library looks for one (RFC
 * 1035, section 4.1). It knows every name, until it is told otherwise. Needs root.
 */
public final class ScriptedDns implements AutoCloseable {
  /** What a question of one type is answered. */
  public enum Answer {
    ADDRESS,
    NONE,
    NO_SUCH_NAME,
    FAILURE,
    SILENCE
  }

  private static final int IPV6 = 28;
  private static final int HEADER = 12;

  private final DatagramSocket socket;
  private final InetAddress own;
  private volatile Answer ipv4 = Answer.ADDRESS;
  private volatile Answer ipv6 = Answer.NONE;
  private volatile InetAddress known = InetAddress.ofLiteral("127.0.0.1");

  private ScriptedDns(InetAddress own, DatagramSocket socket) {
    this.own = own;
    this.socket = socket;
    Thread.ofPlatform().daemon().name("scripted-dns").start(this::serve);
  }

  public static ScriptedDns start() {
    ThreadLocalRandom random = ThreadLocalRandom.current();
    InetAddress own =
        InetAddress.ofLiteral("127.77." + random.nextInt(1, 255) + "." + random.nextInt(1, 255));
    try {
      return new ScriptedDns(own, new DatagramSocket(new InetSocketAddress(own, 53)));
    } catch (SocketException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What stands in {@code /etc/resolv.conf} for it. */
  public String resolvConf() {
    return "nameserver " + own.getHostAddress() + "\noptions timeout:2 attempts:1\n";
  }

  /** How questions for addresses of IPv4 and of IPv6 are answered from now on. */
  public void answer(Answer ipv4, Answer ipv6) {
    this.ipv4 = ipv4;
    this.ipv6 = ipv6;
  }

  /** Every name has this address from now on. */
  public void know(String address) {
    known = InetAddress.ofLiteral(address);
  }

  private void serve() {
    while (!socket.isClosed()) {
      DatagramPacket packet = new DatagramPacket(new byte[512], 512);
      try {
        socket.receive(packet);
        byte[] query = Arrays.copyOf(packet.getData(), packet.getLength());
        byte[] answer = answer(query);
        if (answer.length > 0) {
          socket.send(new DatagramPacket(answer, answer.length, packet.getSocketAddress()));
        }
      } catch (SocketException e) {
        return;
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  /** Empty for none. */
  private byte[] answer(byte[] query) {
    int end = HEADER;
    while (query[end] != 0) {
      end += query[end] + 1;
    }
    int type = ((query[end + 1] & 0xff) << 8) | (query[end + 2] & 0xff);
    Answer answer = type == IPV6 ? ipv6 : ipv4;
    if (answer == Answer.SILENCE) {
      return new byte[0];
    }
    boolean hasAddress = answer == Answer.ADDRESS;
    int code =
        switch (answer) {
          case NO_SUCH_NAME -> 3;
          case FAILURE -> 2;
          case ADDRESS, NONE, SILENCE -> 0;
        };
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(query, 0, 2);
    out.writeBytes(new byte[] {(byte) 0x81, (byte) (0x80 | code)});
    out.writeBytes(new byte[] {0, 1, 0, (byte) (hasAddress ? 1 : 0), 0, 0, 0, 0});
    out.write(query, HEADER, end + 5 - HEADER);
    if (hasAddress) {
      // The name by a pointer to the question's, type A, class IN, no time to live, four bytes.
      out.writeBytes(new byte[] {(byte) 0xc0, HEADER, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4});
      out.writeBytes(known.getAddress());
    }
    return out.toByteArray();
  }

  @Override
  public void close() {
    socket.close();
  }
}
