package main

import (
	"reflect"
	"slices"
)

// checkTogether holds the instances of a job against what lets one take over from the other.
func checkTogether(daemons []*daemon, r *report) {
	// Of what could not be read its own problem is told already.
	daemons = slices.DeleteFunc(slices.Clone(daemons), func(d *daemon) bool { return d.config.Listen.Admin == "" })
	for i, each := range daemons {
		each.checkAlone(r)
		for _, other := range daemons[:i] {
			each.checkBeside(other, r)
		}
	}
}

// checkBeside: both listen at the same addresses, and each has an admin address of its own.
func (d *daemon) checkBeside(other *daemon, r *report) {
	mine, its := d.config.Listen, other.config.Listen
	if !mine.ReusePort || !its.ReusePort {
		r.tell(d.configurationPlace("credentials:"), "two instances cannot listen on one address",
			"add reuse-port: true below")
	}
	if !slices.Equal(mine.Credentials, its.Credentials) {
		r.tell(d.configurationPlace("credentials:"), "the instances listen on different addresses",
			"write the same for both, or neither takes over from the other")
	}
	if mine.Admin == its.Admin {
		r.tell(d.configurationPlace("admin:"), "both instances have the admin address "+mine.Admin,
			"give each a port of its own")
	}
	if d.task.User != other.task.User {
		r.tell(place(d.task.block, "user"), "the instances run as different users",
			"write the same for both: the kernel lets nobody else listen on such an address")
	}
}

// checkAlone: Nomad replaces an allocation whose group changes, so a group must not depend on the other one.
func (d *daemon) checkAlone(r *report) {
	alone := parseInstances(d.job.file, []string{*d.group.Name}, d.job.required, r)
	if alone == nil {
		return
	}
	const mend = "use nothing of the other instance, or Nomad replaces what runs"
	if !reflect.DeepEqual(alone.group(*d.group.Name), d.group) {
		r.tell(d.groupBlock().DefRange(), "the group changes when the other instance is added", mend)
	}
	here, there := *d.job.Job, *alone.Job
	here.TaskGroups, there.TaskGroups = nil, nil
	if !reflect.DeepEqual(there, here) {
		r.tell(d.job.block.DefRange(), "the job changes when the other instance is added", mend)
	}
}
