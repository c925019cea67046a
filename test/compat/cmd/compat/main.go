// Compat runs the scenarios of test/compat against Cleat and against other endpoints, and shows the results side by
// side. Other forms write CloudFormation templates of the scenarios' APIs, and the page docs/compatibility.md. test/compat/README.md has examples.
//
//	compat [flags]              run
//	compat [flags] stacks DIR   write the templates
//	compat page                 write docs/compatibility.md
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"cleat/test/compat/page"
	"cleat/test/compat/runner"
	"cleat/test/compat/scenario"
	"cleat/test/compat/stack"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	dir, only               string
	endpoint, management    string
	targets                 []string
	cleat, signed           bool
	region, listen, backend string
	can                     string
	parallel                int
	patience                time.Duration
	form, into              string // "stacks" and its folder
}

func parse(args []string, out io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("compat", flag.ContinueOnError)
	f.SetOutput(out)
	f.StringVar(&o.dir, "scenarios", "test/compat/scenarios", "the `folder` of scenarios")
	f.StringVar(&o.only, "run", "", "only scenarios whose names match a `regexp`")
	f.BoolVar(&o.cleat, "cleat", true, "run them on Cleat, in this process")
	f.StringVar(&o.endpoint, "endpoint", "", "a further target's WebSocket `URL`; {name} and {scenario} in it stand for the scenario's")
	f.StringVar(&o.management, "management", "", "its management `URL`; empty: the endpoint over https or http")
	f.Func("target", "a further target as `NAME=URL` or NAME=@FILE, a list of scenarios and URLs; may be repeated", func(s string) error {
		o.targets = append(o.targets, s)
		return nil
	})
	f.StringVar(&o.can, "can", "", "what the further targets are capable of, of limits, host, config and cleat, by `commas`")
	f.BoolVar(&o.signed, "sign", false, "sign management requests to the further targets with the AWS credentials of this environment")
	f.StringVar(&o.region, "region", "", "the `region` to sign for; empty: the environment's")
	f.StringVar(&o.listen, "backend-listen", "127.0.0.1:0", "the `address` that backends answer on")
	f.StringVar(&o.backend, "backend-url", "", "the `URL` under which targets reach that address; empty: the address")
	f.IntVar(&o.parallel, "parallel", 4, "so many `scenarios` at a time")
	f.DurationVar(&o.patience, "patience", 5*time.Second, "how `long` to wait for what must come")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	switch rest := f.Args(); {
	case len(rest) == 0:
	case len(rest) == 2 && rest[0] == "stacks":
		o.form, o.into = rest[0], rest[1]
	case len(rest) == 1 && rest[0] == "page":
		o.form = rest[0]
	default:
		return nil, fmt.Errorf("unknown arguments %q: want none, stacks DIR, or page", rest)
	}
	return o, nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args, out)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	scenarios, err := load(o)
	if err != nil {
		return err
	}
	switch o.form {
	case "stacks":
		return writeStacks(o.into, scenarios, out)
	case "page":
		return writePage(scenarios)
	}
	targets, err := o.open(ctx)
	if err != nil {
		return err
	}
	if o.cleat {
		state, err := os.MkdirTemp("", "cleat-compat-state-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(state) }() // certificates for this run only
		targets = append([]runner.Target{runner.NewCleat(state)}, targets...)
	}
	if len(targets) == 0 {
		return errors.New("there is no target: give -endpoint or -target, or leave -cleat on")
	}
	backends, err := runner.NewBackends(ctx, o.listen, o.backend)
	if err != nil {
		return err
	}
	results := runner.RunAll(ctx, targets, backends, scenarios, o.parallel, runner.Options{Patience: o.patience})
	return errors.Join(runner.WriteTable(out, targets, results), backends.Close())
}

func load(o *options) ([]*scenario.Scenario, error) {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return nil, fmt.Errorf("-run: %w", err)
	}
	all, err := scenario.Load(os.DirFS(o.dir), o.dir)
	if err != nil {
		return nil, err
	}
	var out []*scenario.Scenario
	for _, s := range all {
		if only.MatchString(s.Name) {
			out = append(out, s)
		}
	}
	return out, nil
}

// open makes the targets besides Cleat itself.
func (o *options) open(ctx context.Context) ([]runner.Target, error) {
	var sign func(string, *url.URL, []byte) ([]scenario.Field, error)
	if o.signed {
		var err error
		if sign, err = signer(ctx, o.region); err != nil {
			return nil, err
		}
	}
	var needs []scenario.Need
	for _, n := range strings.FieldsFunc(o.can, func(r rune) bool { return r == ',' }) {
		needs = append(needs, scenario.Need(n))
	}
	var out []runner.Target
	add := func(r *runner.Remote) { out = append(out, r.Can(needs...).SignWith(sign)) }
	if o.endpoint != "" {
		add(runner.NewRemote("endpoint", o.endpoint, o.management))
	}
	for _, text := range o.targets {
		name, where, ok := strings.Cut(text, "=")
		if !ok || name == "" || where == "" {
			return nil, fmt.Errorf("-target %s: want NAME=URL or NAME=@FILE", text)
		}
		file, listed := strings.CutPrefix(where, "@")
		if !listed {
			add(runner.NewRemote(name, where, ""))
			continue
		}
		list, err := os.Open(file) //nolint:gosec // the user names it
		if err != nil {
			return nil, err
		}
		r, err := runner.ReadRemote(name, list)
		if err = errors.Join(err, list.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		add(r)
	}
	return out, nil
}

// signer signs requests to the management API with the credentials of the environment.
func signer(ctx context.Context, region string) (func(string, *url.URL, []byte) ([]scenario.Field, error), error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(region))
	if err != nil {
		return nil, fmt.Errorf("read the AWS configuration: %w", err)
	}
	return func(method string, u *url.URL, body []byte) ([]scenario.Field, error) {
		who, err := cfg.Credentials.Retrieve(ctx)
		if err != nil {
			return nil, err
		}
		return runner.Sign(ctx, who, cfg.Region, method, u, body)
	}, nil
}

// writePage makes docs/compatibility.md.
func writePage(scenarios []*scenario.Scenario) error {
	source, err := os.ReadFile(page.Source)
	if err != nil {
		return err
	}
	text, err := page.Generate(source, scenarios)
	if err != nil {
		return err
	}
	return os.WriteFile(page.Result, text, 0o600) //nolint:gosec // G703: the name is a constant
}

// writeStacks writes one template for each scenario that can have one.
func writeStacks(dir string, scenarios []*scenario.Scenario, out io.Writer) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	for _, s := range scenarios {
		text, err := stack.Template(s)
		if err != nil {
			if _, err := fmt.Fprintf(out, "left out: %v\n", err); err != nil {
				return err
			}
			continue
		}
		file := filepath.Join(dir, runner.StackName(s.Name)+".json")
		if err := os.WriteFile(file, text, 0o600); err != nil { //nolint:gosec // G703: the user names the folder
			return err
		}
	}
	return nil
}
