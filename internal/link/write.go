package link

import (
	"slices"

	"cleat/internal/cfn"
)

// write puts a stack's sections into the whole.
func (l *linker) write(s *scope) {
	for _, e := range s.template.Get(mappings).Entries() {
		e.Key = s.mappings[e.Key]
		l.sections[mappings].Keys = append(l.sections[mappings].Keys, e)
	}
	for _, e := range s.template.Get(conditions).Entries() {
		e.Key, e.Value = s.conditions[e.Key], l.condition(s, e.Value)
		l.sections[conditions].Keys = append(l.sections[conditions].Keys, e)
	}
	for _, e := range s.template.Get(resources).Entries() {
		if s.nested[e.Key] == nil {
			l.writeResource(s, e)
		}
	}
	for _, e := range s.template.Get(outputs).Entries() {
		if name := e.Value.Path("Export", "Name"); name != nil {
			b := s.outputs[e.Key]
			l.exports = append(l.exports, export{l.value(s, name), func() *cfn.Value { return l.use(b, e.Place, "output "+e.Key) }})
		}
		if s.root {
			e.Key = l.unique(outputs, s.prefix+e.Key)
			e.Value = l.deployedOutput(s, e.Value)
			l.sections[outputs].Keys = append(l.sections[outputs].Keys, e)
		}
	}
	// What nobody refers to is to be looked at all the same.
	for _, e := range s.template.Get(parameters).Entries() {
		if b := s.parameters[e.Key]; b != nil {
			l.use(b, b.place, "parameter "+e.Key)
		}
	}
}

// deployedOutput is an output of a stack that is deployed by itself.
func (l *linker) deployedOutput(s *scope, v *cfn.Value) *cfn.Value {
	out := &cfn.Value{Kind: cfn.Map, Place: v.At()}
	for _, e := range v.Entries() {
		if e.Key == "Condition" && e.Value.Is(cfn.String) {
			e.Value = cfn.TextOf(e.Value.Place, l.conditionName(s, e.Value.Text))
		} else {
			e.Value = l.value(s, e.Value)
		}
		out.Keys = append(out.Keys, e)
	}
	return out
}

func (l *linker) writeResource(s *scope, r cfn.Entry) {
	if r.Value.Is(cfn.Map) {
		v := &cfn.Value{Kind: cfn.Map, Place: r.Value.Place}
		for _, e := range r.Value.Keys {
			switch e.Key {
			case "Properties":
				e.Value = l.value(s, e.Value)
			case "Condition", "DependsOn":
				continue
			}
			v.Keys = append(v.Keys, e)
		}
		if name := l.both(s, s.condition, r.Value.Get("Condition")); name != "" {
			v.Set(cfn.Entry{Key: "Condition", Place: r.Value.Get("Condition").At(), Value: cfn.TextOf(r.Place, name)})
		} else if own := r.Value.Get("Condition"); own != nil {
			v.Set(cfn.Entry{Key: "Condition", Place: own.Place, Value: own}) // of the wrong kind: package cfn tells
		}
		if on := l.dependsOn(s, r); on != nil {
			v.Set(cfn.Entry{Key: "DependsOn", Place: on.Place, Value: on})
		}
		r.Value = v
	}
	r.Key = s.ids[r.Key]
	l.sections[resources].Keys = append(l.sections[resources].Keys, r)
}

// dependsOn is what a resource waits for: what it says itself, and what the stacks say that it is nested in.
func (l *linker) dependsOn(s *scope, r cfn.Entry) *cfn.Value {
	own := r.Value.Get("DependsOn")
	if own != nil && !own.Is(cfn.String) && !own.Is(cfn.List) {
		return own // package cfn tells
	}
	list := cfn.ListOf(own.At())
	add := func(id cfn.Value) {
		if !slices.ContainsFunc(list.Items, func(v *cfn.Value) bool { return v.Text == id.Text && v.Kind == id.Kind }) {
			list.Items = append(list.Items, &id)
		}
	}
	l.addDependencies(s, own, add)
	for in := s; in.parent != nil; in = in.parent {
		l.addDependencies(in.parent, in.self.Value.Get("DependsOn"), add)
	}
	if len(list.Items) == 0 {
		return nil
	}
	return list
}

