package io.taskrole.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.refusal.Reason;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** {@code docs/reasons.md} lists exactly the reasons there are, with the statuses they have. */
class ReasonsDocumentTest {
  @Test
  void page_hasEveryReasonWithItsStatus_inTheirOrder() throws IOException {
    List<String> documented =
        Files.readAllLines(Path.of("docs/reasons.md")).stream()
            .filter(line -> line.startsWith("| `"))
            .map(line -> line.split("\\|", -1))
            .map(cells -> cells[1].replace("`", "").strip() + " " + cells[2].strip())
            .toList();
    assertThat(documented)
        .containsExactlyElementsOf(
            Arrays.stream(Reason.values())
                .map(reason -> reason.code() + " " + Statuses.of(reason))
                .toList());
  }

  @Test
  void statuses_areOnesThatSdksUnderstand() {
    for (Reason reason : Reason.values()) {
      int status = Statuses.of(reason);
      assertThat(status).isIn(400, 401, 403, 405, 431, 503);
      assertThat(reason.isTransient()).as(reason.code()).isEqualTo(status == 503);
    }
  }
}
