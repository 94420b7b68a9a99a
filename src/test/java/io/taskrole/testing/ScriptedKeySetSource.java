package io.taskrole.testing;

import io.taskrole.identity.KeySetSource;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * A key server that answers one request after another as the test says, and holds those it says
 * nothing of.
 */
public final class ScriptedKeySetSource implements KeySetSource {
  /** One request as it came. */
  public record Fetch(long index, Duration hold) {}

  private interface Answer {
    Document give() throws IOException;
  }

  private final BlockingQueue<Answer> answers = new LinkedBlockingQueue<>();
  private final List<Fetch> fetches = new CopyOnWriteArrayList<>();

  public ScriptedKeySetSource serve(String body, long index) {
    answers.add(() ->
        new Document(
            body.getBytes(StandardCharsets.UTF_8),
            index == 0 ? OptionalLong.empty() : OptionalLong.of(index),
            Optional.of(Duration.ofDays(15))));
    return this;
  }

  public ScriptedKeySetSource fail() {
    answers.add(() -> {
      throw new IOException("scripted");
    });
    return this;
  }

  public List<Fetch> fetches() {
    return fetches;
  }

  @Override
  public Document fetch(long index, Duration wait) throws IOException {
    fetches.add(new Fetch(index, wait));
    try {
      return answers.take().give();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }
}
