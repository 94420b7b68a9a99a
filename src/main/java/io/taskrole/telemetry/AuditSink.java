package io.taskrole.telemetry;

/** Takes audit records in order. Safe for concurrent use. */
public interface AuditSink {
  /** Takes the record if there is room at once; never blocks. Returns whether it was taken. */
  boolean offer(AuditRecord record);

  /** Takes the record, waiting for room where there is none. Not for an event loop. */
  void write(AuditRecord record);
}
