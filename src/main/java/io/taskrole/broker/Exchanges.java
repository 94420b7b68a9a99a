package io.taskrole.broker;

import io.taskrole.broker.CredentialSource.Exchange;
import io.taskrole.identity.BearerToken;
import io.taskrole.policy.Grant;
import io.taskrole.refusal.Refusal;
import io.taskrole.time.TimeSource;
import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import java.util.function.DoubleSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Makes the exchanges that {@link ExchangeQueue} lets through. What takes time is behind two ports,
 * so that a simulation can stand in for both. Safe for concurrent use; nothing here blocks.
 */
final class Exchanges {
  /** Port: STS. */
  @FunctionalInterface
  interface Calls {
    /** Makes the call, and says once how it ended; must not block the caller for the answer. */
    void make(Lease.Key key, BearerToken token, Consumer<Exchange> ended);
  }

  /** Port: waiting. */
  @FunctionalInterface
  interface Alarm {
    /** Runs it at that time of the monotonic clock or later; must not block for it. */
    void at(long nanos, Runnable run);
  }

  private final Calls calls;
  private final Alarm alarm;
  private final TimeSource time;
  private final ExchangeQueue queue;
  private boolean isAlarmSet;
  private long alarmAt;

  Exchanges(
      ExchangeLimits limits, Calls calls, Alarm alarm, TimeSource time, DoubleSupplier jitter) {
    this.queue = new ExchangeQueue(limits, jitter);
    this.calls = calls;
    this.alarm = alarm;
    this.time = time;
  }

  /** An alarm that sleeps on the executor's threads. */
  static Alarm sleeping(Executor executor, TimeSource time) {
    return (nanos, run) -> {
      try {
        executor.execute(() -> {
          try {
            time.sleep(Duration.ofNanos(nanos - time.nanos()));
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return;
          }
          run.run();
        });
      } catch (RejectedExecutionException e) {
        // the daemon is stopping: nothing comes any more
      }
    };
  }

  /** Has an exchange made when its turn comes. */
  void submit(Ticket ticket) {
    synchronized (queue) {
      queue.add(ticket, time.nanos());
    }
    advance();
  }

  /** Takes an exchange that still waits out of the line; one that is being made goes on. */
  void withdraw(Ticket ticket) {
    synchronized (queue) {
      queue.withdraw(ticket);
    }
  }

  /** Has an exchange made once more after a pause. */
  void submitAgain(Ticket ticket, Duration pause) {
    synchronized (queue) {
      queue.addAgain(ticket, time.nanos() + pause.toNanos());
    }
    advance();
  }

  /** Moves an exchange forward, when it still waits. */
  void promote(Ticket ticket, Urgency urgency) {
    synchronized (queue) {
      queue.promote(ticket, urgency);
    }
    advance();
  }

  /** See {@link ExchangeQueue#standing}. */
  @Nullable Refusal standing(Lease.Key key, BearerToken token) {
    synchronized (queue) {
      return queue.standing(key, token, time.nanos());
    }
  }

  /** See {@link ExchangeQueue#trouble}. */
  @Nullable Refusal trouble(Grant grant) {
    synchronized (queue) {
      return queue.trouble(grant);
    }
  }

  /** See {@link ExchangeQueue#isDoubtful}. */
  boolean isDoubtful(Grant grant) {
    synchronized (queue) {
      return queue.isDoubtful(grant, time.nanos());
    }
  }

  /** Runs it at that time of the monotonic clock or later. */
  void at(long nanos, Runnable run) {
    alarm.at(nanos, run);
  }

  /** See {@link ExchangeQueue#forgetRefusals}. */
  void forgetRefusals() {
    synchronized (queue) {
      queue.forgetRefusals();
    }
  }

  /** How many exchanges wait for their turn. */
  int waiting() {
    synchronized (queue) {
      return queue.waiting();
    }
  }

  private void advance() {
    while (true) {
      Ticket ticket;
      long next = Long.MAX_VALUE;
      synchronized (queue) {
        ticket = queue.poll(time.nanos());
        if (ticket == null) {
          next = nextAlarm();
        }
      }
      if (ticket != null) {
        begin(ticket);
      } else {
        if (next != Long.MAX_VALUE) {
          alarm.at(next, this::ring);
        }
        return;
      }
    }
  }

  /** The time of an alarm that has to be set; none when one is set that comes in time. */
  private long nextAlarm() {
    long at = queue.nextAt(time.nanos());
    if (at == Long.MAX_VALUE || (isAlarmSet && alarmAt - at <= 0)) {
      return Long.MAX_VALUE;
    }
    isAlarmSet = true;
    alarmAt = at;
    return at;
  }

  private void ring() {
    synchronized (queue) {
      isAlarmSet = false;
    }
    advance();
  }

  private void begin(Ticket ticket) {
    if (!ticket.purpose.isWanted()) {
      synchronized (queue) {
        queue.forsaken(ticket, time.nanos());
      }
      ticket.purpose.forsaken();
      return;
    }
    BearerToken token = ticket.purpose.token();
    calls.make(
        ticket.key,
        token,
        exchange -> {
          synchronized (queue) {
            queue.ended(ticket, exchange, token, time.nanos());
          }
          ticket.purpose.ended(exchange, token);
          advance();
        });
  }
}
