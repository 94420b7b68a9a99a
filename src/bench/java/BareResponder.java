import io.vertx.core.AbstractVerticle;
import io.vertx.core.DeploymentOptions;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServerOptions;
import java.nio.file.Files;
import java.nio.file.Path;

/** The least that Vert.x can do: the same body and headers to every request, and nothing else. */
class BareResponder {
  public static void main(String[] args) throws Exception {
    int port = Integer.parseInt(args[0]);
    byte[] body = Files.readAllBytes(Path.of(args[1]));
    int loops = Runtime.getRuntime().availableProcessors();
    Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(loops).setWorkerPoolSize(1));
    CharSequence json = HttpHeaders.createOptimized("application/json");
    CharSequence noStore = HttpHeaders.createOptimized("no-store");
    vertx
        .deployVerticle(
            () ->
                new AbstractVerticle() {
                  @Override
                  public void start() {
                    getVertx()
                        .createHttpServer(new HttpServerOptions().setAcceptBacklog(4096))
                        .requestHandler(request ->
                            request
                                .response()
                                .putHeader(HttpHeaders.CONTENT_TYPE, json)
                                .putHeader(HttpHeaders.CACHE_CONTROL, noStore)
                                .end(Buffer.buffer(body)))
                        .listen(port, "127.0.0.1");
                  }
                },
            new DeploymentOptions().setInstances(loops))
        .toCompletionStage()
        .toCompletableFuture()
        .get();
    System.out.println("ready");
  }
}
