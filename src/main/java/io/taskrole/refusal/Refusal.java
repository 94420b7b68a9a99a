package io.taskrole.refusal;

/**
 * Why a request gets no credentials: a stable reason, and one sentence for the person who can mend
 * it.
 *
 * @param reason the reason, stable across releases
 * @param message our own words, never upstream text, never a secret; who mends it and how stands in
 *     the first 100 characters, since several SDKs show no more
 */
public record Refusal(Reason reason, String message) {}
