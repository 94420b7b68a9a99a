package io.taskrole.http;

import io.netty.util.NetUtil;
import io.taskrole.identity.BearerToken;
import io.taskrole.refusal.Reason;
import io.taskrole.refusal.Refusal;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.BiConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What a request must look like before its token is read. It refuses what no AWS SDK sends:
 * whatever a browser, a proxy or a server tricked into asking for somebody else would add (AWS,
 * "defense in depth" for the instance metadata service; RFC 7230 section 5.4).
 */
final class RequestGate {
  static final String PATH = "/v1/credentials";

  private static final int LONGEST_HEADER_NAME = 64;
  private static final List<String> REFUSED =
      List.of("forwarded", "via", "origin", "referer", "x-real-ip", "true-client-ip");
  private static final List<String> REFUSED_BEGINNINGS = List.of("x-forwarded", "sec-");

  /** Of all the names above, in both cases: spares the usual headers a closer look. */
  private static final String FOREIGN_INITIALS = "fvorxtsFVORXTS";

  private static final Pattern HOST =
      Pattern.compile("(\\[[0-9A-Fa-f:.]+]|[0-9.]+)(?::([0-9]{1,5}))?");

  private static final Refusal PATH_REFUSAL =
      Reason.BAD_REQUEST.refusal("Job author: ask GET " + PATH + ", nothing before or after it.");
  private static final Refusal BODY_REFUSAL =
      Reason.BAD_REQUEST.refusal("Job author: send no body with GET " + PATH + ".");
  private static final Refusal METHOD_REFUSAL =
      Reason.METHOD_NOT_ALLOWED.refusal("Job author: ask with GET; nothing else is answered here.");
  private static final Refusal HOST_REFUSAL =
      Reason.REQUEST_REFUSED.refusal(
          "Job author: set AWS_CONTAINER_CREDENTIALS_FULL_URI to the IP address that taskrole listens"
              + " on, not to a name; the Host header must be it.");
  private static final Refusal TOKEN_REFUSAL =
      Reason.TOKEN_MISSING.refusal(
          "Job author: set AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE to the identity's token file; the"
              + " request has no usable Authorization header.");

  /** What the gate says. */
  sealed interface Verdict {
    /** The request may go on. */
    record Pass(BearerToken token) implements Verdict {}

    /** The request ends here; {@code closes} when the connection cannot be trusted any more. */
    record Stop(Refusal refusal, boolean closes) implements Verdict {}
  }

  private RequestGate() {}

  static Verdict judge(HttpServerRequest request, ConnectionEnds ends) {
    if (!isOurPath(request.uri())) {
      return new Verdict.Stop(PATH_REFUSAL, true);
    }
    if (!request.method().equals(HttpMethod.GET)) {
      return new Verdict.Stop(METHOD_REFUSAL, true);
    }
    Headers headers = new Headers();
    request.headers().forEach(headers);
    if (headers.announceBody) {
      return new Verdict.Stop(BODY_REFUSAL, true);
    }
    if (headers.hosts != 1 || !isOurHost(headers.host, ends)) {
      return new Verdict.Stop(HOST_REFUSAL, true);
    }
    if (headers.foreign != null) {
      return new Verdict.Stop(foreign(headers.foreign), true);
    }
    String token = headers.authorizations == 1 ? token(headers.authorization) : "";
    return token.isEmpty()
        ? new Verdict.Stop(TOKEN_REFUSAL, false)
        : new Verdict.Pass(BearerToken.of(token));
  }

  /** What matters of the headers, in one pass over them. */
  private static final class Headers implements BiConsumer<String, String> {
    private int hosts;
    private String host = "";
    private int authorizations;
    private String authorization = "";
    private boolean announceBody;
    private @Nullable String foreign;

    @Override
    public void accept(String name, String value) {
      if (name.equalsIgnoreCase("host")) {
        hosts++;
        host = value;
      } else if (name.equalsIgnoreCase("authorization")) {
        authorizations++;
        authorization = value;
      } else if (name.equalsIgnoreCase("transfer-encoding")) {
        announceBody = true;
      } else if (name.equalsIgnoreCase("content-length")) {
        announceBody |= !value.equals("0");
      } else if (foreign == null && isForeign(name)) {
        foreign = name;
      }
    }
  }

  /** The path as it was sent: no decoding, no dots; doubled and trailing slashes do no harm. */
  private static boolean isOurPath(String uri) {
    if (uri.equals(PATH)) {
      return true;
    }
    String path = uri.replaceAll("/+", "/");
    return uri.startsWith("/") && (path.equals(PATH) || path.equals(PATH + "/"));
  }

  /** Host is the address that the connection reached, with or without its port. */
  private static boolean isOurHost(String host, ConnectionEnds ends) {
    if (host.equals(ends.host())) {
      return true;
    }
    Matcher matcher = HOST.matcher(host);
    if (!matcher.matches()) {
      return false;
    }
    String literal = matcher.group(1);
    byte[] named =
        NetUtil.createByteArrayFromIpAddressString(
            literal.startsWith("[") ? literal.substring(1, literal.length() - 1) : literal);
    return named != null
        && Arrays.equals(named, ends.local().getAddress().getAddress())
        && (matcher.group(2) == null
            || Integer.parseInt(matcher.group(2)) == ends.local().getPort());
  }

  private static boolean isForeign(String name) {
    if (name.isEmpty() || FOREIGN_INITIALS.indexOf(name.charAt(0)) < 0) {
      return false;
    }
    String lower = name.toLowerCase(Locale.ROOT);
    return REFUSED.contains(lower) || REFUSED_BEGINNINGS.stream().anyMatch(lower::startsWith);
  }

  private static Refusal foreign(String name) {
    String shown = name.length() <= LONGEST_HEADER_NAME ? name : "its long name";
    return Reason.REQUEST_REFUSED.refusal(
        "Job author: ask from the task itself; no browser, proxy or forwarder may ask for it (header "
            + shown
            + ").");
  }

  /** The SDKs send the token bare; a scheme and blanks around it do no harm. */
  private static String token(String value) {
    String text = value.strip();
    boolean hasScheme = text.regionMatches(true, 0, "Bearer", 0, 6);
    return hasScheme && (text.length() == 6 || text.charAt(6) == ' ')
        ? text.substring(6).strip()
        : text;
  }
}
