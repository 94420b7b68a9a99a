package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/nomad/api"
	"github.com/hashicorp/nomad/jobspec2"
)

// Where a task's 127.0.0.1 is.
const (
	hostNetwork = "the host's network"
	ownNetwork  = "a network of its own"
	noNetwork   = "no network"
)

// The instances that the daemon's job may run on a node, each a group of its own.
var instances = []string{"blue", "green"}

// The daemon's job id: the ACL policy is attached to it, and its variable is named after it.
const daemonJob = "taskrole"

// jobFile is a job as Nomad's own parser understands it, beside its file, which knows the places.
type jobFile struct {
	*api.Job
	file  *source
	block *hclsyntax.Block
	tasks []*task
	// The variables without a default.
	required []string
}

// task is one of a job, with the block that it was read from.
type task struct {
	*api.Task
	job   *jobFile
	group *api.TaskGroup
	block *hclsyntax.Block
}

// parseJob reads a file with all its instances, if it has some.
func parseJob(file *source, r *report) *jobFile {
	return parseInstances(file, instances, file.checkVariables(r), r)
}

// parseInstances reads a file as "nomad job run" does; variables without a default get a sample.
func parseInstances(file *source, chosen, required []string, r *report) *jobFile {
	var values []string
	for _, name := range required {
		value := sample(name)
		if name == "instances" {
			value = sampleInstances(chosen)
		}
		values = append(values, name+"="+value)
	}
	parsed, err := jobspec2.ParseWithConfig(&jobspec2.ParseConfig{
		Path: file.name, Body: file.text, ArgVars: values, Strict: true,
	})
	if err != nil {
		r.tellError(file.name, err)
		return nil
	}
	job := &jobFile{Job: parsed, file: file, block: file.blocks("job")[0], required: required}
	for _, group := range parsed.TaskGroups {
		within := job.groupBlock(group)
		for _, each := range group.Tasks {
			job.tasks = append(job.tasks, &task{each, job, group, child(within, "task", each.Name)})
		}
	}
	return job
}

// sampleInstances is a value for the variable that says which instances run.
func sampleInstances(chosen []string) string {
	var values []string
	for _, each := range chosen {
		values = append(values, fmt.Sprintf(`%s = { version = "0.1.0-%s", sha256 = "%064x" }`, each, each, each))
	}
	return "{" + strings.Join(values, ", ") + "}"
}

// groupBlock is where a group is written: its own block, or the content of a dynamic one; the job, if the task stands
// in that itself.
func (j *jobFile) groupBlock(group *api.TaskGroup) *hclsyntax.Block {
	if block := child(j.block, "group", *group.Name); block != nil {
		return block
	}
	if block := child(j.block, "dynamic", "group"); block != nil {
		return child(block, "content", "")
	}
	return j.block
}

func (j *jobFile) group(name string) *api.TaskGroup {
	for _, each := range j.TaskGroups {
		if *each.Name == name {
			return each
		}
	}
	return nil
}

func (j *jobFile) base() string {
	return strings.TrimSuffix(filepath.Base(j.file.name), ".nomad.hcl")
}

func (j *jobFile) isDaemon() bool {
	return *j.ID == daemonJob
}

func (j *jobFile) isOf(kind string) bool {
	return j.Type != nil && *j.Type == kind
}

func (j *jobFile) namespace() string {
	if j.Namespace == nil {
		return "default"
	}
	return *j.Namespace
}

func anyTask(jobs []*jobFile, has func(*task) bool) bool {
	return slices.ContainsFunc(jobs, func(j *jobFile) bool { return slices.ContainsFunc(j.tasks, has) })
}

// network says where the task's loopback is. docker's own setting comes first; without any docker gives the
// container its own bridge, other drivers the host's network.
func (t *task) network() string {
	mode := ""
	if len(t.group.Networks) > 0 {
		mode = t.group.Networks[0].Mode
	}
	if t.Driver == "docker" || t.Driver == "podman" {
		switch own, _ := t.Config["network_mode"].(string); own {
		case "host":
			return hostNetwork
		case "none":
			return noNetwork
		case "":
			if mode == "none" {
				return noNetwork
			}
		}
		return ownNetwork
	}
	switch mode {
	case "", "host":
		return hostNetwork
	case "none":
		return noNetwork
	}
	return ownNetwork
}

// identities are the named ones.
func (t *task) identity(name string) *api.WorkloadIdentity {
	for _, each := range t.Identities {
		if each.Name == name {
			return each
		}
	}
	return nil
}

// identityPlace is that of an attribute of a named identity; of the identity or the task, else.
func (t *task) identityPlace(name, attribute string) hcl.Range {
	for _, block := range blocksIn(t.block.Body, "identity") {
		if literal(block.Body, "name") == name {
			return place(block, attribute)
		}
	}
	return t.block.DefRange()
}

func (t *task) String() string {
	return fmt.Sprintf("task %q", t.Name)
}
