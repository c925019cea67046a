package link

import (
	"fmt"
	"slices"
	"strings"

	"cleat/internal/cfn"
)

// Stack is one stack that is deployed by itself.
type Stack struct {
	// Prefix begins its logical IDs in the whole. Empty: they stay as they are.
	Prefix string
	// Name is what AWS::StackName gives in it. Empty: that of the whole.
	Name     string
	Template *cfn.Value
}

// Options say what a linker cannot know.
type Options struct {
	// Name is the name of the whole stack, for names of exports that are made of it.
	Name string
	// Region is the region of the whole stack, likewise. Empty: awsapi.DefaultRegion's value, as package cfn takes it.
	Region string
	// Parameters are the values given by the user.
	Parameters map[string]string
	// Nested returns the template of an AWS::CloudFormation::Stack, nil when there is none to be had: the resource then stays as it
	// is. It tells of what is wrong itself. Nil: no nested stack is read.
	Nested func(stack *cfn.Value, id cfn.Entry) *cfn.Value
}

// Bounds of what one template is made of.
const (
	maxDepth  = 10
	maxStacks = 200
	maxValues = 500_000 // of the whole, what is used several times counted as often
)

const stackType = "AWS::CloudFormation::Stack"

// Link returns the one template. The error is cfn.Faults: circles, outputs and parameters that do not exist, values that a
// parameter does not allow. The template returned with it has gaps.
func Link(stacks []Stack, o Options) (*cfn.Value, error) {
	l := &linker{
		o: o, sections: map[string]*cfn.Value{}, taken: map[string]bool{}, sizes: map[*cfn.Value]int{},
		declared: map[string]*cfn.Value{},
	}
	for _, name := range []string{parameters, mappings, conditions, resources, outputs} {
		l.sections[name] = &cfn.Value{Kind: cfn.Map}
	}
	for i := range stacks {
		s := &scope{template: stacks[i].Template, prefix: stacks[i].Prefix, root: true}
		if name := stacks[i].Name; name != "" {
			s.name = cfn.TextOf(s.template.At(), name)
		}
		l.open(s, nil)
	}
	for _, s := range l.scopes {
		l.nameAll(s)
	}
	for _, s := range l.scopes {
		l.write(s)
	}
	whole := l.whole(stacks)
	whole = l.finish(whole)
	return whole, l.faults.Err()
}

// The sections that are linked.
const (
	parameters = "Parameters"
	mappings   = "Mappings"
	conditions = "Conditions"
	resources  = "Resources"
	outputs    = "Outputs"
)

type linker struct {
	o        Options
	scopes   []*scope
	sections map[string]*cfn.Value
	taken    map[string]bool       // logical IDs of the whole
	declared map[string]*cfn.Value // parameters of the whole
	sizes    map[*cfn.Value]int
	values   int
	full     bool
	exports  []export
	checks   []check
	faults   cfn.Faults
}

// export is what a stack offers to others.
type export struct {
	name  *cfn.Value // linked
	value func() *cfn.Value
}

// check is a value that a parameter of a nested stack is given.
type check struct {
	parameter *cfn.Parameter
	value     *cfn.Value // linked
}

// scope is one stack, nested or not, with what its names mean.
type scope struct {
	template *cfn.Value
	prefix   string
	root     bool       // deployed by itself
	name     *cfn.Value // of AWS::StackName, linked; nil: that of the whole
	parent   *scope
	self     cfn.Entry // the stack as a resource of the parent
	depth    int

	nested     map[string]*scope
	ids        map[string]string // of resources in the whole
	conditions map[string]string // likewise
	mappings   map[string]string // likewise
	condition  string            // of the whole, on which all of the stack depends; empty: none
	parameters map[string]*binding
	outputs    map[string]*binding
}

// binding is a name that stands for a value, linked when it is first used.
type binding struct {
	place  cfn.Place
	make   func() *cfn.Value
	value  *cfn.Value
	isList bool
	state  uint8 // 0: not made, 1: being made, 2: made
}

