package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const folder = "../../../nomad-jobs"

// The files as they are have no problem.
func TestFolder_isGood(t *testing.T) {
	r, err := check(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range r.problems {
		t.Error(problem)
	}
	if len(r.files) < 15 {
		t.Errorf("only %d files were read", len(r.files))
	}
}

// A slip: what is written in place of what, and what must be said of it. The problem's place is the line that has
// the word at; the line that was written, if that is empty; the task's or the block's, where something is missing.
type slip struct {
	name, file, from, to, at, said string
}

const (
	bridge  = "docker-bridge.nomad.hcl"
	host    = "s3-upload.nomad.hcl"
	process = "exec.nomad.hcl"
	java    = "java.nomad.hcl"
	system  = "taskrole-raw-exec.nomad.hcl"
	docker  = "taskrole-docker.nomad.hcl"
	role    = "iam/role.tf"
	policy  = "taskrole.policy.hcl"
	theTask = `task "main"`
	daemons = `task "taskrole"`
)

var slips = []slip{
	// Any file.
	{"brokenSyntax", bridge, "\n}\n", "\n", `job "docker-bridge"`, "the parser refuses it"},
	{"unknownKey", bridge, `driver = "docker"`, "driver = \"docker\"\n      colour = \"red\"", `colour`, "the parser refuses it"},
	{"unknownBlock", bridge, "      resources {", "      resourcez {", "", "the parser refuses it"},
	{"unformatted", bridge, "name = \"aws\"", "name   =   \"aws\"", "", "not formatted"},
	{"noDescription", bridge, "  description = \"The AWS Region that the SDK asks.\"\n", "", `variable "region"`, "no description"},
	{"noType", bridge, "  type        = string\n", "", `variable "region"`, "no type"},

	// The identity.
	{"noIdentity", bridge, `name = "aws"`, `name = "other"`, tokenFile, `no identity "aws"`},
	{"otherAudience", bridge, `aud  = ["sts.amazonaws.com"]`, `aud  = ["vault.io"]`, "", "not for STS alone"},
	{"twoAudiences", bridge, `["sts.amazonaws.com"]`, `["sts.amazonaws.com", "vault.io"]`, "", "not for STS alone"},
	{"noAudience", bridge, "        aud  = [\"sts.amazonaws.com\"]\n", "", "identity {", "not for STS alone"},
	{"noFile", bridge, "        file = true\n", "", "identity {", "not written to a file"},
	{"fileFalse", bridge, "file = true", "file = false", "", "not written to a file"},
	{"elsewhere", bridge, "file = true\n", "file = true\n        filepath = \"local/token\"\n", "filepath", "somewhere else"},
	{"inEnvironment", bridge, "file = true\n", "file = true\n        env  = true\n", "env  = true", "never changes"},
	{"noTtl", bridge, "        ttl  = \"1h\"\n", "", "identity {", "never expires"},
	{"ttlZero", bridge, `ttl  = "1h"`, `ttl  = "0s"`, "", "never expires"},
	{"restarts", bridge, `change_mode = "noop"`, `change_mode = "restart"`, "", "disturbs the task"},

	// The token file.
	{"noTokenFile", bridge, `        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = "${NOMAD_SECRETS_DIR}/nomad_aws.jwt"` + "\n", "",
		"env {", "does not know its token"},
	{"fixedTokenPath", bridge, "${NOMAD_SECRETS_DIR}/nomad_aws.jwt", "/secrets/nomad_aws.jwt", "", "not where Nomad writes"},
	{"otherTokenFile", bridge, "nomad_aws.jwt", "nomad_token", "", "not where Nomad writes"},
	{"otherIdentitysToken", bridge, "nomad_aws.jwt", "nomad_gcp.jwt", "", `no identity "gcp"`},

	// The address.
	{"noAddress", bridge, `        AWS_CONTAINER_CREDENTIALS_FULL_URI     = "http://169.254.170.23:9171/v1/credentials"` + "\n", "",
		"env {", "does not know where to ask"},
	{"ownLoopback", bridge, "169.254.170.23", "127.0.0.1", fullUri, "own loopback"},
	{"ownLoopback_periodic", "periodic.nomad.hcl", "169.254.170.23", "127.0.0.1", fullUri, "own loopback"},
	{"ownLoopback_dockersBridge", host, `network_mode = "host"`, `network_mode = "bridge"`, fullUri, "own loopback"},
	{"ownLoopback_dockersDefault", host, "        network_mode = \"host\"\n", "", fullUri, "own loopback"},
	{"ownLoopback_exec", process, `group "app" {`, "group \"app\" {\n    network {\n      mode = \"cni/x\"\n    }\n", fullUri, "own loopback"},
	{"noNetwork", host, `network_mode = "host"`, `network_mode = "none"`, `task "cli"`, "has no network"},
	{"ecsAddress", process, "http://127.0.0.1", "http://169.254.170.2", "", "not every SDK asks"},
	{"nodesAddress", process, "http://127.0.0.1", "http://10.0.0.7", "", "not every SDK asks"},
	{"otherLoopback", process, "http://127.0.0.1", "http://127.0.0.53", "", "not every SDK asks"},
	{"hostName", process, "http://127.0.0.1", "http://localhost", "", "not http:// with an IPv4"},
	{"https", process, "http://127", "https://127", "", "not http:// with an IPv4"},
	{"ipv6", process, "http://127.0.0.1", "http://[fd00:ec2::23]", "", "not http:// with an IPv4"},
	{"query", process, "/v1/credentials", "/v1/credentials?a=b", "", "not http:// with an IPv4"},
	{"otherPath", process, "/v1/credentials", "/credentials", "", "does not answer at"},
	{"otherPort", process, ":9171", ":9173", "", "does not listen on 127.0.0.1:9173"},

	// The rest of the environment.
	{"noRegion", java, "        AWS_REGION                             = var.region\n", "", "env {", "no AWS_REGION"},
	{"emptyRegion", java, "= var.region", `= ""`, "AWS_REGION", "no AWS_REGION"},
	{"noMetadataSwitch", java, "        AWS_EC2_METADATA_DISABLED = \"true\"\n", "", "env {", "node's own role"},
	{"metadataOn", java, `AWS_EC2_METADATA_DISABLED = "true"`, `AWS_EC2_METADATA_DISABLED = "false"`, "", "node's own role"},
	{"bothAddresses", java, "      env {\n", "      env {\n        AWS_CONTAINER_CREDENTIALS_RELATIVE_URI = \"/x\"\n", "RELATIVE_URI", "RELATIVE_URI"},
	{"bothTokens", java, "      env {\n", "      env {\n        AWS_CONTAINER_AUTHORIZATION_TOKEN      = \"x\"\n", "TOKEN  ", "never changes"},
	{"ownKeys", java, "      env {\n", "      env {\n        AWS_ACCESS_KEY_ID                      = \"x\"\n", "AWS_ACCESS_KEY_ID", "look there first"},
	{"webIdentity", java, "      env {\n", "      env {\n        AWS_WEB_IDENTITY_TOKEN_FILE            = \"x\"\n", "AWS_WEB_IDENTITY", "look there first"},
	{"proxy", java, "      env {\n", "      env {\n        HTTP_PROXY                             = \"http://p:1\"\n", "HTTP_PROXY", "to the proxy"},

	// The folder.
	{"nobodyAsks", "raw-exec.nomad.hcl", "", "", `job "raw-exec"`, "asks for credentials"},
	{"noExample_driver", java, `driver = "java"`, `driver = "exec"`, "README.md", "no example for java"},
	{"noExample_periodic", "periodic.nomad.hcl", "", "", "README.md", "no example of a periodic job"},
	{"noExample_daemon", docker, `driver = "docker"`, `driver = "exec"`, "README.md", "runs taskrole by docker"},
	{"notInTheReadme", "README.md", "`java.nomad.hcl`", "", "README.md", "does not name java.nomad.hcl"},

	// The daemon's job.
	{"notSystem", system, `type      = "system"`, `type      = "service"`, "", "not run on every node"},
	{"otherPool", system, `node_pool   = "all"`, `node_pool   = "default"`, "", "nodes of other pools"},
	{"noPool", system, "  node_pool   = \"all\"\n", "", `job "taskrole"`, "nodes of other pools"},
	{"otherDatacenter", system, `["*"]`, `["dc1"]`, "", "nodes of other datacenters"},
	{"lowPriority", system, "priority    = 90", "priority    = 50", "", "push taskrole out"},
	{"noPriority", system, "  priority    = 90\n", "", `job "taskrole"`, "push taskrole out"},
	{"noUpdate", system, "", "", `job "taskrole"`, "everywhere at once"},
	{"updateAtOnce", system, "max_parallel      = 1", "max_parallel      = 0", "", "everywhere at once"},
	{"updateBlind", system, `health_check      = "checks"`, `health_check      = "task_states"`, "max_parallel", "everywhere at once"},
	{"adminNotReserved", system, "static = local.admin_ports[group.key]", "static = 9174", "network {", "port 9172 is not reserved"},
	{"credentialsNotReserved", system, "", "", "network {", "port 9171 is not reserved"},
	{"otherTask", system, "      task \"taskrole\" {", "      task \"other\" {\n        driver = \"raw_exec\"\n      }\n\n      task \"taskrole\" {", "content {", "not one task"},
	{"bridged", docker, `network_mode = "host"`, `network_mode = "bridge"`, "", "where no task asks"},
	{"givesUp", system, `mode     = "delay"`, `mode     = "fail"`, "", "give taskrole up"},
	{"checkElsewhere", system, `address = "127.0.0.1"`, `address = "10.0.0.7"`, "", "another address"},
	{"checkOtherPort", system, `port     = "admin"`, `port     = "credentials"`, "", "another port"},
	{"noHealthz", system, `"/healthz"`, `"/metrics"`, "service {", "nobody asks /healthz"},
	{"noReadyz", docker, `"/readyz"`, `"/metrics"`, "service {", "nobody asks /readyz"},
	{"readyzByTcp", system, "type     = \"http\"\n          path     = \"/readyz\"", "type     = \"tcp\"\n          path     = \"/readyz\"", "service {", "nobody asks /readyz"},
	{"noIdentityFile", system, "          file = true\n", "", "identity {", "no token for Nomad"},
	{"noDaemonIdentity", system, "        identity {\n          file = true\n        }\n", "", daemons, "no token for Nomad"},
	{"daemonTokenInEnvironment", system, "          file = true\n", "          file = true\n          env  = true\n", "env  = true", "environment as well"},
	{"noChecksum", system, `"sha256:${group.value.sha256}"`, `""`, "artifact {", "whatever is fetched"},
	{"smallMemory", system, "memory = 256", "memory = 64", "", "killed under load"},
	{"otherConfiguration", system, "/taskrole.yaml\"]", "/other.yaml\"]", "", "not run with that configuration"},
	{"noConfiguration", system, `destination = "local/taskrole.yaml"`, `destination = "local/other.yaml"`, daemons, "no template makes local/taskrole.yaml"},
	{"noYaml", system, "            sts:\n", "            sts: {\n", "data        = <<-YAML", "not YAML"},
	{"notTheSocket", docker, `unix://{{ env "NOMAD_SECRETS_DIR" }}/api.sock`, "http://127.0.0.1:4646", "", "task API socket"},
	{"noSocketToken", docker, "              token-file: {{ env \"NOMAD_SECRETS_DIR\" }}/nomad_token\n", "", "data        = <<-YAML", "own token"},
	{"noNode", docker, `{{ env "node.unique.id" }}`, "", "node-id:", "ask the agent"},
	{"misspeltEnv", docker, `{{ env "node.unique.id" }}`, `{{ env "node.id" }}`, "data        = <<-YAML", "this template fails"},
	{"notListening", docker, ", 169.254.170.23:9171", "", "credentials: [", "does not listen on 169.254.170.23"},
	{"otherVariable", system, `nomadVar "nomad/jobs/taskrole"`, `nomadVar "secret/roles"`, "", "may not read the variable secret/roles"},
	{"otherKey", system, "{{ .roles }}", "{{ .rules }}", "data        = <<-YAML\n            {{ with", "this template fails"},
	{"rulesRestart", system, `change_mode = "noop"`, `change_mode = "signal"`, "", "would restart taskrole"},
	{"noRules", system, `destination = "local/roles.yaml"`, `destination = "local/rules.yaml"`, daemons, "no template makes local/roles.yaml"},

	// Its two instances.
	{"noReusePort", docker, "              reuse-port: true\n", "", "credentials: [", "cannot listen on one address"},
	{"reusePortFalse", system, "reuse-port: true", "reuse-port: false", "credentials: [", "cannot listen on one address"},
	{"credentialsReserved", system, "port \"admin\" {", "port \"credentials\" {\n          static = 9171\n        }\n        port \"admin\" {", `port "credentials" {`, "would not be placed"},
	{"otherAddresses", docker, "169.254.170.23:9171]", `169.254.170.23:${group.key == "blue" ? 9171 : 9170}]`, "credentials: [", "on different addresses"},
	{"sameAdmin", system, "green = 9173", "green = 9172", "admin: 127", "both instances have the admin address 127.0.0.1:9172"},
	{"otherUser", docker, "user = var.user", `user = group.key == "blue" ? "9171" : "9172"`, "", "run as different users"},
	{"nobodysPort", docker, `default     = "9171"`, `default     = "nobody"`, "user = var.user", `run as "nobody" too`},
	{"rootsPort", system, "        user = var.user\n", "", daemons, `run as "" too`},
	{"groupChanges", system, "cpu    = 200", "cpu    = 200 / length(var.instances)", "content {", "the group changes"},
	{"jobChanges", docker, "priority    = 90", "priority    = 90 + length(var.instances)", `job "taskrole"`, "the job changes"},
	{"groupNeedsTheOther", docker, `checksum = "sha256:${group.value.sha256}"`, `checksum = "sha256:${var.instances["green"].sha256}"`, "", "the parser refuses it"},

	// The ACL policy.
	{"writesNode", policy, `policy = "read"`, `policy = "write"`, "", "read its node, no more"},
	{"submitsJobs", policy, `["read-job"]`, `["read-job", "submit-job"]`, "", "no more"},
	{"broadPolicy", policy, "capabilities = [\"read-job\"]", "policy = \"write\"", `namespace "*"`, "no more"},
	{"readsVariables", policy, "node {", "operator {\n  policy = \"read\"\n}\n\nnode {", "operator {", "does not need this"},
	{"noNodePolicy", policy, "node {\n  policy = \"read\"\n}\n", "", "# What", "may not read its node"},
	{"noJobPolicy", policy, "namespace \"*\" {\n  capabilities = [\"read-job\"]\n}\n", "", "# What", "may not read the jobs"},

	// IAM.
	{"wildcardOperator", role, "StringEquals = {", "StringLike = {", "", "compares by StringLike"},
	{"anyOperator", role, "        StringEquals = {", "        \"ForAnyValue:StringEquals\" = {", "", "compares by ForAnyValue"},
	{"wildcardSubject", role, "= local.subject", `= "global:default:*"`, "", "has a wildcard"},
	{"wildcardTask", role, "var.group, var.task,", `var.group, "*",`, ":sub", "has a wildcard"},
	{"noSubject", role, "          \"${local.issuer_name}:sub\" = local.subject\n", "", "Condition", "every job of the cluster"},
	{"noTrustedAudience", role, "          \"${local.issuer_name}:aud\" = var.audience\n", "", "assume_role_policy", "does not ask for the audience"},
	{"otherTrustedAudience", role, "= var.audience", `= "nomadproject.io"`, "", "does not ask for the audience"},
	{"otherIssuer", role, `${local.issuer_name}:sub`, `other.example.com:sub`, "Condition", "every job of the cluster"},
	{"listOfSubjects", role, "= local.subject", `= [local.subject, "x"]`, "assume_role_policy", "the one form that is safe"},
	{"swappedNames", role, "var.group, var.task,", "var.task, var.group,", ":sub", "no job here has the subject"},
	{"anybody", role, "{ Federated = aws_iam_openid_connect_provider.nomad.arn }", `{ AWS = "*" }`, "", "not for the Nomad issuer"},
	{"otherAction", role, "sts:AssumeRoleWithWebIdentity", "sts:AssumeRole", "", "allows sts:AssumeRole"},
	{"unknownReference", role, "= local.subject", "= local.nothing", "", "the parser refuses it"},
	{"variableWildcard", "iam/variables.tf", `default     = "cli"`, `default     = "cl*"`, role + ":sub", "has a wildcard"},
	{"variableUntold", "iam/variables.tf", "  description = \"The task's group.\"\n", "", `variable "group"`, "no description"},
	{"plainIssuer", "iam/provider.tf", "var.issuer", `"http://oidc.example.com"`, "", "https issuer only"},
	{"otherClient", "iam/provider.tf", "[var.audience]", `[var.audience, "x"]`, "", "one client id"},
}

// Every rule is broken once, and says so at the right line.
func TestSlip_isTold(t *testing.T) {
	for _, each := range slips {
		t.Run(each.name, func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			if err := os.CopyFS(directory, os.DirFS(folder)); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(directory, each.file)
			text := read(t, file)
			broken := slipped(t, each, text)
			if broken == text {
				t.Fatal("the slip changes nothing")
			}
			if err := os.WriteFile(file, []byte(broken), 0o644); err != nil {
				t.Fatal(err)
			}
			r, err := check(directory)
			if err != nil {
				t.Fatal(err)
			}
			where := spot(t, each, directory, file, broken)
			for _, problem := range r.problems {
				if strings.HasPrefix(problem.String(), where) && strings.Contains(problem.text+" "+problem.mend, each.said) {
					if problem.mend == "" || r.isGood(problem.file) {
						t.Errorf("no mend, or its file passes: %v", problem)
					}
					return
				}
			}
			t.Errorf("nothing at %s says %q, but: %v", where, each.said, r.problems)
		})
	}
}

