package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"cleat/internal/terminal"
)

// healthCommand asks a node how it is.
type healthCommand struct {
	Address string        `arg:"" optional:"" default:"127.0.0.1:3002" env:"CLEAT_ADMIN" help:"Address of the node: HOST:PORT, unix:/PATH, or a URL."`
	Live    bool          `help:"Ask whether it lives rather than whether it is ready for clients."`
	Timeout time.Duration `default:"3s" help:"How long to wait for the answer."`
}

// Help is what "cleat health --help" teaches beyond the flags.
func (healthCommand) Help() string {
	return `Asks a node on this machine whether it is ready for clients, and exits with 0 if it is, else with 1. It is what the
HEALTHCHECK of a container runs.`
}

// Run asks.
func (c *healthCommand) Run(p *process) error {
	path := "/_cleat/readyz"
	if c.Live {
		path = "/_cleat/healthz"
	}
	first, _, _ := strings.Cut(c.Address, ",") // CLEAT_ADMIN may name several
	ctx, cancel := context.WithTimeout(p.ctx, c.Timeout)
	defer cancel()
	status, text, err := ask(ctx, first, path)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("the node is %s (HTTP %d)", text, status)
	}
	_, err = fmt.Fprintln(p.stdout, text)
	return err
}

// ask sends a GET to a node's own address. Whose certificate it shows does not matter: nothing is told to it, and it is
// asked by an address, not by a name.
func ask(ctx context.Context, address, path string) (status int, text string, err error) {
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // G402: see above
	base := strings.TrimSuffix(address, "/")
	if socket, unix := strings.CutPrefix(address, "unix:"); unix {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}
		base = "http://localhost"
	} else if !strings.Contains(address, "://") {
		if strings.HasPrefix(address, ":") {
			address = "127.0.0.1" + address
		}
		base = "http://" + address
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }() // it has been read
	body, err := io.ReadAll(io.LimitReader(resp.Body, 200))
	return resp.StatusCode, terminal.Printable(strings.TrimSpace(string(body))), err
}
