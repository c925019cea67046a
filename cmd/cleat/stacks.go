package main

import (
	"fmt"
	"net/http"
	"text/tabwriter"

	"cleat/internal/controlapi/stackapi"
	"cleat/internal/store"
	"cleat/internal/terminal"
)

// stacksCommand looks after what "cleat apply" has made.
type stacksCommand struct {
	remoteFlags

	Ls  stacksLs  `cmd:"" help:"List the stacks."`
	Get stacksGet `cmd:"" help:"Show what a stack has made, and where clients find it."`
	Rm  stacksRm  `cmd:"" help:"Delete a stack with everything that it has made."`
}

type output = store.StackOutput

type stacksLs struct{}

// Run lists the stacks.
func (*stacksLs) Run(p *process, c *stacksCommand) error {
	node, err := c.open(p, stackapi.ServiceName)
	if err != nil {
		return err
	}
	defer node.client.Close()
	var list stackapi.List
	if err := node.call(http.MethodGet, "/_cleat/stacks", nil, nil, &list); err != nil {
		return inPlainWords(err)
	}
	for _, s := range list.Stacks {
		if _, err := fmt.Fprintln(p.stdout, terminal.Printable(s.Name)); err != nil {
			return err
		}
	}
	return nil
}

type stacksGet struct {
	Name string `arg:"" help:"The stack's name."`
	JSON bool   `name:"json" help:"As JSON."`
}

// Run shows one stack.
func (g *stacksGet) Run(p *process, c *stacksCommand) error {
	node, err := c.open(p, stackapi.ServiceName)
	if err != nil {
		return err
	}
	defer node.client.Close()
	var d stackapi.Description
	if err := node.call(http.MethodGet, stackPath(g.Name), nil, nil, &d); err != nil {
		return inPlainWords(err)
	}
	if g.JSON {
		return printJSON(p.stdout, d)
	}
	table := tabwriter.NewWriter(p.stdout, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "RESOURCE\tTYPE\tID")
	for _, r := range d.Resources {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", terminal.Printable(r.LogicalID), terminal.Printable(r.Type), terminal.Printable(r.PhysicalID))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	a := &applying{p: p, node: node, style: styleFor(p.stdout, p.env)}
	a.showResult(stackapi.Result{Stages: d.Stages, Outputs: d.Outputs})
	return nil
}

type stacksRm struct {
	Name   string `arg:"" help:"The stack's name."`
	Yes    bool   `short:"y" help:"Do not ask before deleting anything."`
	DryRun bool   `help:"Show what would be deleted, and delete nothing."`
}

// Run deletes a stack.
func (r *stacksRm) Run(p *process, c *stacksCommand) error {
	node, err := c.open(p, stackapi.ServiceName)
	if err != nil {
		return err
	}
	defer node.client.Close()
	a := &applying{applyCommand: &applyCommand{Yes: r.Yes, DryRun: r.DryRun, Delete: true, Output: "text"}, p: p, node: node, style: styleFor(p.stdout, p.env)}
	return a.delete(r.Name)
}
