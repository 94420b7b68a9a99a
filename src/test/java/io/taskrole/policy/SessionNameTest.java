package io.taskrole.policy;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.identity.AllocationId;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class SessionNameTest {
  private static final AllocationId ALLOCATION =
      new AllocationId("b3f1c0de-7a4e-4b61-9c2d-5f0a8e6d1b42");

  @Test
  void name_leadsBackToAllocationAndTask() {
    assertThat(SessionName.of(ALLOCATION, "server").value())
        .matches("b3f1c0de-server-[0-9a-f]{16}");
  }

  @Test
  void names_areLegalAndDistinct_whateverTheTaskIsCalled() {
    Set<String> names = new HashSet<>();
    List<String> tasks =
        List.of(
            "a",
            "A",
            "a b",
            "a_b",
            "a:b",
            "a/b",
            "ü",
            "\u0000",
            "\ud800",
            "\ud801",
            "?",
            "",
            "x".repeat(300),
            "x".repeat(301),
            "a+b");
    for (String task : tasks) {
      names.add(SessionName.of(ALLOCATION, task).value());
    }
    assertThat(names).hasSize(tasks.size()).allMatch(name -> name.matches("[\\w+=,.@-]{2,64}"));
  }

  @Test
  void allocationsWithEqualBeginnings_haveDistinctNames() {
    Random random = new Random(7);
    Set<String> names = new HashSet<>();
    for (int i = 0; i < 1000; i++) {
      String id = new UUID(random.nextLong(), random.nextLong()).toString();
      names.add(SessionName.of(new AllocationId("b3f1c0de" + id.substring(8)), "server").value());
    }
    assertThat(names).hasSize(1000);
  }
}
