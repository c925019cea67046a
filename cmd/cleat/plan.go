package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"cleat/internal/control/stacks"
	"cleat/internal/controlapi/stackapi"
	"cleat/internal/terminal"
)

// Signs of a plan, as wide as the widest.
var signs = map[stacks.Action]string{stacks.ActionCreate: "  +", stacks.ActionUpdate: "  ~", stacks.ActionReplace: "-/+", stacks.ActionDelete: "  -"}

func (a *applying) paint(action stacks.Action, text string) string {
	switch action {
	case stacks.ActionCreate:
		return a.style.Good(text)
	case stacks.ActionDelete:
		return a.style.Bad(text)
	default:
		return a.style.Warn(text)
	}
}

// showPlan prints what a stack would change.
func (a *applying) showPlan(r stackapi.Result) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n\n", a.style.Bold("Stack "+terminal.Printable(r.Name)), a.style.Dim("on "+a.node.client.Endpoint()))
	width := 0
	for _, c := range r.Changes {
		width = min(max(width, len(c.LogicalID)), widestID)
	}
	counts := map[stacks.Action]int{}
	for _, c := range r.Changes {
		counts[c.Action]++
		id := ""
		if c.Action != stacks.ActionCreate {
			id = "  " + c.PhysicalID
		}
		fmt.Fprintf(&b, "%s %-*s  %s%s\n", a.paint(c.Action, signs[c.Action]), width, terminal.Printable(c.LogicalID), terminal.Printable(c.Type), a.style.Dim(terminal.Printable(id)))
		for _, p := range c.Properties {
			fmt.Fprintf(&b, "        %s\n", property(p))
		}
	}
	if len(r.Changes) == 0 {
		b.WriteString("  Nothing changes.\n")
	} else {
		var parts []string
		for _, c := range []struct {
			action stacks.Action
			verb   string
		}{{stacks.ActionCreate, "create"}, {stacks.ActionUpdate, "update"}, {stacks.ActionReplace, "replace"}, {stacks.ActionDelete, "delete"}} {
			if n := counts[c.action]; n > 0 {
				parts = append(parts, fmt.Sprintf("%d to %s", n, c.verb))
			}
		}
		fmt.Fprintf(&b, "\n  %s\n", strings.Join(parts, ", "))
	}
	_, _ = io.WriteString(a.p.stdout, b.String())
}

// widestID is the width of the column of logical IDs at most: those that frameworks make can be very long.
const widestID = 40

// longestValue is as much of a value as a plan shows, in characters.
const longestValue = 60

// property is one line of a plan.
func property(p stacks.PropertyChange) string {
	if p.Secret {
		return terminal.Printable(p.Name) + ": (not shown)"
	}
	old, now := p.Old, p.New
	if p.Name == "Code" { // hashes of zip files, of which the beginning tells enough
		old, now = beginning(old), beginning(now)
	}
	return terminal.Printable(p.Name) + ": " + value(old) + " → " + value(now)
}

func beginning(hash string) string { return hash[:min(len(hash), 12)] }

func value(s string) string {
	if s == "" {
		return "(none)"
	}
	s = terminal.Printable(strings.ReplaceAll(s, "\n", "↵"))
	if utf8.RuneCountInString(s) > longestValue {
		s = string([]rune(s)[:longestValue-1]) + "…"
	}
	return s
}

// showResult prints what a stack has become, and where clients find it.
func (a *applying) showResult(r stackapi.Result) {
	var b strings.Builder
	for _, s := range r.Stages {
		fmt.Fprintf(&b, "\n%s %s\n", a.style.Bold("API "+terminal.Printable(s.API)), a.style.Dim(terminal.Printable(s.APIID+", stage "+s.Name)))
		for _, to := range s.Addresses {
			fmt.Fprintf(&b, "  %s\n", terminal.Printable(to))
		}
	}
	for _, k := range r.APIKeys {
		if k.Value != "" {
			fmt.Fprintf(&b, "\nAPI key %s: %s\n", terminal.Printable(k.Name), terminal.Printable(k.Value))
		}
	}
	if len(r.Outputs) > 0 {
		b.WriteString("\nOutputs\n")
		width := len(slices.MaxFunc(r.Outputs, func(x, y output) int { return len(x.Key) - len(y.Key) }).Key)
		for _, o := range r.Outputs {
			fmt.Fprintf(&b, "  %-*s  %s\n", width, terminal.Printable(o.Key), terminal.Printable(o.Value))
		}
	}
	for _, t := range r.Tables {
		fmt.Fprintf(&b, "\nTable %s is not made: Cleat has no DynamoDB. The node's awsEndpoints say where one is.\n", terminal.Printable(t))
	}
	if len(r.LeftAlone) > 0 {
		fmt.Fprintf(&b, "\n%s\n", a.style.Dim("Left alone: "+terminal.Printable(strings.Join(r.LeftAlone, ", "))))
	}
	_, _ = io.WriteString(a.p.stdout, b.String())
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(terminal.JSONWriter{To: w})
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
