package io.taskrole.time;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Marks the one class that may call {@code Instant.now()}, {@code nanoTime()} and {@code sleep}.
 */
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
@interface ReadsSystemTime {}
