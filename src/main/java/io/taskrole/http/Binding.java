package io.taskrole.http;

import io.vertx.core.Future;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;

/** Waits for what Vert.x does, on a thread that is not one of its own. */
final class Binding {
  private static final Duration BIND = Duration.ofSeconds(10);

  private Binding() {}

  /** Binds an address, and says which port it really is. */
  static InetSocketAddress bind(InetSocketAddress address, Supplier<Future<Integer>> listen) {
    try {
      int port = await(listen.get(), BIND);
      return new InetSocketAddress(address.getAddress(), port);
    } catch (IllegalStateException e) {
      throw new IllegalStateException(
          "cannot listen on "
              + address.getAddress().getHostAddress()
              + " port "
              + address.getPort()
              + "; another program may hold it, or the address is not this host's",
          e);
    }
  }

  /** Waits; throws {@link IllegalStateException} on failure, time-out and interruption. */
  static <T> T await(Future<T> future, Duration most) {
    try {
      return future
          .toCompletionStage()
          .toCompletableFuture()
          .get(most.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    } catch (ExecutionException | TimeoutException e) {
      throw new IllegalStateException("did not come about", e);
    }
  }
}
