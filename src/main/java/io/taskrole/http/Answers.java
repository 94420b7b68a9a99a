package io.taskrole.http;

import io.taskrole.broker.Lease;
import io.taskrole.refusal.Reason;
import io.taskrole.refusal.Refusal;
import io.vertx.core.Future;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;

/**
 * Writes the answers of the credential endpoint, each in one piece. For the request's event loop.
 */
final class Answers {
  private static final CharSequence JSON = HttpHeaders.createOptimized("application/json");
  private static final CharSequence NO_STORE = HttpHeaders.createOptimized("no-store");
  private static final CharSequence GET = HttpHeaders.createOptimized("GET");
  private static final CharSequence CLOSE = HttpHeaders.createOptimized("close");

  private Answers() {}

  /** 200 with the credentials; false, with nothing written, when the lease has just been erased. */
  static boolean issue(HttpServerResponse response, Lease lease) {
    Buffer body = lease.document(EcsDocument::encode).reveal(bytes -> Buffer.buffer(bytes));
    if (lease.isErased()) {
      return false;
    }
    write(response, body);
    return true;
  }

  /**
   * The refusal, its code in the reason phrase too: it is all that some SDKs show.
   *
   * @param closes whether the connection ends with this answer
   */
  static void refuse(HttpServerRequest request, Refusal refusal, String requestId, boolean closes) {
    HttpServerResponse response = request.response();
    response.setStatusCode(Statuses.of(refusal.reason())).setStatusMessage(refusal.reason().code());
    if (refusal.reason() == Reason.METHOD_NOT_ALLOWED) {
      response.putHeader(HttpHeaders.ALLOW, GET);
    }
    if (closes) {
      response.putHeader(HttpHeaders.CONNECTION, CLOSE);
    }
    Future<Void> written = write(response, Buffer.buffer(EcsDocument.encode(refusal, requestId)));
    if (closes) {
      // The header alone only asks the client to close.
      written.onComplete(_ -> request.connection().close());
    }
  }

  private static Future<Void> write(HttpServerResponse response, Buffer body) {
    return response
        .putHeader(HttpHeaders.CONTENT_TYPE, JSON)
        .putHeader(HttpHeaders.CACHE_CONTROL, NO_STORE)
        .end(body);
  }
}
