package io.taskrole.nomad;

import com.hashicorp.nomad.apimodel.AllocationListStub;
import com.hashicorp.nomad.apimodel.TaskState;
import io.taskrole.identity.AllocationId;
import io.taskrole.nomad.Allocation.Status;
import io.taskrole.nomad.Allocation.Task;
import io.taskrole.nomad.Allocation.TokenFile;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Turns what the Nomad SDK read into the view's own terms. {@code Job} and {@code NetworkStatus}
 * come on {@code /v1/node/:id/allocations}, but the SDK's type for it does not know them: they lie
 * among its unmapped properties.
 */
final class AllocationReader {
  private AllocationReader() {}

  /** Returns the allocation, or empty when Nomad's record lacks what makes it one. */
  static Optional<Allocation> read(AllocationListStub stub) {
    Optional<AllocationId> id = Optional.ofNullable(stub.getId()).flatMap(AllocationId::parse);
    Optional<Status> status = status(stub.getClientStatus());
    Map<?, ?> job = map(unmapped(stub, "Job"));
    if (id.isEmpty()
        || status.isEmpty()
        || stub.getNamespace() == null
        || stub.getJobId() == null
        || stub.getTaskGroup() == null) {
      return Optional.empty();
    }
    Map<?, ?> group = named(list(job.get("TaskGroups")), stub.getTaskGroup());
    return Optional.of(
        new Allocation(
            id.get(),
            stub.getModifyIndex() == null ? 0 : stub.getModifyIndex().longValue(),
            stub.getNamespace().intern(),
            stub.getJobId().intern(),
            text(job.get("ParentID")).intern(),
            stub.getTaskGroup().intern(),
            status.get(),
            tasks(job, group, stub.getTaskStates()),
            unmapped(stub, "NetworkStatus") instanceof Map<?, ?>,
            addresses(map(unmapped(stub, "NetworkStatus")))));
  }

  private static Optional<Status> status(@Nullable String text) {
    for (Status status : Status.values()) {
      if (status.name().toLowerCase(Locale.ROOT).equals(text)) {
        return Optional.of(status);
      }
    }
    return Optional.empty();
  }

  /** The job says which tasks there are; their states are absent while all is pending. */
  private static Map<String, Task> tasks(
      Map<?, ?> job, Map<?, ?> group, @Nullable Map<String, TaskState> states) {
    Map<String, Task> tasks = new HashMap<>();
    for (Object each : list(group.get("Tasks"))) {
      Map<?, ?> task = map(each);
      String name = text(task.get("Name"));
      TaskState state = states == null ? null : states.get(name);
      Map<String, String> meta = new HashMap<>();
      for (Map<?, ?> level : List.of(job, group, task)) {
        map(level.get("Meta")).forEach((key, value) -> meta.put(text(key), text(value)));
      }
      tasks.put(
          name.intern(),
          new Task(
              state != null && "dead".equals(state.getState()),
              Map.copyOf(meta),
              tokenFiles(list(task.get("Identities")))));
    }
    return tasks;
  }

  private static List<TokenFile> tokenFiles(List<?> identities) {
    List<TokenFile> files = new ArrayList<>();
    for (Object each : identities) {
      Map<?, ?> identity = map(each);
      String name = text(identity.get("Name"));
      if (Boolean.TRUE.equals(identity.get("File")) && name.matches("[a-zA-Z0-9_-]{1,128}")) {
        String path = text(identity.get("Filepath"));
        files.add(
            new TokenFile(
                list(identity.get("Audience")).stream().map(AllocationReader::text).toList(),
                path.isEmpty() ? "secrets/nomad_" + name + ".jwt" : path));
      }
    }
    return List.copyOf(files);
  }

  private static Set<InetAddress> addresses(Map<?, ?> network) {
    Set<InetAddress> addresses = new HashSet<>();
    for (String member : List.of("Address", "AddressIPv6")) {
      String literal = text(network.get(member));
      if (!literal.isEmpty()) {
        try {
          addresses.add(InetAddress.ofLiteral(literal));
        } catch (IllegalArgumentException e) {
          // Not an address: nothing can be proven by it, and nothing is contradicted.
        }
      }
    }
    return addresses;
  }

  private static Map<?, ?> named(List<?> entries, String name) {
    for (Object entry : entries) {
      if (name.equals(map(entry).get("Name"))) {
        return map(entry);
      }
    }
    return Map.of();
  }

  private static @Nullable Object unmapped(AllocationListStub stub, String name) {
    Map<String, Object> unmapped = stub.getUnmappedProperties();
    return unmapped == null ? null : unmapped.get(name);
  }

  private static Map<?, ?> map(@Nullable Object value) {
    return value instanceof Map<?, ?> map ? map : Map.of();
  }

  private static List<?> list(@Nullable Object value) {
    return value instanceof List<?> list ? list : List.of();
  }

  private static String text(@Nullable Object value) {
    return value instanceof String text ? text : "";
  }
}
