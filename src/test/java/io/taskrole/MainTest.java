package io.taskrole;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class MainTest {
  /** What a daemon has when it starts: key set, allocations, token files, roles file, leases. */
  private static final int FOLLOWERS = 5;

  @Test
  void virtualThreadsThatWaitForAClass_keepNoOtherFromRunning() throws Exception {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:ActiveProcessorCount=2",
                "-cp",
                System.getProperty("java.class.path"),
                Crowd.class.getName())
            .redirectErrorStream(true)
            .start();
    try {
      assertThat(process.waitFor(30, TimeUnit.SECONDS)).as("it ended").isTrue();
      assertThat(new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
          .isEqualToIgnoringNewLines("ended");
    } finally {
      process.destroyForcibly();
    }
  }

  /**
   * A virtual thread leaves its carrier while it holds a lock; a class is initialised that wants
   * the lock; the followers wait for the class and keep their carriers.
   */
  static final class Crowd {
    private static final Object LOCK = new Object();

    private Crowd() {}

    /** Wants the lock when it is initialised, as a class that is read from a jar file may. */
    static final class Wanted {
      static {
        synchronized (LOCK) {
          touch();
        }
      }

      private Wanted() {}

      static void touch() {}
    }

    public static void main(String[] args) throws Exception {
      Main.prepareVirtualThreads();
      var held = new CountDownLatch(1);
      List<Thread> threads = new ArrayList<>();
      threads.add(
          Thread.startVirtualThread(() -> {
            synchronized (LOCK) {
              held.countDown();
              pause();
            }
          }));
      held.await();
      threads.add(Thread.ofPlatform().start(Wanted::touch));
      for (int i = 0; i < FOLLOWERS; i++) {
        threads.add(Thread.startVirtualThread(Wanted::touch));
      }
      for (Thread thread : threads) {
        thread.join();
      }
      System.out.println("ended");
    }

    private static void pause() {
      try {
        Thread.sleep(Duration.ofMillis(500));
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
