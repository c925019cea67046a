package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"cleat/internal/cfn"
	"cleat/internal/collector"
	"cleat/internal/project"
	"cleat/internal/server"
	"cleat/internal/terminal"
)

// projectFlags say how a project is read; "dev" and "check" share them.
type projectFlags struct {
	Dir      string            `arg:"" optional:"" default:"." help:"The project's folder, or its file (serverless.yml, template.yaml, cdk.out, .serverless, cleat.yaml)."`
	Stage    string            `help:"Stage to run, as ${opt:stage} sees it." placeholder:"NAME"`
	Region   string            `help:"Region that functions and ARNs name." placeholder:"NAME"`
	EnvFile  string            `help:"File of NAME=value lines for the project and its functions." placeholder:"FILE"`
	Param    map[string]string `help:"Value of a parameter, as ${param:NAME} and templates see it. May be repeated." placeholder:"K=V" mapsep:"none"`
	StateDir string            `help:"Folder that keeps the local certificate authority, and code that templates and archives hold. Default: cleat in the user's state folder." placeholder:"DIR"`
	Opt      map[string]string `help:"Value of a further option, as ${opt:NAME} sees it. May be repeated." placeholder:"K=V" mapsep:"none"`
}

func (f *projectFlags) options(env []string) (project.Options, error) {
	o := project.Options{Stage: f.Stage, Region: f.Region, Params: f.Param, Opt: f.Opt, Env: env}
	state, err := f.stateDir(env)
	if err != nil {
		return o, err
	}
	o.CodeDir = filepath.Join(state, "code")
	if f.EnvFile == "" {
		return o, nil
	}
	o.EnvFile, err = filepath.Abs(f.EnvFile) // as the shell means it; the project would mean its own folder
	return o, err
}

type devCommand struct {
	projectFlags
	Port        int      `default:"${port}" help:"Port for WebSocket, management API and TLS, all on one; 0 takes a free one."`
	Host        string   `default:"127.0.0.1" help:"Address to listen on. Anything but loopback lets other machines in, without credentials."`
	Limits      string   `enum:"aws,open,project" default:"project" help:"Limits to hold connections to: aws, open, or what the project says (${enum})."`
	DynamoDB    string   `name:"dynamodb" help:"Endpoint of a local DynamoDB; the project's tables are made there, and integrations call it." placeholder:"URL"`
	LogFormat   string   `enum:"text,json" default:"text" help:"Form of the output: ${enum}."`
	LogLevel    string   `enum:"debug,info,warn,error" default:"info" help:"Least level of Cleat's own log: ${enum}."`
	AllowHost   []string `help:"Further host name to be addressed by, such as host.docker.internal. May be repeated." placeholder:"NAME"`
	AllowOrigin []string `help:"Origin of a web page that may use the management API, such as http://localhost:5173. May be repeated." placeholder:"URL"`
	AccessLog   string   `help:"Where access-log lines go: stdout, stderr, a file, a collector's http(s):// or otlp+http(s):// URL." placeholder:"TO"`
	ExecLog     string   `name:"execution-log" help:"Where the execution log goes; without a level in the project, at INFO." placeholder:"TO"`
}

// Help is what "cleat dev --help" teaches beyond the flags.
func (devCommand) Help() string {
	return `Runs DIR as its author deploys it to AWS: serverless.yml (.yaml, .json), a SAM or CloudFormation
template (template.yaml, .yml, .json), what a tool made (cdk.out, .serverless), or cleat.yaml.

Connect with any WebSocket client to the URL that is printed first, push with
  curl -d hello http://localhost:3001/dev/@connections/CONNECTION_ID
or with the AWS CLI or an SDK and --endpoint-url http://localhost:3001/dev.
Saving a file reloads it; connections stay open. Ctrl-C ends in order, a second one at once.`
}

