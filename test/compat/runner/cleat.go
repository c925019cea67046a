package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/cfn"
	"cleat/internal/lambda"
	"cleat/internal/meter/report"
	"cleat/internal/server"
	"cleat/test/compat/scenario"
)

// Cleat is this repository's own server, one "cleat dev" in this process for each scenario.
type Cleat struct{ state string }

// NewCleat keeps what its servers share, such as their certificates, in a folder.
func NewCleat(state string) *Cleat { return &Cleat{state} }

// Name implements Target.
func (*Cleat) Name() string { return "cleat" }

// Lacks implements Target: Cleat can run them all.
func (*Cleat) Lacks(*scenario.Scenario) string { return "" }

// cleatStage is the stage of every scenario's API here.
const cleatStage = "dev"

// Definition is the cleat.yaml of a scenario: its own text and, below it, where its backends are.
func Definition(api, backends string) string {
	settings := "name: compat\nstage: " + cleatStage + "\nremoteFunctions: {'*': {endpoint: '" + backends + "', accessKeyId: a, secretAccessKey: b}}\n"
	if !strings.Contains(api, "connectionHeaders:") {
		settings += "connectionHeaders: off\n" // AWS sends none
	}
	return api + settings
}

// reporter hears from a running Cleat.
type reporter struct {
	started  chan server.Started
	reloaded chan server.Reloaded
	faults   chan error
}

func (r *reporter) Started(s server.Started) { r.started <- s }
func (r *reporter) Reloaded(s server.Reloaded) {
	select {
	case r.reloaded <- s:
	default:
	}
}

func (r *reporter) Faults(err error) {
	select {
	case r.faults <- err:
	default:
	}
}
func (*reporter) Warn(cfn.Fault)      {}
func (*reporter) Event(*apigw.Record) {}
func (*reporter) Line(lambda.Line)    {}
func (*reporter) Stopping(int)        {}
func (*reporter) Used(report.Usage)   {}

const startTime = 20 * time.Second

// Deploy implements Target.
func (c *Cleat) Deploy(ctx context.Context, s *scenario.Scenario, backends string) (*Deployment, error) {
	dir, err := os.MkdirTemp("", "cleat-compat-")
	if err != nil {
		return nil, err
	}
	nowhere, err := unusedAddress(ctx)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	known := map[string]string{
		"region": awsapi.DefaultRegion, "account": awsapi.DefaultAccount, "stage": cleatStage, "sourceIp": "127.0.0.1",
		"scheme": "http", "nowhere": "http://" + nowhere, "backend": backends,
	}
	write := func(api string) error {
		filled, err := scenario.NewVars(known).Expand(api)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "cleat.yaml"), []byte(Definition(filled, backends)), 0o600)
	}
	r := &reporter{started: make(chan server.Started, 1), reloaded: make(chan server.Reloaded, 1), faults: make(chan error, 1)}
	if err := write(s.APIs[scenario.APIMain].Text); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- server.RunDev(ctx, server.DevOptions{Dir: dir, StateDir: c.state, Log: slog.New(slog.DiscardHandler), Report: r})
	}()
	d := &Deployment{Known: known, Close: func() error { cancel(); return errors.Join(<-ended, os.RemoveAll(dir)) }}
	d.Redeploy = func(ctx context.Context, api string) error {
		if err := write(api); err != nil {
			return err
		}
		select {
		case <-r.reloaded:
			return nil
		case err := <-r.faults:
			return err
		case <-time.After(startTime):
			return errors.New("the change was not taken up")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	select {
	case started := <-r.started:
		host := strings.Replace(started.Addr, "localhost", "127.0.0.1", 1)
		known["apiId"] = string(started.Outcome.APIs[0].ID)
		d.Endpoint = &url.URL{Scheme: "ws", Host: host, Path: "/" + cleatStage}
		d.Management = &url.URL{Scheme: "http", Host: host, Path: "/" + cleatStage}
		return d, nil
	case err := <-ended:
		ended <- nil
		return nil, errors.Join(fmt.Errorf("cleat refuses the API: %w", err), d.Close())
	case <-time.After(startTime):
		return nil, errors.Join(errors.New("cleat did not start"), d.Close())
	}
}

// unusedAddress is one where nothing listens.
func unusedAddress(ctx context.Context) (string, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}
