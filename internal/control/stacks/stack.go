package stacks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/cfn"
	"cleat/internal/draft"
	"cleat/internal/store"
)

// Description is a stack as it was applied last.
type Description struct {
	Name      string
	Resources []Resource // ordered by logical ID
	Stages    []Stage    // ordered by API and name
	Outputs   []store.StackOutput
}

// Resource is a resource that a stack has made.
type Resource struct {
	LogicalID  string `json:"logicalId"`
	Type       string `json:"type"`
	PhysicalID string `json:"physicalId"`
}

// Stage is a stage that a stack has made: there clients connect.
type Stage struct {
	APIID apigw.APIID
	Stage string
}

// Names returns the names of all stacks, in order.
func (t *Stacks) Names(ctx context.Context) ([]string, error) {
	all, err := store.List(ctx, t.store, store.Stacks())
	if err != nil {
		return nil, fmt.Errorf("read the stacks: %w", err)
	}
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Name
	}
	slices.Sort(names)
	return names, nil
}

// Describe returns one stack. An unknown one is an *apigw.Error of KindNotFound.
func (t *Stacks) Describe(ctx context.Context, name string) (Description, error) {
	record, _, err := store.Get(ctx, t.store, store.Stacks().Key(name))
	if errors.Is(err, store.ErrNotFound) {
		return Description{}, unknownStack(name)
	}
	if err != nil {
		return Description{}, fmt.Errorf("read the record of stack %s: %w", name, err)
	}
	d := Description{Name: record.Name, Outputs: record.Outputs}
	for _, logicalID := range slices.Sorted(maps.Keys(record.Resources)) {
		key := record.Resources[logicalID]
		if madeByApply(logicalID) {
			continue
		}
		d.Resources = append(d.Resources, Resource{logicalID, typeOfKey(key), physicalID(key, nil)})
		if parts := strings.Split(key, "/"); len(parts) == 4 && parts[2] == "stages" {
			d.Stages = append(d.Stages, Stage{apigw.APIID(parts[1]), parts[3]})
		}
	}
	slices.SortFunc(d.Stages, func(x, y Stage) int {
		return strings.Compare(string(x.APIID)+"/"+x.Stage, string(y.APIID)+"/"+y.Stage)
	})
	return d, nil
}

func unknownStack(name string) error {
	return &apigw.Error{Kind: apigw.KindNotFound, Message: "Stack with id " + name + " does not exist"}
}

// Delete deletes a stack with everything that it has made, in one commit. Of the Stack only Name, DryRun, Check and Settle count.
// It is refused, with names, when something outside of the stack depends on it. The errors are those of Apply; an unknown
// stack is an *apigw.Error of KindNotFound.
func (t *Stacks) Delete(ctx context.Context, s Stack) (Outcome, error) {
	if _, err := t.Describe(ctx, s.Name); err != nil {
		return Outcome{}, err
	}
	nowhere := cfn.Place{}
	s.Template, s.Parameters, s.Former = cfn.MapOf(nowhere, "Resources", cfn.MapOf(nowhere)), nil, ""
	return t.apply(ctx, s, true)
}

// evaluateOutputs evaluates the template's outputs. One that cannot be is left out, with a warning: nothing depends on it
// here.
func (a *application) evaluateOutputs() {
	if len(a.faults) > 0 {
		return
	}
	for _, e := range a.template.Outputs.Entries() {
		told := len(a.warnings)
		value := e.Value.Get("Value")
		if condition := e.Value.Get("Condition"); condition != nil {
			none := cfn.MapOf(e.Place, "Ref", cfn.TextOf(e.Place, "AWS::NoValue"))
			value = cfn.MapOf(e.Place, "Fn::If", cfn.ListOf(e.Place, condition, value, none))
		}
		v, err := a.evaluator.Evaluate(value)
		text, isText := v.Scalar()
		switch {
		case err != nil:
			faults, _ := errors.AsType[cfn.Faults](err)
			for _, f := range faults {
				a.warnings.Addf(f.Place, "output %s is left out: %s", e.Key, f.Message)
			}
		case isText:
			a.warnings = a.warnings[:told] // that an attribute is made up matters to whoever uses it, and nobody does
			a.outputs = append(a.outputs, store.StackOutput{Key: e.Key, Value: text, Description: e.Value.Get("Description").Str()})
		}
	}
}

// leaving are the keys in the store of what the stack had and will not have, with their logical IDs.
func (a *application) leaving() map[string]string {
	out, wanted := map[string]string{}, a.wanted()
	for logicalID, key := range a.record.Resources {
		if !slices.Contains(wanted, key) {
			out[key] = logicalID
		}
	}
	return out
}

