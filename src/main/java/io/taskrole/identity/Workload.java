package io.taskrole.identity;

/**
 * The coordinates of a task in Nomad. All four are chosen by job authors, also in a verified token:
 * they may hold any character that Nomad allows, colons and slashes included.
 *
 * @param namespace {@code nomad_namespace}
 * @param job {@code nomad_job_id}; for a dispatched or periodic child the parent's id
 * @param group the task group
 * @param task {@code nomad_task}
 */
public record Workload(String namespace, String job, String group, String task) {}
