package io.taskrole.demo;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.time.TimeSource;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;

class DemoTest {
  @Test
  void everyStep_holds() throws IOException {
    StringWriter told = new StringWriter();
    assertThat(Demo.run(new PrintWriter(told), TimeSource.system())).as("%s", told).isTrue();
    assertThat(told.toString())
        .contains("11. stop")
        .contains("Operator: add a rule")
        .contains("Every step held.")
        .doesNotContain("Exception");
  }
}
