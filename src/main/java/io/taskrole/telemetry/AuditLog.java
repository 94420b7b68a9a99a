package io.taskrole.telemetry;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The audit log: one JSON line per decision, in the order of the decisions, written by a thread of
 * its own so that no event loop waits for a disk. A record is in the log's hands before its answer
 * leaves.
 *
 * <p>Safe for concurrent use.
 */
public final class AuditLog implements AuditSink, AutoCloseable {
  private static final System.Logger LOG = System.getLogger(AuditLog.class.getName());
  private static final int ROOM = 16_384;
  private static final int BATCH = 512;

  /** A disk that takes longer than this holds up no answer: the record is lost, and counted. */
  private static final long PATIENCE_MILLIS = 100;

  private static final long FLUSH_WITHIN_MILLIS = 2_000;

  /**
   * Pause between batches while records come faster than they are written one by one: waking the
   * writer for each would cost more than the writing.
   */
  private static final long GATHER_NANOS = 4_000_000;

  private final @Nullable Path file;
  private final OutputStream standard;
  private final BlockingQueue<AuditRecord> queue = new ArrayBlockingQueue<>(ROOM);
  private final AtomicLong lost = new AtomicLong();
  private final Thread writer;

  /** The batch that is being written; the writer's own. */
  private final ByteArrayOutputStream lines = new ByteArrayOutputStream(64 * 600);

  private OutputStream out;
  private volatile boolean failing;
  private volatile boolean reopen;
  private volatile boolean closed;

  private AuditLog(@Nullable Path file, OutputStream standard) throws IOException {
    this.file = file;
    this.standard = standard;
    this.out = open();
    this.writer = Thread.ofPlatform().daemon().name("audit-log").unstarted(this::writeAll);
  }

  /**
   * Opens the log and begins to write.
   *
   * @param standard where the lines go when no file is configured
   * @throws IOException when the file cannot be opened for appending
   */
  public static AuditLog open(AuditConfig config, OutputStream standard) throws IOException {
    AuditLog log = new AuditLog(config.file().orElse(null), standard);
    log.writer.start();
    return log;
  }

  @Override
  public boolean offer(AuditRecord record) {
    return queue.offer(record);
  }

  @Override
  public void write(AuditRecord record) {
    try {
      if (!queue.offer(record, PATIENCE_MILLIS, TimeUnit.MILLISECONDS)) {
        lost.incrementAndGet();
      }
    } catch (InterruptedException e) {
      lost.incrementAndGet();
      Thread.currentThread().interrupt();
    }
  }

  /** Opens the file anew before the next line, as after a rotation of logs. */
  public void reopen() {
    reopen = true;
  }

  /** How many records could not be written. */
  public long lost() {
    return lost.get();
  }

  /** What is wrong now, in our words. */
  public Optional<String> problem() {
    return failing
        ? Optional.of(
            "the audit log cannot be written; check its disk and permissions; records lost since"
                + " the start: "
                + lost.get())
        : Optional.empty();
  }

  /** Writes what is left, for at most two seconds, and closes the file. */
  @Override
  public void close() {
    closed = true;
    writer.interrupt();
    try {
      writer.join(FLUSH_WITHIN_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private OutputStream open() throws IOException {
    if (file == null) {
      return standard;
    }
    try {
      if (!Files.exists(file)) {
        Files.createFile(
            file,
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-r-----")));
      }
      boolean isTorn = isTorn(file);
      OutputStream appending = new FileOutputStream(file.toFile(), true);
      if (isTorn) {
        end(appending);
      }
      return appending;
    } catch (IOException e) {
      throw new IOException(
          "cannot open the audit log "
              + file
              + "; make its directory, and let the daemon's user write there",
          e);
    }
  }

  /** Ends a torn line; the file is not left open when there is no room even for that. */
  private static void end(OutputStream appending) throws IOException {
    try {
      appending.write('\n');
    } catch (IOException e) {
      appending.close();
      throw e;
    }
  }

  /**
   * Whether the last line has no end, as after a kill or on a full disk: the next record would be
   * lost with it. Who may only append cannot know.
   */
  private static boolean isTorn(Path file) {
    if (!Files.isRegularFile(file)) {
      return false;
    }
    try (FileChannel reading = FileChannel.open(file)) {
      ByteBuffer last = ByteBuffer.allocate(1);
      return reading.size() > 0
          && reading.read(last, reading.size() - 1) == 1
          && last.get(0) != '\n';
    } catch (IOException e) {
      return false;
    }
  }

  private void writeAll() {
    List<AuditRecord> batch = new ArrayList<>(BATCH);
    while (!closed || !queue.isEmpty()) {
      try {
        batch.clear();
        AuditRecord first = closed ? queue.poll() : queue.take();
        if (first != null) {
          batch.add(first);
          queue.drainTo(batch, BATCH - 1);
          write(batch);
          if (batch.size() > 1 && batch.size() < BATCH && !closed) {
            LockSupport.parkNanos(GATHER_NANOS);
          }
        }
      } catch (InterruptedException e) {
        // closed is set by now: the loop writes the rest without waiting
      }
    }
    closeFile();
  }

  private void write(List<AuditRecord> batch) {
    try {
      if (reopen) {
        reopen = false;
        closeFile();
        out = open();
      }
      encode(batch);
      lines.writeTo(out);
      out.flush();
      failing = false;
    } catch (IOException | RuntimeException | LinkageError e) {
      lost.addAndGet(batch.size());
      // Not held meanwhile: who mends the disk may have to unmount it.
      closeFile();
      reopen = true;
      if (!failing) {
        LOG.log(System.Logger.Level.ERROR, "the audit log cannot be written: " + e.getMessage());
      }
      failing = true;
    }
  }

  private void encode(List<AuditRecord> batch) throws IOException {
    lines.reset();
    try (JsonGenerator json = AuditLine.to(lines)) {
      for (AuditRecord record : batch) {
        AuditLine.write(json, record);
      }
    }
    lines.write('\n');
  }

  private void closeFile() {
    if (file != null) {
      try {
        out.close();
      } catch (IOException e) {
        LOG.log(System.Logger.Level.WARNING, "the audit log cannot be closed: " + e.getMessage());
      }
    }
  }
}
