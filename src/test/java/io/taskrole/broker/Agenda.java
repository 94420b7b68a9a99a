package io.taskrole.broker;

import io.taskrole.time.TimeSource;
import java.time.Duration;
import java.time.Instant;
import java.util.PriorityQueue;

/**
 * Simulated time and what is to happen in it: events run one after another, each at its time, those
 * of the same time in the order in which they were noted.
 */
final class Agenda {
  private static final Instant START = Instant.parse("2026-11-23T00:00:00Z");

  private record Event(long at, long serial, Runnable run) implements Comparable<Event> {
    @Override
    public int compareTo(Event other) {
      int byTime = Long.compare(at, other.at);
      return byTime == 0 ? Long.compare(serial, other.serial) : byTime;
    }
  }

  private final PriorityQueue<Event> events = new PriorityQueue<>();
  private long now;
  private long serial;

  /** Nanoseconds since the start. */
  long now() {
    return now;
  }

  /** The true time. */
  Instant instant() {
    return START.plusNanos(now);
  }

  void at(long nanos, Runnable run) {
    events.add(new Event(Math.max(now, nanos), serial++, run));
  }

  void in(Duration delay, Runnable run) {
    at(now + delay.toNanos(), run);
  }

  /** Runs everything that is due until then. */
  void runUntil(long nanos) {
    for (Event next = events.peek(); next != null && next.at <= nanos; next = events.peek()) {
      events.remove();
      now = next.at;
      next.run.run();
    }
    now = nanos;
  }

  /** The clocks of one machine, whose wall clock may be wrong. */
  static final class Clock implements TimeSource {
    private final Agenda agenda;
    private Duration wrong = Duration.ZERO;

    Clock(Agenda agenda) {
      this.agenda = agenda;
    }

    void setWrongBy(Duration wrong) {
      this.wrong = wrong;
    }

    boolean isWrong() {
      return !wrong.isZero();
    }

    @Override
    public Instant instant() {
      return agenda.instant().plus(wrong);
    }

    @Override
    public long nanos() {
      return agenda.now();
    }

    @Override
    public void sleep(Duration time) {
      throw new UnsupportedOperationException("nobody sleeps in a simulation");
    }
  }
}
