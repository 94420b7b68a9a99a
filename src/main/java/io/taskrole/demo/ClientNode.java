package io.taskrole.demo;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.taskrole.time.TimeSource;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The allocations of one Nomad client node, as its agent lists them: what changes raises the index,
 * and wakes whoever waits for it. For the demo and the tests.
 *
 * <p>Safe for concurrent use.
 */
public final class ClientNode {
  private static final JsonFactory JSON = new JsonFactory();

  private final String id = UUID.randomUUID().toString();
  private final TimeSource time;
  private final Map<String, Run> runs = new LinkedHashMap<>();
  private long index = 100;
  private int lists;

  ClientNode(TimeSource time) {
    this.time = time;
  }

  /** The node's id. */
  public String id() {
    return id;
  }

  /** An allocation of this node; it runs in host mode until told otherwise. */
  public synchronized Run run(
      String allocation, String namespace, String job, String group, String... tasks) {
    Run known = runs.get(allocation);
    if (known != null) {
      return known;
    }
    Run run = new Run(allocation, namespace, job, group);
    for (String task : tasks) {
      run.tasks.put(task, "running");
    }
    runs.put(allocation, run);
    changed(run);
    return run;
  }

  /** The allocation of that id, null when there is none. */
  public synchronized @Nullable Run find(String allocation) {
    return runs.get(allocation);
  }

  /** Several changes as one piece of news. */
  public synchronized void atOnce(Runnable changes) {
    changes.run();
  }

  /** Removes an allocation from the list, as Nomad's garbage collection does. */
  public synchronized void forget(String allocation) {
    runs.remove(allocation);
    index++;
    notifyAll();
  }

  /** Sets the index back, as when the cluster's state is restored from a snapshot. */
  public synchronized void fallTo(long lower) {
    index = lower;
    notifyAll();
  }

  /** How many lists have been asked for. */
  public synchronized int lists() {
    return lists;
  }

  /** {@code X-Nomad-Index}. */
  synchronized long index() {
    return index;
  }

  /** Waits, as a blocking query does, until the index is another one. */
  synchronized void await(long known, Duration wait) throws InterruptedException {
    lists++;
    long deadline = time.nanos() + wait.toNanos();
    while (known == index && time.nanos() < deadline) {
      wait(Math.max(1, (deadline - time.nanos()) / 1_000_000));
    }
  }

  synchronized void wake() {
    notifyAll();
  }

  /** {@code /v1/node/:id/allocations}, in UTF-8. */
  synchronized byte[] allocationsJson() {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write('[');
    for (Run run : runs.values()) {
      if (out.size() > 1) {
        out.write(',');
      }
      out.writeBytes(run.json());
    }
    out.write(']');
    return out.toByteArray();
  }

  private synchronized void changed(Run run) {
    index++;
    run.modifyIndex = index;
    run.rendered = null;
    notifyAll();
  }

  /** One allocation. Every change is Nomad's news at once. */
  public final class Run {
    private final String allocation;
    private final String namespace;
    private final String job;
    private final String group;
    private final Map<String, String> tasks = new LinkedHashMap<>();
    private final Map<String, String> meta = new LinkedHashMap<>();
    private String parent = "";
    private String status = "running";
    private String desired = "run";
    private String address = "";
    private String node = id;
    private int weight;
    private long modifyIndex;
    private byte @Nullable [] rendered;

    private Run(String allocation, String namespace, String job, String group) {
      this.allocation = allocation;
      this.namespace = namespace;
      this.job = job;
      this.group = group;
    }

    /** {@code ClientStatus}; a pending allocation tells neither task states nor its network. */
    public Run status(String status) {
      return set(() -> this.status = status);
    }

    /** {@code DesiredStatus}. */
    public Run desired(String desired) {
      return set(() -> this.desired = desired);
    }

    /** {@code State} of one task. */
    public Run task(String task, String state) {
      return set(() -> tasks.put(task, state));
    }

    /** {@code NetworkStatus.Address}; empty means host mode. */
    public Run address(String address) {
      return set(() -> this.address = address);
    }

