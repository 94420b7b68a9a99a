package io.taskrole.broker;

import io.taskrole.broker.CredentialSource.Exchange;
import io.taskrole.identity.BearerToken;
import io.taskrole.policy.SessionName;
import io.taskrole.time.TimeSource;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;

/** Calls of a source that blocks, each on a thread of the executor, told to the listener. */
record SourceCalls(
    CredentialSource source, ExchangeListener listener, Executor executor, TimeSource time)
    implements Exchanges.Calls {
  private static final System.Logger LOG = System.getLogger(SourceCalls.class.getName());

  @Override
  public void make(Lease.Key key, BearerToken token, Consumer<Exchange> ended) {
    try {
      executor.execute(() -> ended.accept(make(key, token)));
    } catch (RejectedExecutionException e) {
      // the daemon is stopping: nobody waits any more, and who waited for a turn has none
    }
  }

  private Exchange make(Lease.Key key, BearerToken token) {
    try {
      long begun = time.nanos();
      Exchange exchange =
          source.exchange(key.grant(), SessionName.of(key.allocation(), key.task()), token);
      listener.ended(key.grant(), exchange, time.nanos() - begun);
      return exchange;
    } catch (RuntimeException | LinkageError e) {
      LOG.log(System.Logger.Level.ERROR, "exchange failed by a fault of ours", e);
      return new Exchange.Failed(Refusals.fault());
    }
  }
}