// checkOthers refuses to take what belongs to another stack, and to delete what something outside of the stack depends on
// beyond what drafts and domains know of themselves.
func (a *application) checkOthers(ctx context.Context) error {
	stacks, err := store.List(ctx, a.store, store.Stacks())
	if err != nil {
		return fmt.Errorf("read the stacks: %w", err)
	}
	made := map[string]string{}
	for logicalID, key := range a.made {
		made[key] = logicalID
	}
	leaving := a.leaving()
	for i := range stacks {
		s := &stacks[i]
		if s.Name == a.stack.Name || s.Name == a.stack.Former {
			continue
		}
		for _, logicalID := range slices.Sorted(maps.Keys(s.Resources)) {
			key := s.Resources[logicalID]
			// Functions are looked at where they are written: nobody's may be taken, with or without a stack.
			if ours, taken := made[key]; taken && !madeByApply(logicalID) && !madeByApply(ours) && !strings.HasPrefix(key, "functions/") {
				a.faults.Addf(a.template.Resource(ours).Place, "%s belongs to stack %s already, as %s", ours, s.Name, logicalID)
			}
			if parts := strings.Split(key, "/"); len(parts) > 2 && leaving[parts[0]+"/"+parts[1]] != "" && !madeByApply(logicalID) {
				a.faults.Addf(cfn.Place{}, "%s (%s) cannot be deleted: %s of stack %s is in it", leaving[parts[0]+"/"+parts[1]], parts[1], logicalID, s.Name)
			}
		}
	}
	if err := a.checkUsageOfOthers(ctx, leaving); err != nil {
		return err
	}
	a.faults = inOrder(a.faults)
	return nil
}

// checkUsageOfOthers refuses to delete stages that usage plans of others name, and plans and API keys that others have put
// together.
func (a *application) checkUsageOfOthers(ctx context.Context, leaving map[string]string) error {
	if len(leaving) == 0 {
		return nil
	}
	plans, err := store.List(ctx, a.store, store.UsagePlans())
	if err != nil {
		return fmt.Errorf("read the usage plans: %w", err)
	}
	own := a.before()
	for i := range plans {
		p := &plans[i]
		planKey := store.UsagePlans().Key(p.ID).String()
		for _, s := range p.APIStages {
			if own[planKey] {
				break
			}
			for _, key := range []string{store.APIs().Key(string(s.APIID)).String(), store.Stages(s.APIID).Key(s.Stage).String()} {
				if leaving[key] != "" {
					a.faults.Addf(cfn.Place{}, "%s cannot be deleted: usage plan %s (%s) has stage %s of API %s", leaving[key], p.Name, p.ID, s.Stage, s.APIID)
					break
				}
			}
		}
		keys, err := store.List(ctx, a.store, store.UsagePlanKeys(p.ID))
		if err != nil {
			return fmt.Errorf("read the keys of usage plan %s: %w", p.ID, err)
		}
		for j := range keys {
			if own[planKeyEntry(&keys[j])] {
				continue
			}
			if leaving[planKey] != "" {
				a.faults.Addf(cfn.Place{}, "%s cannot be deleted: API key %s has been put into usage plan %s", leaving[planKey], keys[j].ID, p.ID)
			} else if key := store.APIKeys().Key(keys[j].ID).String(); leaving[key] != "" {
				a.faults.Addf(cfn.Place{}, "%s cannot be deleted: usage plan %s (%s) has the key", leaving[key], p.Name, p.ID)
			}
		}
	}
	return nil
}

// checkServing asks whether the data plane can serve what the change makes of the APIs.
func (a *application) checkServing(ctx context.Context) error {
	if a.stack.Check == nil {
		return nil
	}
	var serving store.Serving
	for _, id := range a.order {
		d := a.drafts[id]
		for i := range d.Now.Stages {
			s := &d.Now.Stages[i]
			dep := draft.Deployments.Find(d, s.DeploymentID)
			if dep == nil {
				continue
			}
			frozen := d.Frozen(dep.DeploymentID)
			if frozen == nil {
				var err error
				if frozen, err = store.GetFrozen(ctx, a.store, store.Definitions(id).Key(dep.DeploymentID)); err != nil {
					return fmt.Errorf("read deployment %s of API %s: %w", dep.DeploymentID, id, err)
				}
			}
			serving.Stages = append(serving.Stages, store.Published{API: &d.Now.API, Stage: s, Deployment: dep, Frozen: frozen})
		}
	}
	if err := a.stack.Check(serving); err != nil {
		for line := range strings.Lines(err.Error()) {
			a.faults.Addf(cfn.Place{}, "the node cannot serve this: %s", strings.TrimSpace(line))
		}
	}
	return a.faults.Err()
}
