package main

import (
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// checkPolicy sees to it that taskrole's token may read this node and the jobs, and nothing else.
func checkPolicy(file *source, r *report) {
	readsNode, readsJobs := false, false
	for _, block := range file.body.Blocks {
		switch {
		case block.Type == "node":
			readsNode = literal(block.Body, "policy") == "read"
			if !readsNode || len(block.Body.Attributes) != 1 {
				r.tell(place(block, "policy"), "taskrole needs to read its node, no more", `write policy = "read"`)
				readsNode = true
			}
		case block.Type == "namespace" && slices.Equal(block.Labels, []string{"*"}):
			readsJobs = true
			if !slices.Equal(texts(block.Body, "capabilities"), []string{"read-job"}) ||
				len(block.Body.Attributes) != 1 || len(block.Body.Blocks) > 0 {
				r.tell(place(block, "capabilities"), "taskrole needs to read jobs and allocations, no more",
					`write capabilities = ["read-job"]`)
			}
		default:
			r.tell(block.DefRange(), "taskrole does not need this", "remove the block")
		}
	}
	if !readsNode {
		r.tell(file.beginning(), "taskrole may not read its node", `add node { policy = "read" }`)
	}
	if !readsJobs {
		r.tell(file.beginning(), "taskrole may not read the jobs of every namespace",
			`add namespace "*" { capabilities = ["read-job"] }`)
	}
}

// texts are those of a list that is written out.
func texts(body *hclsyntax.Body, name string) []string {
	attribute, ok := body.Attributes[name]
	if !ok {
		return nil
	}
	value, diagnostics := attribute.Expr.Value(nil)
	if diagnostics.HasErrors() || !value.CanIterateElements() {
		return nil
	}
	var found []string
	for _, each := range value.AsValueSlice() {
		if each.Type() == cty.String && each.IsKnown() && !each.IsNull() {
			found = append(found, each.AsString())
		}
	}
	return found
}
