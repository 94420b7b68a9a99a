package main

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

const (
	audience  = "sts.amazonaws.com"
	fullUri   = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
	tokenFile = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
	loopback  = "127.0.0.1"
	// Of the link-local addresses the one that every SDK takes in a full URI.
	linkLocal = "169.254.170.23"
	endpoint  = "/v1/credentials"
)

// Variables that lead an SDK somewhere else, each with the reason.
var strays = []struct{ name, reason string }{
	{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "SDKs disagree on which of the two addresses counts"},
	{"AWS_CONTAINER_AUTHORIZATION_TOKEN", "it never changes, and Java and JavaScript v2 prefer it to the file"},
	{"AWS_ACCESS_KEY_ID", "SDKs look there first"},
	{"AWS_SECRET_ACCESS_KEY", "SDKs look there first"},
	{"AWS_SESSION_TOKEN", "SDKs look there first"},
	{"AWS_PROFILE", "SDKs look there first"},
	{"AWS_SHARED_CREDENTIALS_FILE", "SDKs look there first"},
	{"AWS_WEB_IDENTITY_TOKEN_FILE", "SDKs look there first"},
	{"AWS_ROLE_ARN", "SDKs look there first"},
	{"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "with IPv6 Java refuses the address"},
}

// checkAsking holds a job's tasks against what they must be told to get credentials. Returns the subjects that
// their tokens will have, without the region.
func checkAsking(job *jobFile, daemons []*daemon, r *report) (subjects []string) {
	asks := false
	for _, each := range job.tasks {
		if each.isAsking() {
			asks = true
			each.checkAddress(daemons, r)
			each.checkEnvironment(r)
			if identity := each.checkToken(r); identity != nil {
				subjects = append(subjects, strings.Join(
					[]string{job.namespace(), *job.ID, *each.group.Name, each.Name, identity.Name}, ":"))
			}
		}
	}
	if !asks {
		r.tell(job.block.DefRange(), "no task of this job asks for credentials",
			"give one an identity block and "+fullUri)
	}
	return subjects
}

// isAsking is told by either half, so that the other one can be missed.
func (t *task) isAsking() bool {
	for name := range t.Env {
		if strings.HasPrefix(name, "AWS_CONTAINER_") {
			return true
		}
	}
	return slices.ContainsFunc(t.Identities, func(i *api.WorkloadIdentity) bool {
		return slices.Contains(i.Audience, audience)
	})
}

// want is the address for the task's network.
func (t *task) want() string {
	if t.network() == hostNetwork {
		return loopback
	}
	return linkLocal
}

func (t *task) checkAddress(daemons []*daemon, r *report) {
	at := place(t.block, "env", fullUri)
	if t.network() == noNetwork {
		r.tell(t.block.DefRange(), t.String()+" has no network", "without one it cannot ask")
		return
	}
	text, ok := t.Env[fullUri]
	if !ok {
		r.tell(at, t.String()+" does not know where to ask",
			fmt.Sprintf("set %s = \"http://%s:9171%s\"", fullUri, t.want(), endpoint))
		return
	}
	uri, err := url.Parse(text)
	if err != nil || uri.Scheme != "http" || uri.User != nil || uri.RawQuery != "" || uri.Fragment != "" ||
		net.ParseIP(uri.Hostname()).To4() == nil {
		r.tell(at, fullUri+" is not http:// with an IPv4 address and a plain path",
			"write it so: SDKs refuse names, https and IPv6, or change a query")
		return
	}
	if uri.Path != endpoint {
		r.tell(at, "taskrole does not answer at "+uri.Path, "write "+endpoint)
	}
	switch host := uri.Hostname(); {
	case host == loopback && t.network() == ownNetwork:
		r.tell(at, "127.0.0.1 is this task's own loopback, since it has "+ownNetwork, "write "+linkLocal)
		return
	case host != loopback && host != linkLocal:
		r.tell(at, "not every SDK asks "+host, "write "+t.want())
		return
	}
	for _, each := range daemons {
		if !slices.Contains(each.credentials(), uri.Host) {
			r.tell(at, fmt.Sprintf("taskrole does not listen on %s in %s", uri.Host, each.job.base()),
				"use an address of its listen.credentials")
		}
	}
}

func (t *task) checkEnvironment(r *report) {
	if t.Env["AWS_REGION"] == "" {
		r.tell(place(t.block, "env", "AWS_REGION"), t.String()+" has no AWS_REGION",
			"set it: JavaScript v3 and Java v2 ask the metadata service for it, which takes seconds or fails")
	}
	if t.Env["AWS_EC2_METADATA_DISABLED"] != "true" {
		r.tell(place(t.block, "env", "AWS_EC2_METADATA_DISABLED"), "a failing SDK may take the node's own role",
			`set AWS_EC2_METADATA_DISABLED = "true"`)
	}
	for _, stray := range strays {
		if _, ok := t.Env[stray.name]; ok {
			r.tell(place(t.block, "env", stray.name), "this task gets "+stray.name, "remove it: "+stray.reason)
		}
	}
	for _, name := range []string{"HTTP_PROXY", "http_proxy"} {
		if t.Env[name] != "" && !strings.Contains(t.Env["NO_PROXY"], t.want()) {
			r.tell(place(t.block, "env", name), "Go and .NET would send the token to the proxy",
				"add "+t.want()+" to NO_PROXY")
		}
	}
}

// checkToken finds the identity that the token file belongs to.
func (t *task) checkToken(r *report) *api.WorkloadIdentity {
	file, ok := t.Env[tokenFile]
	at := place(t.block, "env", tokenFile)
	if !ok {
		r.tell(at, t.String()+" does not know its token",
			fmt.Sprintf(`set %s = "${NOMAD_SECRETS_DIR}/nomad_<identity>.jwt"`, tokenFile))
		return nil
	}
	name, hasBeginning := strings.CutPrefix(file, "${NOMAD_SECRETS_DIR}/nomad_")
	name, hasEnd := strings.CutSuffix(name, ".jwt")
	if !hasBeginning || !hasEnd {
		r.tell(at, file+" is not where Nomad writes a token",
			`write "${NOMAD_SECRETS_DIR}/nomad_<identity>.jwt": the directory differs from driver to driver`)
		return nil
	}
	identity := t.identity(name)
	if identity == nil {
		r.tell(at, fmt.Sprintf("%s has no identity %q", t, name),
			fmt.Sprintf("add an identity block with name = %q", name))
		return nil
	}
	tell := func(attribute, text, mend string) {
		r.tell(t.identityPlace(name, attribute), fmt.Sprintf("identity %q %s", name, text), mend)
	}
	if !slices.Equal(identity.Audience, []string{audience}) {
		tell("aud", "is not for STS alone", fmt.Sprintf("write aud = [%q]: STS takes no token with two", audience))
	}
	if !identity.File {
		tell("file", "is not written to a file", "write file = true")
	}
	if identity.Filepath != "" {
		tell("filepath", "is written somewhere else", "remove filepath, or the token file is not found")
	}
	if identity.Env {
		tell("env", "is put into the environment, where it never changes", "remove env")
	}
	if identity.TTL <= 0 {
		tell("ttl", "never expires", `write ttl = "1h": STS refuses a token without exp`)
	}
	if identity.ChangeMode != "" && identity.ChangeMode != "noop" {
		tell("change_mode", "disturbs the task at every renewal", `write change_mode = "noop": SDKs read the file again`)
	}
	return identity
}
