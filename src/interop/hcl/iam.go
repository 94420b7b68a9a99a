package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// The Nomad region of a cluster that sets none.
const nomadRegion = "global"

// Those of Terraform's functions that a trust policy has any use for.
var functions = map[string]function.Function{
	"format": stdlib.FormatFunc, "join": stdlib.JoinFunc, "jsonencode": stdlib.JSONEncodeFunc,
	"lower": stdlib.LowerFunc, "replace": stdlib.ReplaceFunc, "trimprefix": stdlib.TrimPrefixFunc,
	"trimsuffix": stdlib.TrimSuffixFunc,
}

// trustPolicy is a policy document as far as it may go.
type trustPolicy struct {
	Statement []struct {
		Effect, Action string
		Principal      map[string]string
		Condition      map[string]map[string]string
	}
}

// checkIam evaluates the trust policies of a module, with the defaults of its variables, and holds them against
// the subjects of the jobs that ask.
func checkIam(module []*source, subjects []string, r *report) {
	context := &hcl.EvalContext{Variables: map[string]cty.Value{}, Functions: functions}
	evaluate(module, context, r)
	var provider *hclsyntax.Block
	var roles []*hclsyntax.Block
	files := map[*hclsyntax.Block]*source{}
	for _, file := range module {
		for _, resource := range file.blocks("resource") {
			files[resource] = file
			switch resource.Labels[0] {
			case "aws_iam_openid_connect_provider":
				provider = resource
			case "aws_iam_role":
				roles = append(roles, resource)
			}
		}
	}
	beginning := module[0].beginning()
	if provider == nil {
		r.tell(beginning, "the issuer is no identity provider of the account",
			"add a resource aws_iam_openid_connect_provider")
		return
	}
	issuer := checkProvider(provider, context, r)
	if len(roles) == 0 {
		r.tell(beginning, "there is no role", "add a resource aws_iam_role")
	}
	for _, role := range roles {
		checkRole(files[role], role, reference(provider), issuer, subjects, context, r)
	}
}

// evaluate makes the values that expressions refer to: variables by their default or a sample, locals, and for
// each resource its name in place of what AWS would answer.
func evaluate(module []*source, context *hcl.EvalContext, r *report) {
	variables, resources := map[string]cty.Value{}, map[string]map[string]cty.Value{}
	locals, left := map[string]cty.Value{}, map[string]*hclsyntax.Attribute{}
	for _, file := range module {
		file.checkVariables(r)
		for _, variable := range file.blocks("variable") {
			variables[variable.Labels[0]] = cty.StringVal(sample(variable.Labels[0]))
			if attribute, ok := variable.Body.Attributes["default"]; ok {
				value, diagnostics := attribute.Expr.Value(nil)
				r.tellDiagnostics(diagnostics)
				variables[variable.Labels[0]] = value
			}
		}
		for _, resource := range file.blocks("resource") {
			if resources[resource.Labels[0]] == nil {
				resources[resource.Labels[0]] = map[string]cty.Value{}
			}
			name := cty.StringVal(reference(resource))
			resources[resource.Labels[0]][resource.Labels[1]] = cty.ObjectVal(
				map[string]cty.Value{"arn": name, "id": name, "name": name})
		}
		for _, block := range file.blocks("locals") {
			maps.Copy(left, block.Body.Attributes)
		}
	}
	context.Variables["var"] = cty.ObjectVal(variables)
	for kind, each := range resources {
		context.Variables[kind] = cty.ObjectVal(each)
	}
	// A local may refer to others: go round until nothing new comes of it.
	for before := -1; len(left) > 0 && len(left) != before; {
		before = len(left)
		context.Variables["local"] = cty.ObjectVal(locals)
		for name, attribute := range left {
			if value, diagnostics := attribute.Expr.Value(context); !diagnostics.HasErrors() {
				locals[name] = value
				delete(left, name)
			}
		}
	}
	context.Variables["local"] = cty.ObjectVal(locals)
	for _, attribute := range left {
		_, diagnostics := attribute.Expr.Value(context)
		r.tellDiagnostics(diagnostics)
	}
}

