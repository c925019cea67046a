package cfn

import (
	"slices"
	"strings"
)

// Order returns the active resources so that each comes after those it depends on, by DependsOn or by reference, and
// else in the order written. Its error is Faults: a circle of dependencies.
func (e *Evaluator) Order() ([]*Resource, error) {
	o := orderer{e: e, state: map[*Resource]state{}}
	for _, r := range e.template.Resources {
		if e.active(r) {
			o.visit(r)
		}
	}
	return o.order, e.take()
}

type orderer struct {
	e     *Evaluator
	state map[*Resource]state
	path  []string // logical IDs being visited
	order []*Resource
}

// visit goes no deeper than there are resources in a row.
func (o *orderer) visit(r *Resource) {
	switch o.state[r] {
	case visited:
		return
	case visiting:
		circle := o.path
		for circle[0] != r.LogicalID {
			circle = circle[1:]
		}
		o.e.fault(r.Place, "circular dependency between resources: %s", strings.Join(append(slices.Clip(circle), r.LogicalID), " → "))
		return
	case unvisited:
	}
	o.state[r] = visiting
	o.path = append(o.path, r.LogicalID)
	for _, id := range r.DependsOn {
		o.depend(id)
	}
	o.references(r.Properties)
	o.path = o.path[:len(o.path)-1]
	o.state[r] = visited
	o.order = append(o.order, r)
}

func (o *orderer) depend(id string) {
	if r := o.e.template.Resource(id); r != nil && o.e.active(r) {
		o.visit(r)
	}
}

// references visits what v refers to. Of an Fn::If only the branch taken counts.
func (o *orderer) references(v *Value) {
	if v == nil {
		return
	}
	if f, ok := intrinsic(v); ok {
		switch f.Key {
		case "Ref":
			o.depend(f.Value.Str())
			return
		case "Fn::GetAtt":
			id, _, _ := strings.Cut(f.Value.Str(), ".")
			if f.Value.Is(List) && len(f.Value.Items) > 0 {
				id = f.Value.Items[0].Str()
			}
			o.depend(id)
		case "Fn::Sub":
			o.subReferences(f.Value)
		case "Fn::If":
			before := len(o.e.faults)
			branch, ok := o.e.branch(f.Value, v.Place)
			o.e.faults = o.e.faults[:before] // evaluation reports them
			if ok {
				o.references(branch)
			}
			return
		}
	}
	for _, item := range v.Items {
		o.references(item)
	}
	for _, entry := range v.Keys {
		o.references(entry.Value)
	}
}

func (o *orderer) subReferences(arg *Value) {
	text, variables := arg, (*Value)(nil)
	if arg.Is(List) && len(arg.Items) == 2 {
		text, variables = arg.Items[0], arg.Items[1]
	}
	for s := text.Str(); ; {
		_, rest, found := strings.Cut(s, "${")
		if !found {
			return
		}
		name, after, _ := strings.Cut(rest, "}")
		s = after
		if id, _, _ := strings.Cut(strings.TrimSpace(name), "."); variables.Get(name) == nil {
			o.depend(id)
		}
	}
}
