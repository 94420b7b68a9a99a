package io.taskrole.http;

import io.taskrole.telemetry.Health;
import io.taskrole.telemetry.Metrics;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * {@code /healthz}, {@code /readyz} and {@code /metrics}, on an address of their own. Never
 * credentials.
 */
public final class AdminServer implements AutoCloseable {
  private static final int IDLE_SECONDS = 75;

  private final Vertx vertx;
  private final InetSocketAddress address;
  private final Health health;
  private final Metrics metrics;
  private @Nullable HttpServer server;

  public AdminServer(Vertx vertx, InetSocketAddress address, Health health, Metrics metrics) {
    this.vertx = vertx;
    this.address = address;
    this.health = health;
    this.metrics = metrics;
  }

  /**
   * Binds the address.
   *
   * @return the address that is bound
   * @throws IllegalStateException when it cannot be bound; the message names it
   */
  public InetSocketAddress start() {
    Router router = Router.router(vertx);
    router
        .get("/healthz")
        .handler(context -> answer(context, 200, new Health.Report(true, List.of())));
    router
        .get("/readyz")
        .handler(context -> {
          Health.Report report = health.report();
          answer(context, report.ready() ? 200 : 503, report);
        });
    router
        .get("/metrics")
        .handler(context ->
            context
                .response()
                .putHeader(HttpHeaders.CONTENT_TYPE, Metrics.CONTENT_TYPE)
                .end(Buffer.buffer(metrics.scrape())));
    router
        .route()
        .handler(context ->
            context
                .response()
                .setStatusCode(context.request().method().name().equals("GET") ? 404 : 405)
                .putHeader(HttpHeaders.CONTENT_TYPE, "text/plain")
                .end("Ask GET /healthz, /readyz or /metrics here.\n"));
    HttpServer created =
        vertx
            .createHttpServer(
                new HttpServerOptions()
                    .setIdleTimeout(IDLE_SECONDS)
                    .setHttp2ClearTextEnabled(false))
            .requestHandler(router);
    server = created;
    return Binding.bind(
        address,
        () ->
            created
                .listen(address.getPort(), address.getAddress().getHostAddress())
                .map(HttpServer::actualPort));
  }

  @Override
  public void close() {
    HttpServer listening = server;
    if (listening != null) {
      Binding.await(listening.close().otherwiseEmpty(), Duration.ofSeconds(2));
    }
  }

  private static void answer(RoutingContext context, int status, Health.Report report) {
    JsonArray problems = new JsonArray();
    for (Health.Lasting lasting : report.problems()) {
      problems.add(
          new JsonObject()
              .put("code", lasting.problem().code())
              .put("message", lasting.problem().message())
              .put("since", lasting.since().toString()));
    }
    String word = !report.ready() ? "not ready" : problems.isEmpty() ? "ok" : "degraded";
    context
        .response()
        .setStatusCode(status)
        .putHeader(HttpHeaders.CONTENT_TYPE, "application/json")
        .putHeader(HttpHeaders.CACHE_CONTROL, "no-store")
        .end(new JsonObject().put("status", word).put("problems", problems).toBuffer());
  }
}
