// Reads the job files, policies and Terraform files of a folder with HashiCorp's own parsers and holds them
// against what the SDKs, STS and taskrole need of them. Says every problem as file:line:column: problem; mend.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	render := flag.String("render", "", "write the configuration that the daemon's jobs make below this `directory`")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: hcl [-render DIRECTORY] FOLDER")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	report, err := check(flag.Arg(0))
	if err == nil && *render != "" {
		err = report.write(*render)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "hcl:", err)
		os.Exit(2)
	}
	for _, problem := range report.problems {
		fmt.Println(problem)
	}
	for _, file := range report.files {
		if report.isGood(file) {
			fmt.Println("ok", file)
		} else {
			fmt.Println("bad", file)
		}
	}
	if len(report.problems) > 0 {
		os.Exit(1)
	}
}
