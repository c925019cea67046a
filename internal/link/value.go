package link

import (
	"strings"

	"cleat/internal/cfn"
)

// use is what a binding stands for; what names it for the fault of a circle.
func (l *linker) use(b *binding, at cfn.Place, what string) *cfn.Value {
	switch b.state {
	case 1:
		l.faults.Addf(at, "%s depends on itself", what)
		return cfn.TextOf(at, "")
	case 0:
		b.state = 1
		b.value = b.make()
		b.state = 2
	}
	l.spend(at, l.size(b.value))
	if l.full {
		return cfn.TextOf(at, "")
	}
	return b.value
}

// size is the number of values that a value would be if nothing were shared.
func (l *linker) size(v *cfn.Value) int {
	if v == nil {
		return 0
	}
	if n := l.sizes[v]; n > 0 {
		return n
	}
	n := 1
	for _, item := range v.Items {
		n = min(n+l.size(item), maxValues+1)
	}
	for _, e := range v.Keys {
		n = min(n+l.size(e.Value), maxValues+1)
	}
	l.sizes[v] = n
	return n
}

func (l *linker) spend(at cfn.Place, n int) {
	if l.values += n; l.values > maxValues && !l.full {
		l.full = true
		l.faults.Addf(at, "too large: the stacks together have more than %d values", maxValues)
	}
}

// value is a value of a stack in terms of the whole.
func (l *linker) value(s *scope, v *cfn.Value) *cfn.Value {
	if v == nil || l.full {
		return v
	}
	l.spend(v.Place, 1)
	switch v.Kind {
	case cfn.List:
		out := &cfn.Value{Kind: cfn.List, Place: v.Place}
		for _, item := range v.Items {
			out.Items = append(out.Items, l.value(s, item))
		}
		return out
	case cfn.Map:
		if made := l.function(s, v); made != nil {
			return made
		}
		out := &cfn.Value{Kind: cfn.Map, Place: v.Place}
		for _, e := range v.Keys {
			e.Value = l.value(s, e.Value)
			out.Keys = append(out.Keys, e)
		}
		return out
	default:
		return v
	}
}

// function is what a function that names something of its stack becomes, nil for any other value.
func (l *linker) function(s *scope, v *cfn.Value) *cfn.Value {
	if len(v.Keys) != 1 {
		return nil
	}
	arg, at := v.Keys[0].Value, v.Place
	switch v.Keys[0].Key {
	case "Ref":
		if arg.Is(cfn.String) {
			return l.ref(s, arg.Text, at)
		}
	case "Fn::GetAtt":
		return l.getAtt(s, arg, at)
	case "Fn::Sub":
		return l.sub(s, arg, at)
	case "Fn::If":
		if arg.Is(cfn.List) && len(arg.Items) == 3 && arg.Items[0].Is(cfn.String) {
			name := cfn.TextOf(arg.Items[0].Place, l.conditionName(s, arg.Items[0].Text))
			return cfn.MapOf(at, "Fn::If", cfn.ListOf(arg.Place, name, l.branch(s, arg.Items[1]), l.branch(s, arg.Items[2])))
		}
	case "Fn::FindInMap":
		return l.findInMap(s, arg, at)
	}
	return nil
}

// branch is a branch of an Fn::If: one that is missing stays so.
func (l *linker) branch(s *scope, v *cfn.Value) *cfn.Value {
	if v = l.value(s, v); v != nil {
		return v
	}
	return &cfn.Value{}
}

func (l *linker) conditionName(s *scope, name string) string {
	if whole, ok := s.conditions[name]; ok {
		return whole
	}
	return name // package cfn tells that there is none
}

// condition is a condition's expression in terms of the whole.
func (l *linker) condition(s *scope, v *cfn.Value) *cfn.Value {
	if v.Is(cfn.Map) && len(v.Keys) == 1 {
		arg := v.Keys[0].Value
		switch v.Keys[0].Key {
		case "Condition":
			if arg.Is(cfn.String) {
				return cfn.MapOf(v.Place, "Condition", cfn.TextOf(arg.Place, l.conditionName(s, arg.Text)))
			}
		case "Fn::And", "Fn::Or", "Fn::Not":
			if arg.Is(cfn.List) {
				list := cfn.ListOf(arg.Place)
				for _, item := range arg.Items {
					list.Items = append(list.Items, l.condition(s, item))
				}
				return cfn.MapOf(v.Place, v.Keys[0].Key, list)
			}
		}
	}
	return l.value(s, v)
}

func (l *linker) ref(s *scope, name string, at cfn.Place) *cfn.Value {
	switch {
	case name == "AWS::StackName" && s.name != nil:
		return s.name
	case name == "AWS::StackId" && s.name != nil:
		return stackARN(at, s.name)
	}
	if b := s.parameters[name]; b != nil {
		return l.use(b, at, "parameter "+name)
	}
	if child := s.nested[name]; child != nil {
		return stackARN(at, child.name)
	}
	if id, ok := s.ids[name]; ok {
		name = id
	}
	return cfn.Ref(at, name)
}

