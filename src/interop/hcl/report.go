package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// A problem, where it is, and what mends it.
type problem struct {
	file         string
	line, column int
	text, mend   string
}

func (p problem) String() string {
	return fmt.Sprintf("%s:%d:%d: %s; %s", p.file, p.line, p.column, p.text, p.mend)
}

// report holds what was read and everything that is wrong with it.
type report struct {
	files    []string
	problems []problem
	rendered map[string]string
}

func (r *report) tell(at hcl.Range, text, mend string) {
	told := problem{at.Filename, at.Start.Line, at.Start.Column, text, mend}
	if !slices.Contains(r.problems, told) { // two groups may come from one block
		r.problems = append(r.problems, told)
	}
}

// tellDiagnostics passes on what a parser says.
func (r *report) tellDiagnostics(diagnostics hcl.Diagnostics) {
	for _, each := range diagnostics.Errs() {
		r.tellError("", each)
	}
}

// tellError finds the place in a parser's message: file:line,column-column: summary; detail.
func (r *report) tellError(file string, err error) {
	for _, line := range strings.Split(err.Error(), "\n") {
		name, rest, _ := strings.Cut(line, ":")
		var at hcl.Pos
		if n, _ := fmt.Sscanf(rest, "%d,%d", &at.Line, &at.Column); n == 2 {
			_, line, _ = strings.Cut(rest, ": ")
		} else {
			name, at = file, hcl.Pos{Line: 1, Column: 1}
		}
		r.tell(hcl.Range{Filename: name, Start: at}, "the parser refuses it", line)
	}
}

func (r *report) isGood(file string) bool {
	return !slices.ContainsFunc(r.problems, func(p problem) bool { return p.file == file })
}

func (r *report) sort() {
	slices.SortStableFunc(r.problems, func(a, b problem) int {
		if a.file != b.file {
			return strings.Compare(a.file, b.file)
		}
		return a.line - b.line
	})
}

// write lays out the rendered configuration: a folder for each instance of the daemon's jobs.
func (r *report) write(directory string) error {
	for name, text := range r.rendered {
		file := filepath.Join(directory, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