func reference(resource *hclsyntax.Block) string {
	return strings.Join(resource.Labels, ".")
}

// checkProvider returns the issuer's name as conditions have it.
func checkProvider(provider *hclsyntax.Block, context *hcl.EvalContext, r *report) string {
	url := text(provider, "url", context, r)
	issuer, isSecure := strings.CutPrefix(url, "https://")
	if !isSecure {
		r.tell(place(provider, "url"), "AWS takes an https issuer only", "write https://")
	}
	if attribute, ok := provider.Body.Attributes["client_id_list"]; ok {
		value, diagnostics := attribute.Expr.Value(context)
		r.tellDiagnostics(diagnostics)
		if !diagnostics.HasErrors() && value.CanIterateElements() && value.LengthInt() == 1 &&
			value.Index(cty.NumberIntVal(0)).RawEquals(cty.StringVal(audience)) {
			return issuer
		}
	}
	r.tell(place(provider, "client_id_list"), "the tasks' audience is not the provider's one client id",
		"write "+audience+" there and nothing else")
	return issuer
}

// text is the value of an attribute that must be one.
func text(block *hclsyntax.Block, name string, context *hcl.EvalContext, r *report) string {
	attribute, ok := block.Body.Attributes[name]
	if !ok {
		r.tell(block.DefRange(), "there is no "+name, "write one")
		return ""
	}
	value, diagnostics := attribute.Expr.Value(context)
	r.tellDiagnostics(diagnostics)
	if diagnostics.HasErrors() || value.IsNull() || !value.IsKnown() || value.Type() != cty.String {
		return ""
	}
	return value.AsString()
}

// checkRole: one task may take the role, by both conditions, and by equality.
func checkRole(file *source, role *hclsyntax.Block, provider, issuer string, subjects []string,
	context *hcl.EvalContext, r *report,
) {
	const attribute = "assume_role_policy"
	document := text(role, attribute, context, r)
	if document == "" {
		return
	}
	tell := func(word, problem, mend string) {
		r.tell(file.within(place(role, attribute), word), problem, mend)
	}
	var policy trustPolicy
	decoder := json.NewDecoder(strings.NewReader(document))
	if err := decoder.Decode(&policy); err != nil {
		tell("", "the trust policy is not of the one form that is safe",
			"write one Statement with one Action and single values: "+err.Error())
		return
	}
	if len(policy.Statement) != 1 {
		tell("Statement", "the trust policy has not one statement", "give each task a role of its own")
		return
	}
	statement := policy.Statement[0]
	if statement.Effect != "Allow" || statement.Action != "sts:AssumeRoleWithWebIdentity" {
		tell("Action", "the trust policy allows "+statement.Action, "allow sts:AssumeRoleWithWebIdentity alone")
	}
	if !maps.Equal(statement.Principal, map[string]string{"Federated": provider}) {
		tell("Principal", "the trust policy is not for the Nomad issuer", "write Federated = "+provider+".arn")
	}
	for operator := range statement.Condition {
		if operator != "StringEquals" {
			tell(operator, "the trust policy compares by "+operator, "use StringEquals alone: patterns let others in")
		}
	}
	equal := statement.Condition["StringEquals"]
	if equal[issuer+":aud"] != audience {
		tell(":aud", "the trust policy does not ask for the audience", "add the condition "+issuer+":aud = "+audience)
	}
	subject, ok := equal[issuer+":sub"]
	switch known, isOurs := strings.CutPrefix(subject, nomadRegion+":"); {
	case !ok:
		tell("Condition", "every job of the cluster may take the role", "add the condition "+issuer+":sub")
	case strings.ContainsAny(subject, "*?"):
		tell(":sub", "the subject "+subject+" has a wildcard", "name the task whole")
	case !isOurs || !slices.Contains(subjects, known):
		tell(":sub", "no job here has the subject "+subject, "name region, namespace, job, group, task and identity of one")
	}
}
