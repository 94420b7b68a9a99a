package io.taskrole.cli;

import java.lang.reflect.Proxy;
import java.util.concurrent.CountDownLatch;

/**
 * What the operating system asks of the process. The JDK's only interface for it is {@code
 * sun.misc.Signal} (module jdk.unsupported), reached by reflection since javac warns of it and
 * cannot be told not to.
 */
final class Signals {
  private final CountDownLatch stop = new CountDownLatch(1);

  private Signals() {}

  /**
   * Listens for SIGTERM and SIGINT, which end {@link #awaitStop}, and SIGHUP, which runs the task.
   */
  static Signals install(Runnable reload) {
    Signals signals = new Signals();
    on("TERM", signals.stop::countDown);
    on("INT", signals.stop::countDown);
    on("HUP", () -> Thread.ofVirtual().start(reload));
    return signals;
  }

  void awaitStop() throws InterruptedException {
    stop.await();
  }

  private static void on(String name, Runnable task) {
    try {
      Class<?> signal = Class.forName("sun.misc.Signal");
      Class<?> handler = Class.forName("sun.misc.SignalHandler");
      Object handling =
          Proxy.newProxyInstance(
              Signals.class.getClassLoader(),
              new Class<?>[] {handler},
              (_, method, _) -> {
                if (method.getName().equals("handle")) {
                  task.run();
                }
                return null;
              });
      signal
          .getMethod("handle", signal, handler)
          .invoke(null, signal.getConstructor(String.class).newInstance(name), handling);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("this Java cannot listen for SIG" + name, e);
    }
  }
}
