package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// What the folder must show, by driver and by the network that the task has.
var shown = []struct{ driver, network string }{
	{"docker", ownNetwork}, {"docker", hostNetwork}, {"exec", hostNetwork}, {"raw_exec", hostNetwork}, {"java", hostNetwork},
}

// The drivers that the daemon's own job comes for.
var carriers = []string{"raw_exec", "docker"}

// check reads every file of a folder. What the folder lacks as a whole is told of its README.md.
func check(folder string) (*report, error) {
	r := &report{rendered: map[string]string{}}
	var jobs []*jobFile
	var policies []*source
	modules := map[string][]*source{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		isHidden := path != folder && strings.HasPrefix(entry.Name(), ".") // what "terraform init" leaves behind
		if isHidden && entry.IsDir() {
			return fs.SkipDir
		}
		if isHidden || entry.IsDir() {
			return nil
		}
		isJob, isPolicy := strings.HasSuffix(path, ".nomad.hcl"), strings.HasSuffix(path, ".policy.hcl")
		isModule := strings.HasSuffix(path, ".tf")
		if !isJob && !isPolicy && !isModule {
			if strings.HasSuffix(path, ".hcl") {
				return fmt.Errorf("%s: neither .nomad.hcl nor .policy.hcl: its kind is not known", path)
			}
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		r.files = append(r.files, path)
		file := parse(path, text, r)
		switch {
		case file == nil:
		case isJob:
			if job := parseJob(file, r); job != nil {
				jobs = append(jobs, job)
			}
		case isPolicy:
			policies = append(policies, file)
		default:
			modules[filepath.Dir(path)] = append(modules[filepath.Dir(path)], file)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	readme := filepath.Join(folder, "README.md")
	page, err := os.ReadFile(readme)
	if err != nil {
		return nil, err
	}
	r.files = append(r.files, readme)

	var daemons []*daemon
	var subjects []string
	for _, job := range jobs {
		if job.isDaemon() {
			daemons = append(daemons, checkDaemons(job, r)...)
		}
	}
	for _, job := range jobs {
		if !job.isDaemon() {
			subjects = append(subjects, checkAsking(job, daemons, r)...)
		}
	}
	for _, policy := range policies {
		checkPolicy(policy, r)
	}
	for _, module := range modules {
		checkIam(module, subjects, r)
	}
	for _, each := range daemons {
		each.render(jobs, r)
	}

	lacks := func(text, mend string) {
		r.tell(hcl.Range{Filename: readme, Start: hcl.InitialPos}, text, mend)
	}
	for _, each := range shown {
		if !anyTask(jobs, func(t *task) bool { return t.Driver == each.driver && t.network() == each.network }) {
			lacks(fmt.Sprintf("no example for %s with %s", each.driver, each.network), "add a job file")
		}
	}
	if !anyTask(jobs, func(t *task) bool { return t.job.isOf("batch") }) {
		lacks("no example of a batch job", "add a job file")
	}
	if !anyTask(jobs, func(t *task) bool { return t.job.Periodic != nil }) {
		lacks("no example of a periodic job", "add a job file")
	}
	for _, carrier := range carriers {
		if !anyTask(jobs, func(t *task) bool { return t.job.isDaemon() && t.Driver == carrier }) {
			lacks("no job that runs taskrole by "+carrier, "add a job file")
		}
	}
	if len(policies) == 0 {
		lacks("no ACL policy", "add a .policy.hcl file")
	}
	if len(modules) == 0 {
		lacks("no Terraform files", "add the provider and a role")
	}
	for _, file := range r.files {
		if !strings.HasSuffix(file, ".tf") && !strings.Contains(string(page), filepath.Base(file)) && file != readme {
			lacks("it does not name "+filepath.Base(file), "say what the file is for")
		}
	}
	r.sort()
	return r, nil
}
