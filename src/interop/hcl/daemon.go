package main

import (
	"fmt"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/nomad/api"
	"gopkg.in/yaml.v3"
)

const (
	leastPriority = 90
	// docs/benchmarks.md: 110 MB at most; the rest is for the page cache and growth.
	leastMemory       = 200
	configurationFile = "local/taskrole.yaml"
	sampleNode        = "9afa5da1-8f39-25a2-48dc-ba31fd7c0023"
)

// Users that other tasks have as well: by default, by their image, or as the default of the exec and java drivers.
var commonUsers = []string{"", "root", "0", "nobody", "65534"}

// daemon is a group that runs taskrole, with the configuration that its templates make.
type daemon struct {
	job    *jobFile
	group  *api.TaskGroup
	task   *task
	config configuration
	files  map[string]string
	// Where the rules go: they are rendered once all jobs are known.
	rules *api.Template
}

// configuration is what of taskrole.yaml the job has to agree with. "taskrole check" judges the rest.
type configuration struct {
	Listen struct {
		Credentials []string
		Admin       string
		ReusePort   bool `yaml:"reuse-port"`
	}
	Nomad struct {
		Address   string
		TokenFile string `yaml:"token-file"`
		NodeId    string `yaml:"node-id"`
	}
	Roles string
}

func (d *daemon) credentials() []string {
	return d.config.Listen.Credentials
}

// checkDaemons holds the job that runs taskrole against what that needs on every node: one for each instance.
func checkDaemons(job *jobFile, r *report) (daemons []*daemon) {
	checkPlacement(job, r)
	for _, group := range job.TaskGroups {
		daemons = append(daemons, checkDaemon(job, group, r))
	}
	checkTogether(daemons, r)
	return daemons
}

// checkDaemon holds one group against it.
func checkDaemon(job *jobFile, group *api.TaskGroup, r *report) *daemon {
	d := &daemon{job: job, group: group, files: map[string]string{}}
	if len(group.Tasks) != 1 {
		r.tell(d.groupBlock().DefRange(), "this group has not one task",
			"run taskrole alone: it must outlive what asks it")
		return d
	}
	d.task = job.tasks[slices.IndexFunc(job.tasks, func(t *task) bool { return t.group == group })]
	d.readTemplates(r)
	d.checkConfiguration(r)
	d.checkIdentity(r)
	d.checkNetwork(r)
	d.checkHealth(r)
	d.checkTask(r)
	return d
}

func checkPlacement(job *jobFile, r *report) {
	block := job.block
	if !job.isOf("system") {
		r.tell(place(block, "type"), "taskrole would not run on every node", `write type = "system"`)
	}
	if job.NodePool == nil || *job.NodePool != "all" {
		r.tell(place(block, "node_pool"), "nodes of other pools would have no taskrole", `write node_pool = "all"`)
	}
	if len(job.Datacenters) > 0 && !slices.Contains(job.Datacenters, "*") {
		r.tell(place(block, "datacenters"), "nodes of other datacenters would have no taskrole",
			`write datacenters = ["*"]`)
	}
	if job.Priority == nil || *job.Priority < leastPriority {
		r.tell(place(block, "priority"), "other jobs could push taskrole out",
			fmt.Sprintf("write priority = %d", leastPriority))
	}
	update := job.Update
	if update == nil || update.MaxParallel == nil || *update.MaxParallel < 1 ||
		update.HealthCheck != nil && *update.HealthCheck != "checks" {
		r.tell(place(block, "update", "max_parallel"), "an update would stop taskrole everywhere at once",
			`write update { max_parallel = 1 ... health_check = "checks" }`)
	}
}

// readTemplates renders the configuration with what Nomad would put in.
func (d *daemon) readTemplates(r *report) {
	for i, each := range d.task.Templates {
		if each.EmbeddedTmpl == nil || each.DestPath == nil {
			continue
		}
		block := blocksIn(d.task.block.Body, "template")[i]
		if strings.Contains(*each.EmbeddedTmpl, "nomadVar") {
			d.rules = each
			d.checkRules(block, r)
			continue
		}
		text, _, err := render(each, "")
		if err != nil {
			r.tell(place(block, "data"), "this template fails", err.Error())
			continue
		}
		d.files[*each.DestPath] = text
	}
}

// checkRules: the file is followed by taskrole itself, so a change must not cost a restart.
func (d *daemon) checkRules(block *hclsyntax.Block, r *report) {
	mode := literal(block.Body, "change_mode")
	if mode != "noop" && !(mode == "signal" && literal(block.Body, "change_signal") == "SIGHUP") {
		r.tell(place(block, "change_mode"), "new rules would restart taskrole",
			`write change_mode = "noop": it follows the file`)
	}
	_, variable, err := render(d.rules, "roles: []\n")
	if err != nil {
		r.tell(place(block, "data"), "this template fails", err.Error())
	} else if variable != "nomad/jobs/"+daemonJob {
		r.tell(d.job.file.within(place(block, "data"), "nomadVar"), "this job may not read the variable "+variable,
			"read nomad/jobs/"+daemonJob+", which needs no policy")
	}
}

