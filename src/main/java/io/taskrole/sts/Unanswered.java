package io.taskrole.sts;

import io.taskrole.refusal.Reason;
import io.taskrole.refusal.Refusal;
import java.io.EOFException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.SocketException;
import java.net.UnknownHostException;
import java.security.cert.CertPathBuilderException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.util.function.Predicate;
import javax.net.ssl.SSLException;

/** What it means that no answer of STS came: who can mend it, and how. */
final class Unanswered {
  private Unanswered() {}

  /**
   * Says it in our words.
   *
   * @param failure what the SDK threw
   * @param host the name that STS was asked for by
   */
  static Refusal explain(Throwable failure, String host) {
    return Reason.STS_UNAVAILABLE.refusal(message(failure, host));
  }

  private static String message(Throwable failure, String host) {
    if (isCausedBy(failure, UnknownHostException.class)) {
      return "Operator: mend this node's DNS, or sts.endpoint; the name " + host + " is not known.";
    }
    if (isCausedBy(failure, CertificateExpiredException.class)) {
      return "Operator: renew the certificate of "
          + host
          + ", or set this node's clock; it has expired.";
    }
    if (isCausedBy(failure, CertificateNotYetValidException.class)) {
      return "Operator: set this node's clock; the certificate of " + host + " is not valid yet.";
    }
    if (isCausedBy(failure, CertPathBuilderException.class)) {
      return "Operator: see what answers as "
          + host
          + "; its certificate is of an authority that Java does not trust.";
    }
    if (isCausedBy(failure, Unanswered::isOfAnotherHost)) {
      return "Operator: check sts.endpoint; the certificate there does not name " + host + ".";
    }
    boolean isCut =
        isCausedBy(failure, EOFException.class) || isCausedBy(failure, SocketException.class);
    if (isCausedBy(failure, SSLException.class) && !isCut) {
      return "Operator: see what answers as " + host + "; it does not speak TLS 1.2 or 1.3.";
    }
    if (isCausedBy(failure, ConnectException.class)
        || isCausedBy(failure, NoRouteToHostException.class)) {
      return "Operator: open the way to " + host + "; this node cannot connect there.";
    }
    return "Wait and ask again: STS could not be reached, or not in time.";
  }

  /** Only the text tells it from other faults of a certificate. */
  private static boolean isOfAnotherHost(Throwable cause) {
    String text = cause.getMessage();
    return cause instanceof CertificateException
        && text != null
        && (text.startsWith("No subject alternative") || text.startsWith("No name matching"));
  }

  private static boolean isCausedBy(Throwable failure, Class<? extends Throwable> type) {
    return isCausedBy(failure, type::isInstance);
  }

  private static boolean isCausedBy(Throwable failure, Predicate<Throwable> condition) {
    // An exception's causes cannot form a ring; a subclass could.
    Throwable cause = failure;
    for (int depth = 0; cause != null && depth < 20; depth++) {
      if (condition.test(cause)) {
        return true;
      }
      cause = cause.getCause();
    }
    return false;
  }
}