// open adds a stack and those nested in it, without linking anything.
func (l *linker) open(s *scope, files []string) {
	if len(l.scopes) >= maxStacks {
		if len(l.scopes) == maxStacks {
			l.faults.Addf(s.self.Place, "more than %d nested stacks", maxStacks)
		}
		return
	}
	l.scopes = append(l.scopes, s)
	s.nested = map[string]*scope{}
	if l.o.Nested == nil {
		return
	}
	files = append(slices.Clip(files), s.template.At().File)
	for _, r := range s.template.Get(resources).Entries() {
		if r.Value.Get("Type").Str() != stackType {
			continue
		}
		t := l.o.Nested(r.Value, r)
		if t == nil {
			continue
		}
		for i, f := range files {
			if f == t.At().File && f != "" {
				l.faults.Addf(r.Place, "nested stacks in a circle: %s", strings.Join(append(slices.Clip(files[i:]), f), " → "))
				t = nil
				break
			}
		}
		if t == nil {
			continue
		}
		if s.depth+1 >= maxDepth {
			l.faults.Addf(r.Place, "stacks are nested more than %d deep", maxDepth)
			continue
		}
		child := &scope{template: t, prefix: s.prefix + r.Key, parent: s, self: r, depth: s.depth + 1}
		child.name = cfn.Join(r.Place, "-", s.stackName(r.Place), cfn.TextOf(r.Place, r.Key))
		s.nested[r.Key] = child
		l.open(child, files)
	}
}

func (s *scope) stackName(at cfn.Place) *cfn.Value {
	if s.name != nil {
		return s.name
	}
	return cfn.Ref(at, "AWS::StackName")
}

// nameAll says what the names of a stack are in the whole. Parents come before their children.
func (l *linker) nameAll(s *scope) {
	s.ids, s.conditions, s.mappings = map[string]string{}, map[string]string{}, map[string]string{}
	for _, e := range s.template.Get(conditions).Entries() {
		s.conditions[e.Key] = l.unique(conditions, s.prefix+e.Key)
	}
	for _, e := range s.template.Get(mappings).Entries() {
		s.mappings[e.Key] = l.unique(mappings, s.prefix+e.Key)
	}
	for _, e := range s.template.Get(resources).Entries() {
		if s.nested[e.Key] == nil {
			s.ids[e.Key] = l.unique(resources, s.prefix+e.Key)
		}
	}
	if s.parent != nil {
		s.condition = l.both(s.parent, s.parent.condition, s.self.Value.Get("Condition"))
	}
	s.parameters, s.outputs = map[string]*binding{}, map[string]*binding{}
	l.bindParameters(s)
	for _, e := range s.template.Get(outputs).Entries() {
		s.outputs[e.Key] = &binding{place: e.Place, make: func() *cfn.Value { return l.value(s, e.Value.Get("Value")) }}
	}
}

// unique is a name that nothing else of a section has.
func (l *linker) unique(section, name string) string {
	free := name
	for i := 2; l.taken[section+"/"+free]; i++ {
		free = fmt.Sprint(name, i)
	}
	l.taken[section+"/"+free] = true
	return free
}

// both is a condition of the whole that holds when the outer one does and the stack's own: the name of either when the other
// is missing.
func (l *linker) both(s *scope, outer string, own *cfn.Value) string {
	if !own.Is(cfn.String) {
		return outer
	}
	inner, known := s.conditions[own.Text]
	switch {
	case !known:
		return own.Text // package cfn tells that there is none
	case outer == "":
		return inner
	}
	key := "both/" + outer + "/" + inner
	if made := l.declared[key]; made != nil {
		return made.Text
	}
	at := own.Place
	name := l.unique(conditions, inner+"In"+outer)
	l.declared[key] = cfn.TextOf(at, name)
	l.sections[conditions].Set(cfn.Entry{Key: name, Place: at, Value: cfn.MapOf(at, "Fn::And", cfn.ListOf(at,
		cfn.MapOf(at, "Condition", cfn.TextOf(at, outer)), cfn.MapOf(at, "Condition", cfn.TextOf(at, inner))))})
	return name
}