// render does what Nomad does with a template of ours, and says which variable it asked for.
func render(each *api.Template, roles string) (text, variable string, err error) {
	values := map[string]string{"NOMAD_SECRETS_DIR": "/secrets", "node.unique.id": sampleNode}
	functions := template.FuncMap{
		"env": func(name string) (string, error) {
			value, ok := values[name]
			if !ok {
				return "", fmt.Errorf("no value for env %q: Nomad would put in nothing", name)
			}
			return value, nil
		},
		"nomadVar": func(path string) map[string]string {
			variable = path
			return map[string]string{"roles": roles}
		},
	}
	parsed, err := template.New(*each.DestPath).Option("missingkey=error").Funcs(functions).Parse(*each.EmbeddedTmpl)
	if err != nil {
		return "", "", err
	}
	var out strings.Builder
	err = parsed.Execute(&out, nil)
	return out.String(), variable, err
}

func (d *daemon) checkConfiguration(r *report) {
	const file = configurationFile
	text, ok := d.files[file]
	if !ok {
		r.tell(d.task.block.DefRange(), "no template makes "+file, "add one with destination = \""+file+"\"")
		return
	}
	if err := yaml.Unmarshal([]byte(text), &d.config); err != nil {
		r.tell(d.templatePlace(file, "data"), file+" is not YAML", err.Error())
		return
	}
	tell := func(word, text, mend string) {
		r.tell(d.configurationPlace(word), text, mend)
	}
	if d.config.Nomad.Address != "unix:///secrets/api.sock" {
		tell("address:", "taskrole does not ask the task API socket",
			`write address: unix://{{ env "NOMAD_SECRETS_DIR" }}/api.sock`)
	}
	if d.config.Nomad.TokenFile != "/secrets/nomad_token" {
		tell("token-file:", "the task API socket needs the job's own token",
			`write token-file: {{ env "NOMAD_SECRETS_DIR" }}/nomad_token`)
	}
	if d.config.Nomad.NodeId != sampleNode {
		tell("node-id:", "taskrole would ask the agent for its node, which the policy does not allow",
			`write node-id: {{ env "node.unique.id" }}`)
	}
	for _, host := range []string{loopback, linkLocal} {
		if !slices.ContainsFunc(d.credentials(), func(each string) bool { return strings.HasPrefix(each, host+":") }) {
			tell("credentials:", "taskrole does not listen on "+host, "add it to listen.credentials")
		}
	}
	roles := d.config.Roles
	if roles == "" {
		roles = "roles.yaml"
	}
	if d.rules == nil || *d.rules.DestPath != path.Join(path.Dir(file), roles) {
		r.tell(d.task.block.DefRange(), "no template makes "+path.Join(path.Dir(file), roles)+" from a Nomad Variable",
			`add one with {{ with nomadVar "nomad/jobs/taskrole" }}{{ .roles }}{{ end }}`)
	}
	args, _ := d.task.Config["args"].([]any)
	if !slices.Equal(args, []any{"agent", "--config", "${NOMAD_TASK_DIR}/taskrole.yaml"}) {
		r.tell(place(d.task.block, "config", "args"), "taskrole does not run with that configuration",
			`write args = ["agent", "--config", "${NOMAD_TASK_DIR}/taskrole.yaml"]`)
	}
}

// configurationPlace is the line of taskrole.yaml that has the word in it.
func (d *daemon) configurationPlace(word string) hcl.Range {
	return d.job.file.within(d.templatePlace(configurationFile, "data"), word)
}

func (d *daemon) templatePlace(destination, attribute string) hcl.Range {
	for _, block := range blocksIn(d.task.block.Body, "template") {
		if literal(block.Body, "destination") == destination {
			return place(block, attribute)
		}
	}
	return d.task.block.DefRange()
}

// checkIdentity: the default identity is the token for the socket, and is a file that is never stale.
func (d *daemon) checkIdentity(r *report) {
	identity := d.task.Identity
	if identity == nil {
		identity = d.task.identity("default")
	}
	if identity == nil {
		identity = d.task.identity("")
	}
	at := place(d.task.block, "identity", "file")
	if identity == nil || !identity.File {
		r.tell(at, "taskrole has no token for Nomad", "write identity { file = true }")
	} else if identity.Env {
		r.tell(place(d.task.block, "identity", "env"), "the token is put into the environment as well", "remove env")
	}
}

// checkNetwork: callers are looked up in the host's network, and the ports must stay its own.
func (d *daemon) checkNetwork(r *report) {
	if d.task.network() != hostNetwork {
		r.tell(d.networkPlace(), "taskrole would listen where no task asks", "give it the host's network")
	}
	if user := d.task.User; d.config.Listen.ReusePort && slices.Contains(commonUsers, user) {
		r.tell(place(d.task.block, "user"), fmt.Sprintf("other tasks run as %q too and could listen at taskrole's port", user),
			"give it a user of its own")
	}
	d.checkReserved(d.config.Listen.Admin, r)
	for _, address := range d.credentials() {
		if d.config.Listen.ReusePort || len(d.job.TaskGroups) > 1 {
			d.checkShared(address, r)
		} else {
			d.checkReserved(address, r)
		}
	}
}

