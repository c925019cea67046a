package main

import (
	"fmt"

	"cleat/internal/server"
)

type checkCommand struct {
	projectFlags
}

// Help is what "cleat check --help" teaches beyond the flags.
func (checkCommand) Help() string {
	return `Reads the project as "cleat dev" would and starts nothing. Every fault is printed with file and line;
the exit code is 0 when there is none, 1 otherwise.`
}

// Run checks a project.
func (c *checkCommand) Run(p *process) error {
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
