package main

import (
	"fmt"
	"log/slog"
	"net"

	"cleat/internal/server"
)

// serveCommand runs a node for real use.
type serveCommand struct {
	Public string `default:"0.0.0.0:${port}" help:"Address that clients connect to." placeholder:"HOST:PORT"`
	Data   string `default:"cleat-data" help:"Directory where the node keeps what it is told." placeholder:"DIR" type:"path"`
	Admin  string `default:"127.0.0.1:3002" help:"Address of the control plane, metrics and health." placeholder:"HOST:PORT"`
}

// Run serves until the process is told to stop.
func (c *serveCommand) Run(p *process) error {
	return server.RunServe(p.ctx, server.ServeOptions{
		DataDir: c.Data, Public: c.Public, Admin: c.Admin, Env: withoutSealKey(p.env), Access: accessOptions(p), Log: slog.New(slog.NewTextHandler(p.stdout, nil)),
		Ready: func(public, admin net.Addr) {
			_, _ = fmt.Fprintf(p.stdout, "clients: ws://%s\ncontrol plane: http://%s\n", public, admin)
		},
	})
}
