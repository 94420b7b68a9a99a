package io.taskrole.telemetry;

import java.time.Instant;
import java.time.InstantSource;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Supplier;

/**
 * What {@code /readyz} tells: the problems that there are now, and whether one of them keeps the
 * daemon from being ready. Safe for concurrent use.
 */
public final class Health {
  /**
   * A problem.
   *
   * @param code stable name
   * @param message what to mend, without secrets
   * @param blocking whether the daemon is not ready while it lasts
   */
  public record Problem(String code, String message, boolean blocking) {}

  /** A problem, and since when it has been seen. */
  public record Lasting(Problem problem, Instant since) {}

  /**
   * All there is to tell.
   *
   * @param figures numbers that an operator asks for beside the problems, by name
   */
  public record Report(boolean ready, List<Lasting> problems, Map<String, Long> figures) {}

  private final InstantSource time;
  private final List<Supplier<Optional<Problem>>> checks = new CopyOnWriteArrayList<>();
  private final Map<String, Supplier<Optional<Long>>> figures = new ConcurrentSkipListMap<>();
  private final Map<String, Instant> since = new ConcurrentHashMap<>();

  public Health(InstantSource time) {
    this.time = time;
  }

  /** Adds a check; it must answer from memory. */
  public void add(Supplier<Optional<Problem>> check) {
    checks.add(check);
  }

  /** Adds a number; it must come from memory, and is left out while it is empty. */
  public void add(String name, Supplier<Optional<Long>> figure) {
    figures.put(name, figure);
  }

  /** Asks every check. */
  public Report report() {
    List<Problem> problems = checks.stream().flatMap(check -> check.get().stream()).toList();
    since.keySet().retainAll(problems.stream().map(Problem::code).toList());
    List<Lasting> lasting =
        problems.stream()
            .map(problem ->
                new Lasting(problem, since.computeIfAbsent(problem.code(), _ -> time.instant())))
            .toList();
    Map<String, Long> numbers = new LinkedHashMap<>();
    figures.forEach((name, figure) -> figure.get().ifPresent(value -> numbers.put(name, value)));
    return new Report(problems.stream().noneMatch(Problem::blocking), lasting, numbers);
  }
}