    /** One entry of the job's {@code meta}. */
    public Run meta(String key, String value) {
      return set(() -> meta.put(key, value));
    }

    /** Makes the job a child, periodic or dispatched, of another. */
    public Run parent(String parent) {
      return set(() -> this.parent = parent);
    }

    /** Moves the allocation to another node. */
    public Run node(String node) {
      return set(() -> this.node = node);
    }

    /** Adds so many bytes of job specification, which a real job has. */
    public Run weight(int bytes) {
      return set(() -> this.weight = bytes);
    }

    private Run set(Runnable change) {
      synchronized (ClientNode.this) {
        change.run();
        changed(this);
      }
      return this;
    }

    /** Made once for each change, as a server keeps what it has. */
    private byte[] json() {
      byte[] known = rendered;
      if (known == null) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (JsonGenerator json = JSON.createGenerator(out)) {
          write(json);
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
        known = out.toByteArray();
        rendered = known;
      }
      return known;
    }

    private void write(JsonGenerator json) throws IOException {
      boolean isTold = !status.equals("pending");
      json.writeStartObject();
      json.writeStringField("ID", allocation);
      json.writeStringField("Namespace", namespace);
      json.writeStringField("NodeID", node);
      json.writeStringField("JobID", job);
      json.writeObjectFieldStart("Job");
      json.writeStringField("ID", job);
      json.writeStringField("ParentID", parent);
      json.writeStringField("Region", "global");
      writeMap(json, "Meta", meta);
      json.writeArrayFieldStart("TaskGroups");
      json.writeStartObject();
      json.writeStringField("Name", group);
      json.writeNullField("Meta");
      json.writeArrayFieldStart("Tasks");
      for (String task : tasks.keySet()) {
        json.writeStartObject();
        json.writeStringField("Name", task);
        json.writeStringField("Driver", "raw_exec");
        json.writeStringField("User", "");
        json.writeNullField("Meta");
        writeMap(json, "Env", weight == 0 ? Map.of() : Map.of("FILLER", "x".repeat(weight)));
        json.writeArrayFieldStart("Identities");
        json.writeStartObject();
        json.writeStringField("Name", "aws");
        json.writeArrayFieldStart("Audience");
        json.writeString("sts.amazonaws.com");
        json.writeEndArray();
        json.writeBooleanField("File", true);
        json.writeStringField("Filepath", "");
        json.writeNumberField("TTL", 3_600_000_000_000L);
        json.writeEndObject();
        json.writeEndArray();
        json.writeEndObject();
      }
      json.writeEndArray();
      json.writeEndObject();
      json.writeEndArray();
      json.writeEndObject();
      json.writeStringField("TaskGroup", group);
      json.writeStringField("DesiredStatus", desired);
      json.writeStringField("ClientStatus", status);
      if (isTold) {
        json.writeObjectFieldStart("TaskStates");
        for (Map.Entry<String, String> task : tasks.entrySet()) {
          json.writeObjectFieldStart(task.getKey());
          json.writeStringField("State", task.getValue());
          json.writeBooleanField("Failed", false);
          json.writeNullField("FinishedAt");
          json.writeEndObject();
        }
        json.writeEndObject();
        json.writeObjectFieldStart("NetworkStatus");
        json.writeStringField("InterfaceName", address.isEmpty() ? "" : "eth0");
        json.writeStringField("Address", address);
        json.writeStringField("AddressIPv6", "");
        json.writeNullField("DNS");
        json.writeEndObject();
      }
      json.writeNumberField("ModifyIndex", modifyIndex);
      json.writeEndObject();
    }

    private static void writeMap(JsonGenerator json, String name, Map<String, String> map)
        throws IOException {
      if (map.isEmpty()) {
        json.writeNullField(name);
        return;
      }
      json.writeObjectFieldStart(name);
      for (Map.Entry<String, String> entry : map.entrySet()) {
        json.writeStringField(entry.getKey(), entry.getValue());
      }
      json.writeEndObject();
    }
  }
}
