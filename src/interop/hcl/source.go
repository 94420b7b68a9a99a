package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// source is one file: its text, and its blocks with their places.
type source struct {
	name string
	text []byte
	body *hclsyntax.Body
}

// parse reads HCL, and sees to it that it is in the form that "nomad fmt" and "terraform fmt" give it.
func parse(name string, text []byte, r *report) *source {
	file, diagnostics := hclsyntax.ParseConfig(text, name, hcl.InitialPos)
	if diagnostics.HasErrors() {
		r.tellDiagnostics(diagnostics)
		return nil
	}
	formatted := bytes.Split(hclwrite.Format(text), []byte("\n"))
	for i, line := range bytes.Split(text, []byte("\n")) {
		if i >= len(formatted) || !bytes.Equal(line, formatted[i]) {
			at := hcl.Pos{Line: i + 1, Column: 1}
			r.tell(hcl.Range{Filename: name, Start: at}, "it is not formatted", "run nomad fmt or terraform fmt")
			break
		}
	}
	return &source{name, text, file.Body.(*hclsyntax.Body)}
}

// beginning is the place for what is missing from the file as a whole.
func (s *source) beginning() hcl.Range {
	return hcl.Range{Filename: s.name, Start: hcl.InitialPos}
}

// blocks are those of a type at the top level.
func (s *source) blocks(kind string) []*hclsyntax.Block {
	return blocksIn(s.body, kind)
}

func blocksIn(body *hclsyntax.Body, kind string) []*hclsyntax.Block {
	var found []*hclsyntax.Block
	for _, block := range body.Blocks {
		if block.Type == kind {
			found = append(found, block)
		}
	}
	return found
}

// child is the first block of a type, with this label unless that is empty.
func child(block *hclsyntax.Block, kind, label string) *hclsyntax.Block {
	for _, each := range blocksIn(block.Body, kind) {
		if label == "" || len(each.Labels) > 0 && each.Labels[0] == label {
			return each
		}
	}
	return nil
}

// place is that of the attribute at the end of a path of blocks; of what there is of the path, else.
func place(block *hclsyntax.Block, path ...string) hcl.Range {
	for i, name := range path {
		if i == len(path)-1 {
			if attribute, ok := block.Body.Attributes[name]; ok {
				return attribute.Range()
			}
		}
		next := child(block, name, "")
		if next == nil {
			break
		}
		block = next
	}
	return block.DefRange()
}

// within is the place of the first line of a range that has the word in it; of the range, else.
func (s *source) within(at hcl.Range, word string) hcl.Range {
	from := at.Start
	for i, line := range strings.Split(string(at.SliceBytes(s.text)), "\n") {
		if column := strings.Index(line, word); column >= 0 {
			if i == 0 {
				column += from.Column - 1
			}
			at.Start = hcl.Pos{Line: from.Line + i, Column: column + 1}
			return at
		}
	}
	return at
}

// literal is the text of an attribute that is written out; empty, else.
func literal(body *hclsyntax.Body, name string) string {
	attribute, ok := body.Attributes[name]
	if !ok {
		return ""
	}
	value, diagnostics := attribute.Expr.Value(nil)
	if diagnostics.HasErrors() || value.IsNull() || !value.IsKnown() || value.Type() != cty.String {
		return ""
	}
	return value.AsString()
}

// sample is a value for a variable that has no default.
func sample(name string) string {
	return fmt.Sprintf("https://%s.example.com", strings.ReplaceAll(name, "_", "-"))
}

// checkVariables sees to it that whoever sets a variable is told what it is.
func (s *source) checkVariables(r *report) (required []string) {
	for _, variable := range s.blocks("variable") {
		for _, name := range []string{"type", "description"} {
			if _, ok := variable.Body.Attributes[name]; !ok {
				r.tell(variable.DefRange(), fmt.Sprintf("variable %q has no %s", variable.Labels[0], name),
					"write one: it is all that its user is told")
			}
		}
		if _, ok := variable.Body.Attributes["default"]; !ok {
			required = append(required, variable.Labels[0])
		}
	}
	return required
}
