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

  /**
   * 200 with the credentials; false, with nothing written, when the lease has just been erased.
   *
   * @param closes whether the connection ends with this answer
   */
  static boolean issue(HttpServerRequest request, Lease lease, boolean closes) {
    Buffer body = lease.document(EcsDocument::encode).reveal(bytes -> Buffer.buffer(bytes));
    if (lease.isErased()) {
      return false;
    }
    end(request, body, closes);
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
    end(request, Buffer.buffer(EcsDocument.encode(refusal, requestId)), closes);
  }

  private static void end(HttpServerRequest request, Buffer body, boolean closes) {
    HttpServerResponse response =
        request
            .response()
            .putHeader(HttpHeaders.CONTENT_TYPE, JSON)
            .putHeader(HttpHeaders.CACHE_CONTROL, NO_STORE);
    if (closes) {
      response.putHeader(HttpHeaders.CONNECTION, CLOSE);
    }
    Future<Void> written = response.end(body);
    if (closes) {
      // The header alone only asks the client to close.
      written.onComplete(_ -> request.connection().close());
    }
  }
}
