package io.taskrole.http;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import io.taskrole.telemetry.Health;
import io.taskrole.telemetry.Metrics;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * {@code /healthz}, {@code /readyz} and {@code /metrics}, on an address of their own. Never
 * credentials.
 */
public final class AdminServer implements AutoCloseable {
  private static final int IDLE_SECONDS = 75;

  // Vert.x's own JSON would load the whole of data binding for three members.
  private static final JsonFactory FACTORY =
      JsonFactory.builder().enable(JsonWriteFeature.ESCAPE_NON_ASCII).build();

  private final Vertx vertx;
  private final Listeners listeners;
  private final InetSocketAddress address;
  private final Health health;
  private final Metrics metrics;
  private @Nullable HttpServer server;

  /**
   * Builds the server; nothing listens yet.
   *
   * @param listeners the same that the transport of {@code vertx} was made with
   */
  public AdminServer(
      Vertx vertx, Listeners listeners, InetSocketAddress address, Health health, Metrics metrics) {
    this.vertx = vertx;
    this.listeners = listeners;
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
        .handler(context -> answer(context, 200, new Health.Report(true, List.of(), Map.of())));
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
    return listeners.bind(
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
    context
        .response()
        .setStatusCode(status)
        .putHeader(HttpHeaders.CONTENT_TYPE, "application/json")
        .putHeader(HttpHeaders.CACHE_CONTROL, "no-store")
        .end(Buffer.buffer(encode(report)));
  }

  private static byte[] encode(Health.Report report) {
    var out = new ByteArrayOutputStream(512);
    try (JsonGenerator json = FACTORY.createGenerator(out)) {
      json.writeStartObject();
      json.writeStringField("status", word(report));
      for (Map.Entry<String, Long> figure : report.figures().entrySet()) {
        json.writeNumberField(figure.getKey(), figure.getValue());
      }
      json.writeArrayFieldStart("problems");
      for (Health.Lasting lasting : report.problems()) {
        json.writeStartObject();
        json.writeStringField("code", lasting.problem().code());
        json.writeStringField("message", lasting.problem().message());
        json.writeStringField("since", lasting.since().toString());
        json.writeEndObject();
      }
      json.writeEndArray();
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  private static String word(Health.Report report) {
    if (!report.ready()) {
      return "not ready";
    }
    return report.problems().isEmpty() ? "ok" : "degraded";
  }
}
