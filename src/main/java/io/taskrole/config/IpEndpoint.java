package io.taskrole.config;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads {@code 127.0.0.1:9171} and {@code [fd00:ec2::23]:80}; never looks a name up. */
public final class IpEndpoint {
  private static final Pattern FORM =
      Pattern.compile("(?:([0-9]{1,3}(?:\\.[0-9]{1,3}){3})|\\[([0-9a-fA-F:.]+)]):([0-9]{1,5})");

  private IpEndpoint() {}

  static Optional<InetSocketAddress> parse(String text) {
    Matcher matcher = FORM.matcher(text);
    if (!matcher.matches() || Integer.parseInt(matcher.group(3)) > 65_535) {
      return Optional.empty();
    }
    String literal = matcher.group(1) == null ? matcher.group(2) : matcher.group(1);
    try {
      return Optional.of(
          new InetSocketAddress(
              InetAddress.ofLiteral(literal), Integer.parseInt(matcher.group(3))));
    } catch (IllegalArgumentException e) {
      return Optional.empty();
    }
  }

  /** Writes an endpoint in the same form. */
  public static String format(InetSocketAddress endpoint) {
    String literal = endpoint.getAddress().getHostAddress();
    return (literal.contains(":") ? "[" + literal + "]" : literal) + ":" + endpoint.getPort();
  }
}
