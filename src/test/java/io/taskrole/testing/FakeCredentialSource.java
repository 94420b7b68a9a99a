package io.taskrole.testing;

import io.taskrole.broker.CredentialSource;
import io.taskrole.broker.SessionCredentials;
import io.taskrole.identity.BearerToken;
import io.taskrole.policy.Grant;
import io.taskrole.policy.SessionName;
import io.taskrole.refusal.Reason;
import io.taskrole.secret.Secret;
import io.taskrole.time.TimeSource;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;

/**
 * A source of credentials that does what the test says; without a word it issues what was asked.
 */
public final class FakeCredentialSource implements CredentialSource {
  /** One call as it came. */
  public record Call(Grant grant, SessionName session, BearerToken token) {}

  private final TimeSource time;
  private final Queue<Function<Call, Exchange>> script = new ConcurrentLinkedQueue<>();
  private final List<Call> calls = new CopyOnWriteArrayList<>();
  private final AtomicInteger serial = new AtomicInteger();
  private volatile Function<Call, Exchange> otherwise = this::issue;
  private volatile CountDownLatch gate = new CountDownLatch(0);

  public FakeCredentialSource(TimeSource time) {
    this.time = time;
  }

  /** Answers one call, in order. */
  public FakeCredentialSource next(Exchange exchange) {
    script.add(_ -> exchange);
    return this;
  }

  /** Answers every call that nothing else is scripted for. */
  public void always(Exchange exchange) {
    otherwise = _ -> exchange;
  }

  /** Issues again what is asked. */
  public void recover() {
    script.clear();
    otherwise = this::issue;
  }

  /** Fails every call as an STS that cannot be reached. */
  public void goDown() {
    always(new Exchange.Failed(Reason.STS_UNAVAILABLE.refusal("Operator: STS is down.")));
  }

  /** Holds every call until the gate that is returned is opened. */
  public CountDownLatch hold() {
    gate = new CountDownLatch(1);
    return gate;
  }

  public List<Call> calls() {
    return calls;
  }

  @Override
  public Exchange exchange(Grant grant, SessionName session, BearerToken token) {
    Call call = new Call(grant, session, token);
    calls.add(call);
    try {
      gate.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    Function<Call, Exchange> scripted = script.poll();
    return (scripted == null ? otherwise : scripted).apply(call);
  }

  /** Credentials as the fake issues them, numbered. */
  public Exchange issue(Call call) {
    int number = serial.incrementAndGet();
    return new Exchange.Obtained(
        new SessionCredentials(
            "ASIAFAKE" + number,
            Secret.of("secret-" + number),
            Secret.of("session-" + number),
            time.instant().plus(call.grant().duration()),
            call.grant().role().account(),
            Optional.of("request-" + number)));
  }
}
