package main

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"cleat/internal/collector"
	"cleat/internal/input"
	"cleat/internal/listen"
	"cleat/internal/project"
	"cleat/internal/server"
	"cleat/internal/terminal"
)

// serveFlags are the settings of a node that the command line and the environment make; "serve" and "check --serve"
// share them. Each comes before what the file says.
type serveFlags struct {
	Config    string   `env:"CLEAT_CONFIG" help:"The node's cleat.yaml. Default: the one in the working directory, else /etc/cleat/cleat.yaml, where there is one." placeholder:"FILE"`
	Data      string   `env:"CLEAT_DATA" help:"Folder that keeps everything that outlives the process. Default: $STATE_DIRECTORY of systemd, /var/lib/cleat for root, else cleat in the user's state folder." placeholder:"DIR"`
	Region    string   `env:"CLEAT_REGION" help:"Region that the node poses to be in." placeholder:"NAME"`
	Account   string   `env:"CLEAT_ACCOUNT" help:"Account that ARNs name: 12 digits." placeholder:"ID"`
	Public    []string `env:"CLEAT_PUBLIC" help:"Address that clients connect to: HOST:PORT or unix:/PATH. May be repeated. Default: :3001." placeholder:"ADDRESS"`
	Admin     []string `env:"CLEAT_ADMIN" help:"Address of the control plane, metrics and health. May be repeated. Default: 127.0.0.1:3002." placeholder:"ADDRESS"`
	Domain    string   `env:"CLEAT_DOMAIN" help:"Domain of your own, below which every API has a name: API-ID.DOMAIN." placeholder:"NAME[:PORT]"`
	TLSCert   string   `env:"CLEAT_TLS_CERT" help:"PEM file of the certificate with its chain; with --tls-key clients connect by wss." placeholder:"FILE"`
	TLSKey    string   `env:"CLEAT_TLS_KEY" help:"PEM file of its private key." placeholder:"FILE"`
	ACMEEmail string   `name:"acme-email" env:"CLEAT_ACME_EMAIL" help:"Get certificates from Let's Encrypt, whose terms you agree to by this." placeholder:"ADDRESS"`
	Trusted   []string `name:"trusted-proxy" env:"CLEAT_TRUSTED_PROXY" help:"Address or network of a proxy in front of the public listener, whose X-Forwarded-For and -Proto count, or unix. May be repeated." placeholder:"CIDR"`
	Proxied   bool     `name:"proxy-protocol" env:"CLEAT_PROXY_PROTOCOL" help:"Those proxies begin each connection with a PROXY protocol header."`
	Limits    string   `enum:"aws,open,file" default:"file" env:"CLEAT_LIMITS" help:"Limits to hold connections to: aws, open, or what the file says (${enum})."`
	AccessLog string   `env:"CLEAT_ACCESS_LOG" help:"Where access-log lines go: stdout, stderr, a file, a collector's http(s):// or otlp+http(s):// URL." placeholder:"TO"`
	ExecLog   string   `name:"execution-log" env:"CLEAT_EXECUTION_LOG" help:"Where the execution log goes." placeholder:"TO"`
	LogFormat string   `enum:"text,json,file" default:"file" env:"CLEAT_LOG_FORMAT" help:"Form of Cleat's own log: text, json, or what the file says (${enum}); text if it says nothing."`
	LogLevel  string   `enum:"debug,info,warn,error,file" default:"file" env:"CLEAT_LOG_LEVEL" help:"Least level of Cleat's own log (${enum}); info if the file says nothing."`
	Stop      string   `name:"stop-timeout" env:"CLEAT_STOP_TIMEOUT" help:"How long a stop may take. Default: 30s." placeholder:"TIME"`
}

// serveCommand runs a node for real use.
type serveCommand struct {
	serveFlags
}

// Help is what "cleat serve --help" teaches beyond the flags.
func (serveCommand) Help() string {
	return `Runs a node that keeps what it is told. The AWS CLI, the SDKs, Terraform and "cleat apply" make APIs on it by the
control plane, on the admin address; clients connect to the public one:
  aws apigatewayv2 create-api --endpoint-url http://127.0.0.1:3002 --name chat \
      --protocol-type WEBSOCKET --route-selection-expression '$request.body.action'
  wscat --connect ws://localhost:3001/API-ID/STAGE

Settings come from flags, the environment (CLEAT_…), and cleat.yaml, in this order. A change of the file, or SIGHUP,
is put into effect at once where no restart is needed; "cleat check --serve" says what is wrong with it.
SIGTERM or Ctrl-C ends in order: connections are closed a few at a time and $disconnect is delivered; a second one ends
at once. GET /_cleat/readyz on either address says whether clients should be sent here.`
}