// Run runs a project until the process is told to stop.
func (c *devCommand) Run(p *process) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	options, err := c.options(p.env)
	if err != nil {
		return err
	}
	out := terminal.NewWriter(p.stdout)
	var reporter server.Reporter
	var handler slog.Handler
	if c.LogFormat == "json" {
		handler = slog.NewJSONHandler(terminal.JSONWriter{To: out}, &slog.HandlerOptions{Level: level})
		reporter = &jsonReporter{log: slog.New(handler)}
	} else {
		style := styleFor(p.stdout, p.env)
		handler = terminal.NewHandler(out, style, level)
		reporter = &textReporter{out: out, style: style, platform: level <= slog.LevelDebug}
	}
	// net/http tells of backends that misbehave through the standard logger alone.
	log.SetFlags(0)
	log.SetOutput(slog.NewLogLogger(handler, slog.LevelDebug).Writer())
	state, err := c.stateDir(p.env)
	if err != nil {
		return err
	}
	profile := c.Limits
	if profile == "project" {
		profile = ""
	}
	defer collector.Start()()
	err = server.RunDev(p.ctx, server.DevOptions{
		Dir: c.Dir, Host: c.Host, Port: c.Port, Project: options, Profile: profile, DynamoDB: c.DynamoDB,
		StateDir: state, Env: p.env, Log: slog.New(handler), Report: reporter,
		AllowHosts: c.AllowHost, AllowOrigins: c.AllowOrigin,
		Logs:     server.LogTargets{Access: c.AccessLog, Execution: c.ExecLog, Stdout: out, Stderr: p.stderr, Own: filesOf(p.stdout, p.stderr)},
		Upstream: func(u *url.URL) (*url.URL, error) { return http.ProxyFromEnvironment(&http.Request{URL: u}) },
	})
	return showFaults(p.stderr, err)
}

// filesOf are the writers that are regular files.
func filesOf(writers ...io.Writer) []fs.FileInfo {
	var out []fs.FileInfo
	for _, w := range writers {
		if f, ok := w.(*os.File); ok {
			if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
				out = append(out, info)
			}
		}
	}
	return out
}

// check looks at flags that nobody looks at before something has been started.
func (c *devCommand) check() error {
	c.Host = strings.TrimSuffix(strings.TrimPrefix(c.Host, "["), "]") // an IPv6 address as URLs have it
	if c.Port < 0 || c.Port > 65535 {
		return fmt.Errorf("--port %d: want 0 to 65535", c.Port)
	}
	if c.DynamoDB == "" {
		return nil
	}
	if u, err := url.Parse(c.DynamoDB); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("--dynamodb %q: want an http or https URL, such as http://127.0.0.1:8000", c.DynamoDB)
	}
	return nil
}

// stateDir is where Cleat keeps what outlives a run, by the custom of the platform.
func (f *projectFlags) stateDir(env []string) (string, error) {
	if f.StateDir != "" {
		return filepath.Abs(f.StateDir)
	}
	if dir := lookup(env, "XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "cleat"), nil
	}
	home := lookup(env, "HOME")
	switch runtime.GOOS {
	case "windows":
		if dir := lookup(env, "LOCALAPPDATA"); dir != "" {
			return filepath.Join(dir, "cleat"), nil
		}
	case "darwin":
		if home != "" {
			return filepath.Join(home, "Library", "Application Support", "cleat"), nil
		}
	}
	if home == "" {
		return "", errors.New("there is no home folder to keep things in: name a folder with --state-dir")
	}
	return filepath.Join(home, ".local", "state", "cleat"), nil
}

func lookup(env []string, name string) string {
	for _, kv := range env {
		if k, v, ok := strings.Cut(kv, "="); ok && k == name {
			return v
		}
	}
	return ""
}

// showFaults prints the faults of a project, one a line, and turns them into an exit code. Other errors pass.
func showFaults(w io.Writer, err error) error {
	var faults cfn.Faults
	if !errors.As(err, &faults) {
		return err
	}
	for _, f := range faults {
		_, _ = fmt.Fprintln(w, f.Error())
	}
	_, _ = fmt.Fprintf(w, "cleat: %s found\n", count(len(faults), "fault"))
	return exitError(1)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// styleFor is how text for a person is coloured on w.
func styleFor(w io.Writer, env []string) terminal.Style {
	return terminal.StyleFor(w, lookup(env, "NO_COLOR") != "" || lookup(env, "TERM") == "dumb")
}
