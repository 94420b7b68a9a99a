package io.taskrole.telemetry;

import io.prometheus.metrics.core.datapoints.CounterDataPoint;
import io.prometheus.metrics.core.datapoints.DistributionDataPoint;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.CounterWithCallback;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.core.metrics.Info;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.Unit;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.function.DoubleSupplier;

/**
 * The daemon's metrics, as {@code docs/metrics.md} lists them. No label takes a value that a job
 * author chooses. Safe for concurrent use; every method but {@link #scrape()} is cheap enough for
 * an event loop.
 */
public final class Metrics {
  /** What {@link #scrape()} returns: the Prometheus text format, version 0.0.4. */
  public static final String CONTENT_TYPE = PrometheusTextFormatWriter.CONTENT_TYPE;

  private static final double NANOS = 1e9;

  private final PrometheusRegistry registry = new PrometheusRegistry();
  private final Counter requests =
      Counter.builder()
          .name("taskrole_requests_total")
          .help("Requests on the credential endpoint, by outcome and, when refused, reason.")
          .labelNames("outcome", "reason")
          .register(registry);
  private final Histogram requestTime =
      Histogram.builder()
          .name("taskrole_request_duration_seconds")
          .help("From the request's arrival to its answer, by outcome.")
          .unit(Unit.SECONDS)
          .classicOnly()
          .classicUpperBounds(0.0005, 0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 0.85, 1, 2, 5)
          .labelNames("outcome")
          .register(registry);
  private final Counter exchanges =
      Counter.builder()
          .name("taskrole_exchanges_total")
          .help(
              "Calls of AssumeRoleWithWebIdentity, by result and, when none was obtained, reason.")
          .labelNames("result", "reason")
          .register(registry);
  private final Counter secondRegion =
      Counter.builder()
          .name("taskrole_fallback_exchanges_total")
          .help("Of these calls, those in the second Region, by result.")
          .labelNames("result")
          .register(registry);
  private final Histogram exchangeTime =
      Histogram.builder()
          .name("taskrole_exchange_duration_seconds")
          .help("Time of one call of AssumeRoleWithWebIdentity, from its turn on.")
          .unit(Unit.SECONDS)
          .classicOnly()
          .classicUpperBounds(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)
          .register(registry);

  // Looked up once: the answer that counts is the warm one.
  private final CounterDataPoint issued = requests.labelValues("issued", "");
  private final DistributionDataPoint issuedTime = requestTime.labelValues("issued");

  /** With every series there from the start: the first call of an outage is seen as a rise. */
  public Metrics() {
    for (String result : List.of("obtained", "denied", "failed")) {
      secondRegion.initLabelValues(result);
    }
  }

  /** Names the version that runs. */
  public void build(String version, String java) {
    Info.builder()
        .name("taskrole_build_info")
        .help("The version that runs, always 1.")
        .labelNames("version", "java")
        .register(registry)
        .setLabelValues(version, java);
  }

  /** Counts an answer with credentials. */
  public void issued(long nanos) {
    issued.inc();
    issuedTime.observe(nanos / NANOS);
  }

  /** Counts a refusal. */
  public void refused(String reason, long nanos) {
    requests.labelValues("refused", reason).inc();
    requestTime.labelValues("refused").observe(nanos / NANOS);
  }

  /** Counts a call to STS. */
  public void exchanged(String result, String reason, long nanos) {
    exchanges.labelValues(result, reason).inc();
    exchangeTime.observe(nanos / NANOS);
  }

  /** Tells that the call was one in the second Region. */
  public void exchangedInSecondRegion(String result) {
    secondRegion.labelValues(result).inc();
  }

  /** Adds a value that is read at each scrape, and left out while it is not a number. */
  public void gauge(String name, String help, DoubleSupplier value) {
    GaugeWithCallback.builder()
        .name(name)
        .help(help)
        .callback(callback -> {
          double now = value.getAsDouble();
          if (!Double.isNaN(now)) {
            callback.call(now);
          }
        })
        .register(registry);
  }

  /** Adds a count that is kept elsewhere and read at each scrape. */
  public void counter(String name, String help, DoubleSupplier value) {
    CounterWithCallback.builder()
        .name(name)
        .help(help)
        .callback(callback -> callback.call(value.getAsDouble()))
        .register(registry);
  }

  /** All metrics as text. */
  public byte[] scrape() {
    var out = new ByteArrayOutputStream(8192);
    try {
      PrometheusTextFormatWriter.builder().build().write(out, registry.scrape());
      return out.toByteArray();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
