package main

import (
	"net/http"
	"net/url"
)

// usageCommand shows what a node has counted (docs/usage.md).
type usageCommand struct {
	Format   string `enum:"table,json,csv" default:"table" help:"Form of the output: ${enum}."`
	Endpoint string `name:"endpoint" aliases:"url" default:"http://localhost:3001" help:"Where Cleat listens (${default}). Also --url." placeholder:"URL"`
}

// Help is what "cleat usage --help" teaches beyond the flags.
func (usageCommand) Help() string {
	return `Messages count in steps of 32 KB, in and out, and connections by the minute, since Cleat was started. Prices are
Amazon's for the project's region where they are known, else those of us-east-1; a file of your own can be named under
prices in cleat.yaml. Data transfer and functions are not in it.`
}

// Run shows the usage as Cleat writes it.
func (u *usageCommand) Run(p *process) error {
	at, err := (&connectionsCommand{Endpoint: u.Endpoint}).root()
	if err != nil {
		return err
	}
	body, err := at.request(p, http.MethodGet, "/_cleat/usage", url.Values{"format": {u.Format}}, nil)
	if err != nil {
		return err
	}
	_, err = p.stdout.Write(body)
	return err
}
