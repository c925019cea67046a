package cfn

import (
	"regexp"
	"slices"
	"strings"
)

// loopPrefix begins the key of a loop: "Fn::ForEach::Name".
const loopPrefix = "Fn::ForEach"

// ExpandLoops writes out the loops of a template, Fn::ForEach of the transform AWS::LanguageExtensions, wherever they stand. The
// collections may refer to the template's parameters and mappings. A template without loops is returned as it is. The
// error is Faults.
func ExpandLoops(template *Value, parameters map[string]string) (*Value, error) {
	if !hasLoops(template) {
		return template, nil
	}
	view := &Template{Value: template, Mappings: template.Get("Mappings")}
	var faults Faults
	for _, p := range template.Get("Parameters").Entries() {
		view.addParameter(p, &faults)
	}
	env := Env{Parameters: parameters}
	env.setDefaults()
	e := &Evaluator{template: view, env: env, parameters: map[string]*Value{}, unknown: map[string]string{}}
	e.setParameters()
	e.faults = append(faults, e.faults...)
	l := loops{e: e}
	return l.expand(template), e.take()
}

func hasLoops(v *Value) bool {
	return v != nil && (slices.ContainsFunc(v.Items, hasLoops) || slices.ContainsFunc(v.Keys, func(e Entry) bool {
		return strings.HasPrefix(e.Key, loopPrefix) || hasLoops(e.Value)
	}))
}

// loops is one expansion.
type loops struct {
	e      *Evaluator
	budget budget
}

func (l *loops) expand(v *Value) *Value {
	if v == nil {
		return nil
	}
	if l.budget.exceeded || !l.budget.spend(0) {
		l.budget.fault(&l.e.faults, v.Place)
		return &Value{Place: v.Place}
	}
	switch v.Kind {
	case List:
		out := &Value{Kind: List, Place: v.Place}
		for _, item := range v.Items {
			out.Items = append(out.Items, l.expand(item))
		}
		return out
	case Map:
		out := &Value{Kind: Map, Place: v.Place}
		seen, told := map[string]bool{}, map[string]bool{}
		for _, entry := range v.Keys {
			made := []Entry{{entry.Key, entry.Place, nil}}
			if strings.HasPrefix(entry.Key, loopPrefix) {
				made = l.loop(entry)
			} else {
				made[0].Value = l.expand(entry.Value)
			}
			for _, m := range made {
				if seen[m.Key] {
					if told[m.Key] {
						continue // a loop may give it thousands of times
					}
					told[m.Key] = true
					l.e.faults.Addf(entry.Place, "%q is given twice: by %s and before it", m.Key, entry.Key)
					continue
				}
				seen[m.Key] = true
				out.Keys = append(out.Keys, m)
			}
		}
		return out
	default:
		return v
	}
}

// loop is what one Fn::ForEach comes to: the entries of its body, once for each item of the collection.
func (l *loops) loop(entry Entry) []Entry {
	const want = "%s wants [Identifier, [items…], {Key${Identifier}: value}]"
	args := entry.Value
	if !args.Is(List) || len(args.Items) != 3 || !args.Items[0].Is(String) || !args.Items[2].Is(Map) {
		l.e.faults.Addf(entry.Place, want, entry.Key)
		return nil
	}
	items, ok := l.e.list(args.Items[1], entry.Place, entry.Key)
	if !ok {
		return nil
	}
	var made []Entry
	for _, item := range items {
		s, ok := item.Scalar()
		if !ok {
			l.e.faults.Addf(item.At(), "%s: the items must be texts", entry.Key)
			return nil
		}
		if l.budget.exceeded {
			break
		}
		made = append(made, l.expand(substitute(args.Items[2], args.Items[0].Text, s)).Entries()...)
	}
	return made
}

var notInLogicalID = regexp.MustCompile(`[^A-Za-z0-9]`)

// substitute is v with a loop's identifier replaced by an item: ${identifier} in keys and texts, &{identifier} without what
// a logical ID may not have, and references to it.
func substitute(v *Value, identifier, item string) *Value {
	plain := strings.NewReplacer("${"+identifier+"}", item, "&{"+identifier+"}", notInLogicalID.ReplaceAllString(item, ""))
	var walk func(v *Value) *Value
	walk = func(v *Value) *Value {
		if v == nil {
			return nil
		}
		out := &Value{Kind: v.Kind, Text: v.Text, Place: v.Place}
		if v.Kind == String {
			out.Text = plain.Replace(v.Text)
		}
		for _, i := range v.Items {
			out.Items = append(out.Items, walk(i))
		}
		for _, e := range v.Keys {
			out.Keys = append(out.Keys, Entry{plain.Replace(e.Key), e.Place, walk(e.Value)})
		}
		f, ok := intrinsic(out)
		switch {
		case ok && f.Key == refFunction && f.Value.Str() == identifier:
			return TextOf(v.Place, item)
		case ok && f.Key == subFunction && f.Value.Is(String) && !strings.Contains(f.Value.Text, "${"):
			return f.Value // so that it may name a resource, as in !GetAtt [!Sub "Topic${x}", Arn]
		}
		return out
	}
	return walk(v)
}