// stackARN is what stands for the ARN of a stack that became part of the whole.
func stackARN(at cfn.Place, name *cfn.Value) *cfn.Value {
	return cfn.Sub(at, "arn:${AWS::Partition}:cloudformation:${AWS::Region}:${AWS::AccountId}:stack/${name}/00000000-0000-4000-8000-000000000000",
		cfn.MapOf(at, "name", name))
}

func (l *linker) getAtt(s *scope, arg *cfn.Value, at cfn.Place) *cfn.Value {
	id, attribute, ok := strings.Cut(arg.Str(), ".")
	rest := (*cfn.Value)(nil) // an attribute that is made
	if arg.Is(cfn.List) && len(arg.Items) == 2 && arg.Items[0].Is(cfn.String) {
		id = arg.Items[0].Text
		if attribute, ok = arg.Items[1].Scalar(); !ok {
			rest, ok = l.value(s, arg.Items[1]), true
		}
	}
	if !ok {
		return nil
	}
	if child := s.nested[id]; child != nil {
		return l.output(child, attribute, at)
	}
	if whole := s.ids[id]; whole != "" {
		id = whole
	}
	if rest != nil {
		return cfn.MapOf(at, "Fn::GetAtt", cfn.ListOf(at, cfn.TextOf(at, id), rest))
	}
	return cfn.GetAtt(at, id, attribute)
}

// output is Fn::GetAtt of a nested stack.
func (l *linker) output(child *scope, attribute string, at cfn.Place) *cfn.Value {
	name, ok := strings.CutPrefix(attribute, "Outputs.")
	if !ok {
		l.faults.Addf(at, "the nested stack %s has no attribute %q: want Outputs.NAME", child.self.Key, attribute)
		return cfn.TextOf(at, "")
	}
	b := child.outputs[name]
	if b == nil {
		l.faults.Addf(at, "the nested stack %s has no output %s: %s does not declare it", child.self.Key, name, child.template.At().File)
		return cfn.TextOf(at, "")
	}
	return l.use(b, at, "output "+name+" of "+child.self.Key)
}

// sub renames what a text refers to, and makes variables of what is no name any more.
func (l *linker) sub(s *scope, arg *cfn.Value, at cfn.Place) *cfn.Value {
	text, own := arg, (*cfn.Value)(nil)
	if arg.Is(cfn.List) && len(arg.Items) == 2 {
		text, own = arg.Items[0], arg.Items[1]
	}
	rest, ok := text.Scalar()
	if !ok {
		return nil
	}
	variables := &cfn.Value{Kind: cfn.Map, Place: at}
	for _, e := range own.Entries() {
		e.Value = l.value(s, e.Value)
		variables.Keys = append(variables.Keys, e)
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(rest, "${")
		b.WriteString(before)
		if !found {
			break
		}
		name, next, closed := strings.Cut(after, "}")
		if !closed {
			b.WriteString("${" + after)
			break
		}
		rest = next
		trimmed := strings.TrimSpace(name)
		if strings.HasPrefix(name, "!") || own.Get(trimmed) != nil {
			b.WriteString("${" + name + "}")
			continue
		}
		id, attribute, dotted := strings.Cut(trimmed, ".")
		var v *cfn.Value
		if dotted {
			v = l.getAtt(s, cfn.ListOf(at, cfn.TextOf(at, id), cfn.TextOf(at, attribute)), at)
		} else {
			v = l.ref(s, trimmed, at)
		}
		b.WriteString("${" + l.variable(trimmed, v, variables) + "}")
	}
	if len(variables.Keys) == 0 {
		return cfn.Sub(at, b.String(), nil)
	}
	return cfn.Sub(at, b.String(), variables)
}

// variable is what ${name} becomes: the new name of what v refers to, or a variable whose value v is.
func (l *linker) variable(name string, v, variables *cfn.Value) string {
	if v.Is(cfn.Map) && len(v.Keys) == 1 {
		arg := v.Keys[0].Value
		switch {
		case v.Keys[0].Key == "Ref" && variables.Get(arg.Str()) == nil:
			return arg.Str()
		case v.Keys[0].Key == "Fn::GetAtt" && arg.Items[1].Is(cfn.String):
			return arg.Items[0].Text + "." + arg.Items[1].Text
		}
	}
	variables.Set(cfn.Entry{Key: name, Place: v.At(), Value: v})
	return name
}

func (l *linker) findInMap(s *scope, arg *cfn.Value, at cfn.Place) *cfn.Value {
	if !arg.Is(cfn.List) || len(arg.Items) < 3 {
		return nil
	}
	list := cfn.ListOf(arg.Place)
	for i, item := range arg.Items {
		switch name, known := s.mappings[item.Str()]; {
		case i == 0 && known:
			item = cfn.TextOf(item.Place, name)
		case i == 0 && s.prefix != "" && item.Is(cfn.Map):
			item = cfn.Join(at, "", cfn.TextOf(at, s.prefix), l.value(s, item))
		default:
			item = l.value(s, item)
		}
		list.Items = append(list.Items, item)
	}
	return cfn.MapOf(at, "Fn::FindInMap", list)
}
