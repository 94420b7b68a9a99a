package io.taskrole.broker;

import io.taskrole.identity.BearerToken;

/**
 * One request as the pipeline sees it.
 *
 * @param token the token presented
 * @param connection what it came over
 * @param requestId names the request in the answer, the log and the audit line
 * @param arrivedNanos {@code TimeSource.nanos()} when the request was complete; {@code
 *     answer-within} counts from here
 */
public record Caller(
    BearerToken token, Connection connection, String requestId, long arrivedNanos) {}