// bindParameters says what the parameters of a stack stand for.
func (l *linker) bindParameters(s *scope) {
	declared := readParameters(s.template)
	if s.root {
		for _, e := range s.template.Get(parameters).Entries() {
			l.declare(s, e)
		}
		return
	}
	given := s.self.Value.Path("Properties", parameters)
	for _, e := range given.Entries() {
		if declared[e.Key] == nil {
			l.faults.Addf(e.Place, "%s has no parameter %s: %s does not declare it", s.self.Key, e.Key, s.template.At().File)
		}
	}
	for _, e := range s.template.Get(parameters).Entries() {
		p := declared[e.Key]
		from, in := given.Get(e.Key), s.parent
		if from == nil {
			from, in = p.Default, s
		}
		if from == nil {
			l.faults.Addf(s.self.Place, "%s gives no value to the parameter %s, which %s declares without a default", s.self.Key, e.Key, p.Place)
			from = cfn.TextOf(s.self.Place, "")
		}
		b := &binding{place: from.At(), isList: p.IsList()}
		b.make = func() *cfn.Value {
			v := from
			if in != s {
				v = l.value(in, from)
			}
			l.checks = append(l.checks, check{p, v})
			return listOf(p, v, in.isList(from))
		}
		s.parameters[e.Key] = b
	}
}

func readParameters(template *cfn.Value) map[string]*cfn.Parameter {
	out := map[string]*cfn.Parameter{}
	for _, p := range cfn.ReadParameters(template) {
		out[p.Name] = p
	}
	return out
}

// listOf is the value of a parameter whose type is a list, given as text with commas or as a list.
func listOf(p *cfn.Parameter, v *cfn.Value, isList bool) *cfn.Value {
	if !p.IsList() || isList || v == nil {
		return v
	}
	if s, ok := v.Scalar(); ok {
		list := cfn.ListOf(v.Place)
		for item := range strings.SplitSeq(s, ",") {
			if s != "" {
				list.Items = append(list.Items, cfn.TextOf(v.Place, strings.TrimSpace(item)))
			}
		}
		return list
	}
	return cfn.MapOf(v.Place, "Fn::Split", cfn.ListOf(v.Place, cfn.TextOf(v.Place, ","), v))
}

// isList reports whether a value, as written in this stack, is a list rather than a text.
func (s *scope) isList(v *cfn.Value) bool {
	if !v.Is(cfn.Map) || len(v.Keys) != 1 {
		return v.Is(cfn.List)
	}
	switch arg := v.Keys[0].Value; v.Keys[0].Key {
	case "Ref":
		b := s.parameters[arg.Str()]
		return b != nil && b.isList
	case "Fn::Split", "Fn::GetAZs", "Fn::Cidr":
		return true
	case "Fn::If":
		return arg.Is(cfn.List) && len(arg.Items) == 3 && s.isList(arg.Items[1])
	}
	return false
}

// declare keeps a parameter of a stack as one of the whole. Stacks that declare the same share it.
func (l *linker) declare(s *scope, e cfn.Entry) {
	name := e.Key
	if before := l.declared[name]; before != nil && string(before.AppendJSON(nil)) != string(e.Value.AppendJSON(nil)) {
		name = s.prefix + name
	}
	if l.declared[name] == nil {
		l.declared[name] = e.Value
		l.sections[parameters].Set(cfn.Entry{Key: name, Place: e.Place, Value: e.Value})
	}
	isList := strings.Contains(e.Value.Get("Type").Str(), "List")
	s.parameters[e.Key] = &binding{place: e.Place, isList: isList, make: func() *cfn.Value { return cfn.Ref(e.Place, name) }}
}
