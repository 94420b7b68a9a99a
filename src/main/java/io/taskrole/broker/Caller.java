package io.taskrole.broker;

import io.taskrole.identity.BearerToken;
import java.net.InetSocketAddress;

/**
 * One request as the pipeline sees it.
 *
 * @param token the token presented
 * @param peer the address the connection comes from
 * @param local the address of ours that it reached
 * @param requestId names the request in the answer, the log and the audit line
 * @param arrivedNanos {@code TimeSource.nanos()} when the request was complete; {@code
 *     answer-within} counts from here
 */
public record Caller(
    BearerToken token,
    InetSocketAddress peer,
    InetSocketAddress local,
    String requestId,
    long arrivedNanos) {}