func (d *daemon) checkReserved(address string, r *report) {
	_, port, err := net.SplitHostPort(address)
	if err == nil && d.reserved(port) < 0 {
		r.tell(place(d.groupBlock(), "network"), "port "+port+" is not reserved, another job could take it",
			"add a port block with static = "+port)
	}
}

// checkShared: what one group reserves no other group of the node can have.
func (d *daemon) checkShared(address string, r *report) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return
	}
	if i := d.reserved(port); i >= 0 {
		r.tell(d.portPlace(d.ports()[i].Label), "port "+port+" is reserved, a second instance would not be placed",
			"remove the port block: the client's reserved_ports keep other jobs away")
	}
}

// reserved is the index of a port among the group's own; less than 0, else.
func (d *daemon) reserved(port string) int {
	return slices.IndexFunc(d.ports(), func(p api.Port) bool { return strconv.Itoa(p.Value) == port })
}

func (d *daemon) portPlace(label string) hcl.Range {
	for _, network := range blocksIn(d.groupBlock().Body, "network") {
		if port := child(network, "port", label); port != nil {
			return port.DefRange()
		}
	}
	return place(d.groupBlock(), "network")
}

func (d *daemon) networkPlace() hcl.Range {
	if d.task.Driver == "docker" {
		return place(d.task.block, "config", "network_mode")
	}
	return place(d.groupBlock(), "network", "mode")
}

func (d *daemon) groupBlock() *hclsyntax.Block {
	return d.job.groupBlock(d.group)
}

func (d *daemon) ports() []api.Port {
	var ports []api.Port
	for _, network := range d.group.Networks {
		ports = append(ports, network.ReservedPorts...)
	}
	return ports
}

// checkHealth: an update goes on when /readyz says so, and a process that hangs is restarted.
func (d *daemon) checkHealth(r *report) {
	host, port, _ := net.SplitHostPort(d.config.Listen.Admin)
	asked := map[string]bool{}
	for i, service := range append(slices.Clone(d.group.Services), d.task.Services...) {
		block := d.serviceBlock(i)
		for _, check := range service.Checks {
			if check.Type != "http" {
				continue
			}
			asked[check.Path] = true
			label := check.PortLabel
			if label == "" {
				label = service.PortLabel
			}
			if service.Address != host {
				r.tell(place(block, "address"), check.Path+" would be asked on another address than taskrole's "+host,
					fmt.Sprintf("write address = %q", host))
			}
			if !slices.ContainsFunc(d.ports(), func(p api.Port) bool {
				return p.Label == label && strconv.Itoa(p.Value) == port
			}) {
				r.tell(place(block, "port"), check.Path+" would be asked on another port than taskrole's "+port,
					"name the port that has static = "+port)
			}
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if !asked[path] {
			r.tell(place(d.groupBlock(), "service"), "nobody asks "+path, `add a check of type "http"`)
		}
	}
}

func (d *daemon) serviceBlock(i int) *hclsyntax.Block {
	group := blocksIn(d.groupBlock().Body, "service")
	return append(group, blocksIn(d.task.block.Body, "service")...)[i]
}

func (d *daemon) checkTask(r *report) {
	restart := d.group.RestartPolicy
	if restart == nil || restart.Mode == nil || *restart.Mode != "delay" {
		r.tell(place(d.groupBlock(), "restart", "mode"), "Nomad would give taskrole up after some restarts",
			`write restart { ... mode = "delay" }`)
	}
	for i, artifact := range d.task.Artifacts {
		if !strings.HasPrefix(artifact.GetterOptions["checksum"], "sha256:") {
			r.tell(blocksIn(d.task.block.Body, "artifact")[i].DefRange(), "whatever is fetched would be run",
				"add options { checksum = \"sha256:...\" }")
		}
	}
	resources := d.task.Resources
	if resources == nil || resources.CPU == nil || resources.MemoryMB == nil || *resources.MemoryMB < leastMemory {
		r.tell(place(d.task.block, "resources", "memory"), "taskrole would be killed under load",
			fmt.Sprintf("write resources { cpu = 200, memory = %d } or more", leastMemory))
	}
}

// render adds what a node would find, with a rule for every job that asks.
func (d *daemon) render(jobs []*jobFile, r *report) {
	for name, text := range d.files {
		r.rendered[d.rendered(name)] = text
	}
	if d.rules == nil {
		return
	}
	rules := "roles:\n"
	for _, job := range jobs {
		if !job.isDaemon() {
			rules += fmt.Sprintf("  - match: {namespace: %s, job: %s}\n    role: arn:aws:iam::123456789012:role/%s\n",
				job.namespace(), *job.ID, *job.ID)
		}
	}
	if text, _, err := render(d.rules, rules); err == nil {
		r.rendered[d.rendered(*d.rules.DestPath)] = text
	}
}

func (d *daemon) rendered(name string) string {
	return path.Join(d.job.base()+"-"+*d.group.Name, path.Base(name))
}
