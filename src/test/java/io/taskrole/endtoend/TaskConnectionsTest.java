package io.taskrole.endtoend;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.demo.Issuer;
import io.taskrole.testing.RawHttp;
import io.taskrole.testing.Reply;
import io.taskrole.testing.TestDaemon;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** How many connections one allocation may keep. */
class TaskConnectionsTest {
  private static final int MOST = 256;

  private final List<RawHttp> kept = new ArrayList<>();
  @TempDir private Path directory;
  private TestDaemon taskrole;

  @BeforeEach
  void start() {
    taskrole = TestDaemon.start(directory);
  }

  @AfterEach
  void stop() {
    kept.forEach(RawHttp::close);
    taskrole.close();
  }

  @Test
  void oneTooMany_isServedAndClosed_anothersStaysOpen() {
    Issuer.Token greedy = taskrole.billing();
    for (int i = 0; i < MOST; i++) {
      assertThat(ask(greedy).header("connection")).isNotEqualTo("close");
    }

    Reply extra = ask(greedy);
    assertThat(extra.status()).isEqualTo(200);
    assertThat(extra.header("connection")).isEqualTo("close");
    assertThat(kept.getLast().endsWithin(2_000)).isTrue();
    assertThat(ask(taskrole.billing()).header("connection")).isNotEqualTo("close");

    kept.removeFirst().close();
    assertThat(roomWithin(200, greedy)).as("a closed one makes room").isTrue();
  }

  private boolean roomWithin(int attempts, Issuer.Token token) {
    for (int i = 0; i < attempts; i++) {
      if (!"close".equals(ask(token).header("connection"))) {
        return true;
      }
    }
    return false;
  }

  private Reply ask(Issuer.Token token) {
    RawHttp http = RawHttp.connect(taskrole.address());
    kept.add(http);
    return http.send(RawHttp.request(taskrole.address(), token.sign())).reply();
  }
}
