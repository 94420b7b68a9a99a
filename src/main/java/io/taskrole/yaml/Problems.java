package io.taskrole.yaml;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Collects every problem of the files that are read together. For one thread. */
public final class Problems {
  private final List<Problem> problems = new ArrayList<>();

  /** Adds a problem. */
  public void add(Place place, String what, String mend) {
    problems.add(new Problem(place, what, mend));
  }

  /** Whether nothing is wrong so far. */
  public boolean isEmpty() {
    return problems.isEmpty();
  }

  /** All problems in the order of their places. */
  public List<Problem> list() {
    return problems.stream().sorted(Comparator.comparing(Problem::place)).toList();
  }
}