// Run serves until the process is told to stop.
func (c *serveCommand) Run(p *process) error {
	o, err := c.options(p)
	if err != nil {
		return err
	}
	if o.Sockets, err = listen.Activated(p.env, os.Getpid()); err != nil {
		return err
	}
	hangups := make(chan os.Signal, 1) // never closed
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	reload := make(chan struct{}) // never closed
	go func() {
		for {
			select {
			case <-hangups:
				select {
				case reload <- struct{}{}:
				case <-p.ctx.Done():
					return
				}
			case <-p.ctx.Done():
				return
			}
		}
	}()
	o.Reload = reload
	out := terminal.NewWriter(p.stdout)
	o.Stdout, o.Stderr = out, p.stderr
	o.Access = accessOptions(&process{env: p.env, stdout: out, stderr: p.stderr})
	json := false
	o.NewLog = func(format string, level slog.Leveler) *slog.Logger {
		json = format == "json"
		l := newServeLog(out, json, level)
		// net/http tells of backends that misbehave through the standard logger alone.
		log.SetFlags(0)
		log.SetOutput(slog.NewLogLogger(l.Handler(), slog.LevelDebug).Writer())
		return l
	}
	o.Ready = func(s server.Serving) {
		if json {
			newServeLog(out, true, slog.LevelInfo).Info("ready", "public", s.Public, "admin", s.Admin, "data", s.DataDir, "config", s.Config,
				"domain", s.Domain, "apis", s.APIs, "stages", s.Stages, "descriptors", s.Descriptors)
			return
		}
		_, _ = io.WriteString(out, servingText(s)) // who does not read it has the log
	}
	o.Upstream = func(u *url.URL) (*url.URL, error) { return http.ProxyFromEnvironment(&http.Request{URL: u}) }
	o.Version, _ = versions()
	defer collector.Start()()
	return showFaults(p.stderr, server.RunServe(p.ctx, o))
}

func newServeLog(out io.Writer, json bool, level slog.Leveler) *slog.Logger {
	if json {
		return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))
}

// servingText is what is told of a node that is ready.
func servingText(s server.Serving) string {
	var b strings.Builder
	line := func(what, text string) { _, _ = fmt.Fprintf(&b, "  %-14s %s\n", what, text) } // a builder takes all
	_, _ = fmt.Fprintf(&b, "Cleat serves %s, %s\n", count(s.APIs, "API"), count(s.Stages, "stage"))
	line("clients", strings.Join(s.Public, ", ")+"   /API-ID/STAGE")
	if s.Domain != "" {
		line("", "API-ID."+s.Domain)
	}
	line("control plane", strings.Join(s.Admin, ", "))
	line("data", s.DataDir)
	if s.Config != "" {
		line("settings", s.Config)
	}
	if s.Descriptors > 0 {
		text := strconv.FormatUint(s.Descriptors, 10)
		if s.Descriptors < fewDescriptors {
			text += ", one for each connection: raise LimitNOFILE (systemd) or ulimit -n"
		}
		line("descriptors", text)
	}
	return b.String()
}

// fewDescriptors are so few that a node which fills up would run out of them first.
const fewDescriptors = 65536

// options are those of server.RunServe that flags decide.
func (f *serveFlags) options(p *process) (server.ServeOptions, error) {
	o := server.ServeOptions{Config: f.config(), Env: withoutSealKey(p.env)}
	var err error
	if o.DataDir, err = f.dataDir(p.env); err != nil {
		return o, err
	}
	o.Overrides, err = f.overrides()
	return o, err
}

// config is the node's file; empty: there is none.
func (f *serveFlags) config() string {
	if f.Config != "" {
		return f.Config
	}
	for _, name := range []string{"cleat.yaml", "cleat.yml", "/etc/cleat/cleat.yaml"} {
		if input.IsFile(name) {
			return name
		}
	}
	return ""
}

// dataDir is where a node keeps what it is told, if nobody says. It may be empty: the settings say then, or it is an
// error there.
func (f *serveFlags) dataDir(env []string) (string, error) {
	if dir, _, _ := strings.Cut(lookup(env, "STATE_DIRECTORY"), ":"); filepath.IsAbs(dir) {
		return dir, nil
	}
	if os.Geteuid() == 0 {
		return "/var/lib/cleat", nil
	}
	dir, err := (&devCommand{}).stateDir(env)
	if err != nil {
		return "", nil //nolint:nilerr // there is no home: the settings have to say
	}
	return filepath.Join(dir, "node"), nil
}

// overrides are the settings that flags make.
func (f *serveFlags) overrides() ([]project.Override, error) {
	var out []project.Override
	add := func(flag, setting string, values ...string) {
		if len(values) > 0 && values[0] != "" && values[0] != "file" {
			out = append(out, project.Override{Setting: setting, Values: values, From: "--" + flag})
		}
	}
	for _, file := range []*string{&f.Data, &f.TLSCert, &f.TLSKey} {
		if *file != "" {
			abs, err := filepath.Abs(*file) // as the shell means it, not the file
			if err != nil {
				return nil, err
			}
			*file = abs
		}
	}
	add("data", "data", f.Data)
	add("region", "region", f.Region)
	add("account", "account", f.Account)
	add("public", "public.listen", f.Public...)
	add("admin", "admin.listen", f.Admin...)
	add("domain", "public.domain", f.Domain)
	add("trusted-proxy", "public.trustedProxies", f.Trusted...)
	if f.Proxied {
		add("proxy-protocol", "public.proxyProtocol", "on")
	}
	if f.TLSCert != "" || f.TLSKey != "" {
		add("tls-cert", "tls.cert", f.TLSCert)
		add("tls-key", "tls.key", f.TLSKey)
	}
	add("acme-email", "acme.email", f.ACMEEmail)
	add("limits", "limits.profile", f.Limits)
	add("access-log", "logs.access.to", f.AccessLog)
	add("execution-log", "logs.execution.to", f.ExecLog)
	add("log-format", "logs.format", f.LogFormat)
	add("log-level", "logs.level", f.LogLevel)
	add("stop-timeout", "stop.timeout", f.Stop)
	return out, nil
}