// slipped makes the text with the slip; some take away whole blocks.
func slipped(t *testing.T, s slip, text string) string {
	t.Helper()
	switch s.name {
	case "brokenSyntax":
		return strings.TrimSuffix(text, "}\n")
	case "nobodyAsks":
		return cut(t, cut(t, text, "      # One audience", "      }\n\n"), "      env {", "      }\n\n")
	case "noExample_periodic":
		return cut(t, text, "  periodic {", "  }\n\n")
	case "credentialsNotReserved": // one instance for ever, which need not share its port
		text = strings.Replace(text, "for_each = var.instances", `for_each = { blue = var.instances["blue"] }`, 1)
		return strings.Replace(text, "reuse-port: true", "reuse-port: false", 1)
	case "noUpdate":
		return cut(t, text, "  update {", "  }\n")
	}
	if !strings.Contains(text, s.from) {
		t.Fatalf("%s has no %q", s.file, s.from)
	}
	return strings.Replace(text, s.from, s.to, 1)
}

func cut(t *testing.T, text, from, to string) string {
	t.Helper()
	before, rest, ok := strings.Cut(text, from)
	_, after, found := strings.Cut(rest, to)
	if !ok || !found {
		t.Fatalf("no %q ... %q", from, to)
	}
	return before + after
}

