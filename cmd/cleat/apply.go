package main

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"cleat/internal/awsclient"
	"cleat/internal/cfn"
	"cleat/internal/config"
	"cleat/internal/control/stacks"
	"cleat/internal/controlapi/stackapi"
	"cleat/internal/project"
	"cleat/internal/server"
	"cleat/internal/terminal"
)

// applyCommand sends a project to a node (docs/apply.md).
type applyCommand struct {
	projectFlags
	remoteFlags
	Name   string `help:"Name of the stack on the node. Default: the project's name and stage, such as chat-dev." placeholder:"NAME"`
	Yes    bool   `short:"y" help:"Do not ask before changing anything."`
	DryRun bool   `help:"Show what would change, and change nothing."`
	Delete bool   `help:"Delete the stack with everything that it has made."`
	Output string `enum:"text,json" default:"text" help:"Form of the output: ${enum}."`
}

// Help is what "cleat apply --help" teaches beyond the flags.
func (applyCommand) Help() string {
	return `Reads DIR as "cleat dev" does, shows what its APIs and functions would change on the node, asks, and changes it: all of
it in one step, or nothing. Code that the node has already is not sent again; .cleatignore names files that are not
code. Applying the same again changes nothing; what left the project is deleted from the node.

Credentials are found as the AWS CLI finds them: environment, --profile, shared files.`
}

// Run applies a project.
func (c *applyCommand) Run(p *process) error {
	node, err := c.open(p, stackapi.ServiceName)
	if err != nil {
		return err
	}
	defer node.client.Close()
	a := &applying{applyCommand: c, p: p, node: node, style: styleFor(p.stdout, p.env)}
	if c.Delete && c.Name != "" {
		return a.delete(stacks.Name(c.Name))
	}
	options, err := c.options(p.env)
	if err != nil {
		return err
	}
	report, err := server.Check(p.ctx, c.Dir, options)
	for _, w := range report.Warnings {
		_, _ = fmt.Fprintf(p.stderr, "warning: %s\n", terminal.Printable(w.Error()))
	}
	if err != nil {
		return showFaults(p.stderr, err)
	}
	name := stacks.Name(c.Name)
	if c.Name == "" {
		name = stacks.Name(report.Project.Name + "-" + report.Project.Stage)
	}
	if c.Delete {
		return a.delete(name)
	}
	a.warnOfSettings(report.Project)
	return a.apply(name, report.Project)
}

// applying is one run of "cleat apply", or of "cleat stacks rm".
type applying struct {
	*applyCommand
	p     *process
	node  *remote
	style terminal.Style
}

// warnOfSettings tells of settings of cleat.yaml that belong to a node: the one that is applied to has its own.
func (a *applying) warnOfSettings(p *project.Project) {
	var names []string
	none := config.Default()
	for _, s := range []struct {
		name      string
		have, not any
	}{
		{"limits", p.Limits, none.Limits},
		{"remoteFunctions", p.Remote, none.Remote},
		{"users", p.Users, none.Users},
		{"awsEndpoints or awsCredentials", p.AWS, none.AWS},
		{"vpcLinks", p.VPCLinks, none.VPCLinks},
	} {
		if !reflect.DeepEqual(s.have, s.not) {
			names = append(names, s.name)
		}
	}
	if len(names) > 0 {
		_, _ = fmt.Fprintf(a.p.stderr, "warning: %s: settings of a node, not of its APIs: they are not sent; the node's own cleat.yaml must have them (%s)\n", p.File, strings.Join(names, ", "))
	}
}

func stackPath(name string) string { return "/_cleat/stacks/" + url.PathEscape(name) }

// apply shows the plan, asks, sends the code that the node lacks, and then the template.
func (a *applying) apply(name string, p *project.Project) error {
	template, packages, err := packFunctions(p.Template)
	if err != nil {
		return err
	}
	places := cfn.PlacesOf(template)
	q := stackapi.Request{
		Template: template.AppendJSON(nil), Places: &places, Parameters: p.Parameters, Region: p.Region, Environment: p.Environment,
	}
	var plan stackapi.Result
	if err := a.node.call(http.MethodPut, stackPath(name), url.Values{"dryRun": {"true"}}, q, &plan); err != nil {
		return a.refused(err)
	}
	if done, err := a.decide(plan); done || err != nil {
		return err
	}
	for _, c := range packages {
		if err := a.upload(c); err != nil {
			return err
		}
	}
	var result stackapi.Result
	if err := a.node.call(http.MethodPut, stackPath(name), nil, q, &result); err != nil {
		return a.refused(err)
	}
	return a.finish(result)
}

func (a *applying) delete(name string) error {
	var plan, result stackapi.Result
	if err := a.node.call(http.MethodDelete, stackPath(name), url.Values{"dryRun": {"true"}}, nil, &plan); err != nil {
		return a.refused(err)
	}
	if done, err := a.decide(plan); done || err != nil {
		return err
	}
	if err := a.node.call(http.MethodDelete, stackPath(name), nil, nil, &result); err != nil {
		return a.refused(err)
	}
	return a.finish(result)
}

// refused shows the faults that a node found as if they had been found here.
func (a *applying) refused(err error) error {
	if failed, ok := errors.AsType[*awsclient.Error](err); ok {
		if faults := stackapi.Faults(failed.Body); len(faults) > 0 {
			for i := range faults {
				faults[i].Message = terminal.Printable(faults[i].Message)
			}
			return showFaults(a.p.stderr, faults)
		}
	}
	return inPlainWords(err)
}

// decide shows a plan and finds out whether it is to be carried out; done tells that there is nothing more to do.
func (a *applying) decide(plan stackapi.Result) (done bool, err error) {
	nothing := len(plan.Changes) == 0 && !a.Delete
	if a.Output == "json" {
		if a.DryRun {
			return true, printJSON(a.p.stdout, plan)
		}
	} else {
		a.showPlan(plan)
	}
	switch {
	case a.DryRun:
		return true, nil
	case nothing, a.Yes:
		return false, nil // even then something may differ that no plan shows
	case !terminal.Is(a.p.stdin):
		return true, errors.New("there is no terminal to ask on: confirm with --yes, or look only with --dry-run")
	}
	_, _ = fmt.Fprint(a.p.stderr, "Change the node? [y/N] ")
	line, err := bufio.NewReader(a.p.stdin).ReadString('\n')
	if answer := strings.ToLower(strings.TrimSpace(line)); err == nil && (answer == "y" || answer == "yes") {
		return false, nil
	}
	return true, errors.New("nothing was changed")
}

// finish tells what came of it.
func (a *applying) finish(r stackapi.Result) error {
	if a.Output == "json" {
		return printJSON(a.p.stdout, r)
	}
	a.showResult(r)
	return nil
}
