package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"cleat/internal/input"
	"cleat/internal/server"
)

type checkCommand struct {
	projectFlags
	Serve bool `help:"Check the settings that \"cleat serve\" would run with: of DIR, a cleat.yaml or its folder, else of where serve looks."`
}

// Help is what "cleat check --help" teaches beyond the flags.
func (checkCommand) Help() string {
	return `Reads the project as "cleat dev" would and starts nothing. Every fault is printed with file and line;
the exit code is 0 when there is none, 1 otherwise.`
}

// Run checks a project.
func (c *checkCommand) Run(p *process) error {
	if c.Serve {
		return c.checkServe(p)
	}
	options, err := c.options(p.env)
	if err != nil {
		return err
	}
	report, err := server.Check(p.ctx, c.Dir, options)
	for _, w := range report.Warnings {
		_, _ = fmt.Fprintf(p.stderr, "warning: %s\n", w.Error())
	}
	if err != nil {
		return showFaults(p.stderr, err)
	}
	for _, api := range report.Outcome.APIs {
		_, _ = fmt.Fprintf(p.stdout, "API %s (%s)\n", api.Name, api.ID)
		for _, r := range api.Routes {
			_, _ = fmt.Fprintf(p.stdout, "  %-14s → %s\n", r.RouteKey, r.Target)
		}
	}
	for _, key := range report.Outcome.APIKeys {
		_, _ = fmt.Fprintf(p.stdout, "API key %s (%s)\n", key.Name, key.ID)
	}
	_, err = fmt.Fprintf(p.stdout, "%s: no faults, %s\n", report.Project.File, count(len(report.Warnings), "warning"))
	return err
}

// checkServe checks the settings of a node.
func (c *checkCommand) checkServe(p *process) error {
	file := c.Dir
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		file = filepath.Join(file, "cleat.yaml")
	}
	if !input.IsFile(file) && c.Dir == "." {
		file = ""
	}
	o, err := (&serveFlags{Config: file}).options(p)
	if err != nil {
		return err
	}
	report, err := server.CheckServe(o)
	for _, w := range report.Warnings {
		_, _ = fmt.Fprintf(p.stderr, "warning: %s\n", w.Error())
	}
	if err != nil {
		return showFaults(p.stderr, err)
	}
	if len(report.Definitions) > 0 {
		_, _ = fmt.Fprintf(p.stdout, "not looked at: %s (cleat check, cleat apply)\n", strings.Join(report.Definitions, ", "))
	}
	_, err = fmt.Fprintf(p.stdout, "%s: no faults, %s\n", cmp.Or(o.Config, "no cleat.yaml"), count(len(report.Warnings), "warning"))
	return err
}