// spot is the beginning of the problem as it must be printed: file and line.
func spot(t *testing.T, s slip, directory, file, text string) string {
	t.Helper()
	at := s.at
	if at == "" {
		at = strings.TrimSpace(s.to)
	}
	if at == "README.md" {
		return filepath.Join(directory, at) + ":1:"
	}
	if name, word, ok := strings.Cut(at, ".tf:"); ok {
		file, at = filepath.Join(directory, name+".tf"), ":"+word
		text = read(t, file)
	}
	before, _, ok := strings.Cut(text, at)
	if !ok {
		t.Fatalf("%s has no %q", file, at)
	}
	return file + ":" + strconv.Itoa(strings.Count(before, "\n")+1) + ":"
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Each instance alone and both together are good, and each makes a configuration of its own.
func TestInstances_areGood(t *testing.T) {
	for _, name := range []string{system, docker} {
		for _, chosen := range [][]string{{"blue"}, {"green"}, {"blue", "green"}} {
			daemons, r := checkInstances(t, name, chosen)
			for _, problem := range r.problems {
				t.Errorf("%v: %v", chosen, problem)
			}
			for _, each := range daemons {
				each.render(nil, r)
			}
			if len(daemons) != len(chosen) || len(r.rendered) != 2*len(chosen) {
				t.Errorf("%v: %d daemons, %d files", chosen, len(daemons), len(r.rendered))
			}
		}
	}
}

// Other names than the two, and none at all, are refused before Nomad is asked.
func TestInstances_thatAreUnknown_areRefused(t *testing.T) {
	for _, name := range []string{system, docker} {
		for _, each := range []struct {
			chosen []string
			said   string
		}{{[]string{"blue", "red"}, "called blue or green"}, {nil, "must be an instance"}} {
			_, r := checkInstances(t, name, each.chosen)
			if !strings.Contains(fmt.Sprint(r.problems), each.said) {
				t.Errorf("%v: nothing says %q, but: %v", each.chosen, each.said, r.problems)
			}
		}
	}
}

func checkInstances(t *testing.T, name string, chosen []string) ([]*daemon, *report) {
	t.Helper()
	r := &report{rendered: map[string]string{}}
	path := filepath.Join(folder, name)
	file := parse(path, []byte(read(t, path)), r)
	job := parseInstances(file, chosen, file.checkVariables(r), r)
	if job == nil {
		return nil, r
	}
	return checkDaemons(job, r), r
}
