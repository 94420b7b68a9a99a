package io.taskrole.nomad;

import io.taskrole.identity.AllocationId;
import java.net.InetAddress;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What the view keeps of one allocation of this node (Nomad HTTP API, "Allocations").
 *
 * @param modifyIndex grows with every change of the allocation
 * @param job the job's id; a child's own
 * @param parent the id of the job that a periodic or dispatched child comes from, empty otherwise
 * @param tasks the tasks of the allocation's group by name; never empty
 * @param isNetworkTold whether Nomad has told of the allocation's network yet, host mode included
 * @param addresses the addresses of the allocation's own network, none in host mode and while
 *     pending
 */
record Allocation(
    AllocationId id,
    long modifyIndex,
    String namespace,
    String job,
    String parent,
    String group,
    Status status,
    Map<String, Task> tasks,
    boolean isNetworkTold,
    Set<InetAddress> addresses) {

  /** {@code ClientStatus}. */
  enum Status {
    PENDING,
    RUNNING,
    COMPLETE,
    FAILED,
    LOST,
    /** The node is cut off from the servers; its tasks go on. */
    UNKNOWN;

    /** Whether the allocation has ended on this node. */
    boolean isTerminal() {
      return this == COMPLETE || this == FAILED || this == LOST;
    }

    /** Whether no later word of Nomad's may revive the allocation: a lost node may come back. */
    boolean isFinal() {
      return this == COMPLETE || this == FAILED;
    }
  }

  /**
   * One task.
   *
   * @param dead whether it has ended for good, as far as Nomad has said
   * @param meta job, group and task meta, the inner overriding the outer
   * @param tokenFiles the named identities that Nomad writes to files
   */
  record Task(boolean dead, Map<String, String> meta, List<TokenFile> tokenFiles) {}

  /**
   * A token file of a task.
   *
   * @param audience the identity's audiences
   * @param path relative to the task's directory
   */
  record TokenFile(List<String> audience, String path) {}

  Allocation {
    tasks = Map.copyOf(tasks);
    addresses = Set.copyOf(addresses);
  }

  /** The job as tokens name it: the parent's id for a periodic or dispatched child. */
  String claimedJob() {
    return parent.isEmpty() ? job : parent;
  }

  /** The same allocation in another status. */
  Allocation with(Status other) {
    return new Allocation(
        id, modifyIndex, namespace, job, parent, group, other, tasks, isNetworkTold, addresses);
  }
}
