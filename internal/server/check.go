package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"cleat/internal/awsapi"
	"cleat/internal/cfn"
	"cleat/internal/control/stacks"
	"cleat/internal/gateway"
	"cleat/internal/project"
	"cleat/internal/store"
	"cleat/internal/store/memory"
)

// Report is what Check found.
type Report struct {
	Project  *project.Project
	Outcome  stacks.Outcome
	Warnings []cfn.Fault
}

// Check reads a project as RunDev does and applies it to a store that nobody serves. It starts no function and no
// listener. A project with faults is cfn.Faults; the report then has the warnings alone.
func Check(ctx context.Context, dir string, o project.Options) (Report, error) {
	p, outcome, err := load(ctx, dir, o)
	if err != nil {
		return Report{Warnings: p.Warnings}, err
	}
	return Report{p, outcome, slices.Concat(p.Warnings, outcome.Warnings)}, nil
}

// load reads a project and rehearses it: what passes can be applied, and what does not changes nothing. What could be
// read of a project with faults is rehearsed too, so that all faults are told at once, whoever finds them. The project
// is never nil.
func load(ctx context.Context, dir string, o project.Options) (*project.Project, stacks.Outcome, error) {
	p, err := project.Load(dir, o)
	faults, ok := errors.AsType[cfn.Faults](err)
	if err != nil && (!ok || p.Template == nil) {
		return p, stacks.Outcome{}, err
	}
	outcome, err := rehearse(ctx, p)
	if len(faults) == 0 {
		return p, outcome, err
	}
	further, _ := errors.AsType[cfn.Faults](err)
	for _, f := range further {
		known := slices.ContainsFunc(faults, func(k cfn.Fault) bool {
			return k.Place.File == f.Place.File && k.Place.Line == f.Place.Line
		})
		if !known {
			faults = append(faults, f)
		}
	}
	slices.SortStableFunc(faults, func(a, b cfn.Fault) int {
		return cmp.Or(cmp.Compare(a.Place.File, b.Place.File), cmp.Compare(a.Place.Line, b.Place.Line))
	})
	return p, outcome, faults
}

// rehearse applies a project to a store that nobody serves.
func rehearse(ctx context.Context, p *project.Project) (stacks.Outcome, error) {
	s := store.New(memory.New())
	outcome, err := stacks.New(s, stacks.Options{Unlimited: unlimited(p.Limits, "")}).Apply(ctx, stackOf(p))
	if err != nil {
		return outcome, err
	}
	serving, err := s.Serving(ctx)
	if err != nil {
		return outcome, fmt.Errorf("read the definitions: %w", err)
	}
	missingLinks(p, &outcome)
	return outcome, gateway.Compile(serving)
}

func stackOf(p *project.Project) stacks.Stack {
	return stacks.Stack{Name: p.Name, Template: p.Template, Parameters: p.Parameters, Region: p.Region, Account: awsapi.DefaultAccount}
}

// withDefaults adds the variables of more that env does not have.
func withDefaults(env, more map[string]string) map[string]string {
	if len(more) == 0 {
		return env
	}
	out := make(map[string]string, len(env)+len(more))
	maps.Copy(out, more)
	maps.Copy(out, env)
	return out
}

// touches reports whether any of the changed files is one of the given ones; both are absolute paths.
func touches(changed, files []string) bool {
	return slices.ContainsFunc(changed, func(c string) bool { return slices.Contains(files, c) })
}

// relative names files from a folder where they lie in it.
func relative(dir string, files []string) []string {
	out := make([]string, len(files))
	for i, f := range files {
		out[i] = f
		if r, err := filepath.Rel(dir, f); err == nil && filepath.IsLocal(r) {
			out[i] = r
		}
	}
	return out
}