func (l *linker) addDependencies(s *scope, on *cfn.Value, add func(cfn.Value)) {
	items := []*cfn.Value{on}
	if on == nil || on.Is(cfn.List) {
		items = nil
		if on != nil {
			items = on.Items
		}
	}
	for _, item := range items {
		if child := s.nested[item.Str()]; child != nil {
			child.each(func(id string) { add(*cfn.TextOf(item.At(), id)) })
			continue
		}
		v := *item
		if id, ok := s.ids[item.Str()]; ok {
			v.Text = id
		}
		add(v)
	}
}

// each calls f with the logical ID of every resource of a stack and of those nested in it, in order.
func (s *scope) each(f func(id string)) {
	for _, r := range s.template.Get(resources).Entries() {
		if child := s.nested[r.Key]; child != nil {
			child.each(f)
		} else {
			f(s.ids[r.Key])
		}
	}
}

// whole is the template of all sections; those that are not linked are the first stack's.
func (l *linker) whole(stacks []Stack) *cfn.Value {
	out := &cfn.Value{Kind: cfn.Map}
	if len(stacks) > 0 {
		out.Place = stacks[0].Template.At()
		for _, e := range stacks[0].Template.Entries() {
			if l.sections[e.Key] == nil {
				out.Keys = append(out.Keys, e)
			}
		}
	}
	for _, name := range []string{parameters, mappings, conditions, resources, outputs} {
		if section := l.sections[name]; len(section.Keys) > 0 || name == resources {
			section.Place = out.Place
			out.Keys = append(out.Keys, cfn.Entry{Key: name, Place: section.Place, Value: section})
		}
	}
	return out
}

// finish gives imports what the stacks export, and holds the values of nested stacks' parameters to what those allow.
func (l *linker) finish(whole *cfn.Value) *cfn.Value {
	view := whole.With(cfn.Entry{Key: resources, Value: &cfn.Value{Kind: cfn.Map}})
	template, err := cfn.ReadTemplate(view)
	if err != nil {
		return whole // whoever applies it tells
	}
	evaluator, err := cfn.NewEvaluator(template, cfn.Env{Parameters: l.o.Parameters, Region: l.o.Region, StackName: l.o.Name})
	if err != nil {
		return whole // likewise
	}
	text := func(v *cfn.Value) (string, bool) { // ok is false for what depends on resources
		made, err := evaluator.Evaluate(v)
		if err != nil {
			return "", false
		}
		return made.Scalar()
	}
	for _, c := range l.checks {
		if s, ok := text(c.value); ok && !c.parameter.Stored() {
			c.parameter.Check(s, c.value.At(), &l.faults)
		}
	}
	exported := map[string]func() *cfn.Value{}
	for _, e := range l.exports {
		if name, ok := text(e.name); ok {
			exported[name] = e.value
		}
	}
	if len(exported) == 0 {
		return whole
	}
	i := importer{l: l, exported: exported, text: text, busy: map[string]bool{}}
	return i.value(whole)
}

// importer puts what stacks export in place of Fn::ImportValue.
type importer struct {
	l        *linker
	exported map[string]func() *cfn.Value
	text     func(*cfn.Value) (string, bool)
	busy     map[string]bool
}

func (i *importer) value(v *cfn.Value) *cfn.Value {
	if v == nil || i.l.full {
		return v
	}
	switch v.Kind {
	case cfn.List:
		out := &cfn.Value{Kind: cfn.List, Place: v.Place}
		for _, item := range v.Items {
			out.Items = append(out.Items, i.value(item))
		}
		return out
	case cfn.Map:
		if len(v.Keys) == 1 && v.Keys[0].Key == "Fn::ImportValue" {
			return i.imported(v)
		}
		out := &cfn.Value{Kind: cfn.Map, Place: v.Place}
		for _, e := range v.Keys {
			e.Value = i.value(e.Value)
			out.Keys = append(out.Keys, e)
		}
		return out
	default:
		return v
	}
}

func (i *importer) imported(v *cfn.Value) *cfn.Value {
	name, ok := i.text(v.Keys[0].Value)
	from := i.exported[name]
	switch {
	case !ok || from == nil:
		return v
	case i.busy[name]:
		i.l.faults.Addf(v.Place, "the export %s depends on itself", name)
		return cfn.TextOf(v.Place, "")
	}
	i.busy[name] = true
	defer delete(i.busy, name)
	return i.value(from())
}
