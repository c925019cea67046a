package sam

import (
	"slices"
	"strings"

	"cleat/internal/cfn"
)

// Transform is the name by which a template asks for the expansion.
const Transform = "AWS::Serverless-2016-10-31"

const typePrefix = "AWS::Serverless::"

// Is reports whether a template is written for SAM.
func Is(template *cfn.Value) bool {
	t := template.Get("Transform")
	return t.Str() == Transform || t.Is(cfn.List) && slices.ContainsFunc(t.Items, func(v *cfn.Value) bool { return v.Str() == Transform })
}

// Result is an expanded template.
type Result struct {
	Template *cfn.Value
	// LeftAlone names what is given no effect: types of SAM, types of events.
	LeftAlone []string
	Warnings  cfn.Faults
}

// Expand makes plain CloudFormation of a template. text gives the value of what depends on nothing but parameters and
// mappings, with ok=false for anything else. The error is cfn.Faults; the template returned with it has gaps.
func Expand(template *cfn.Value, text func(*cfn.Value) (s string, ok bool)) (Result, error) {
	x := &expansion{text: text, resources: &cfn.Value{Kind: cfn.Map, Place: template.Get("Resources").At()}, renamed: map[string]string{}}
	x.readGlobals(template.Get("Globals"))
	for _, e := range template.Get("Resources").Entries() {
		x.resource(e)
	}
	x.warnOfSilence()
	out := &cfn.Value{Kind: cfn.Map, Place: template.At()}
	for _, e := range template.Entries() {
		switch e.Key {
		case "Globals":
			continue
		case "Transform":
			if e.Value = without(e.Value); e.Value == nil {
				continue
			}
		case "Resources":
			e.Value = x.resources
		}
		e.Value = x.rename(e.Value)
		out.Keys = append(out.Keys, e)
	}
	x.result.Template = out
	return x.result, x.faults.Err()
}

// without is a template's Transform without SAM's, nil when that is all.
func without(transform *cfn.Value) *cfn.Value {
	if !transform.Is(cfn.List) {
		return nil
	}
	out := &cfn.Value{Kind: cfn.List, Place: transform.Place}
	for _, item := range transform.Items {
		if item.Str() != Transform {
			out.Items = append(out.Items, item)
		}
	}
	if len(out.Items) == 0 {
		return nil
	}
	return out
}

type expansion struct {
	text      func(*cfn.Value) (string, bool)
	globals   map[string]*cfn.Value // by section
	resources *cfn.Value
	twoWay    []twoWay
	renamed   map[string]string // "Fn.Alias" is what SAM calls the resource "FnAliaslive"
	result    Result
	faults    cfn.Faults
}

func (x *expansion) leaveAlone(what string) {
	if !slices.Contains(x.result.LeftAlone, what) {
		x.result.LeftAlone = append(x.result.LeftAlone, what)
	}
}

// made is a resource of SAM being expanded.
type made struct {
	id    string
	place cfn.Place
	props *cfn.Value // with the globals
	raw   *cfn.Value // the resource as written
}

// has returns a property, nil when it is absent or null.
func (m *made) has(name string) *cfn.Value {
	if v := m.props.Get(name); v != nil && v.Kind != cfn.Null {
		return v
	}
	return nil
}

func (x *expansion) resource(e cfn.Entry) {
	typ := e.Value.Get("Type").Str()
	kind, ok := strings.CutPrefix(typ, typePrefix)
	if e.Value.Get("Connectors") != nil {
		x.leaveAlone(typePrefix + "Connector")
		e.Value = drop(e.Value, "Connectors")
	}
	if !ok {
		x.resources.Set(e)
		return
	}
	m := &made{id: e.Key, place: e.Place, raw: e.Value}
	m.props = x.withGlobals(kind, e)
	switch kind {
	case "Function":
		x.function(m)
	case "WebSocketApi":
		x.webSocketAPI(m)
	case "SimpleTable":
		x.simpleTable(m)
	case "Application":
		x.application(m)
	default:
		x.other(m, kind)
	}
}

// drop is a map without a key.
func drop(v *cfn.Value, key string) *cfn.Value {
	out := &cfn.Value{Kind: cfn.Map, Place: v.At()}
	for _, e := range v.Entries() {
		if e.Key != key {
			out.Keys = append(out.Keys, e)
		}
	}
	return out
}

// put adds the resource that stands for the one written, with the attributes that its author gave it.
func (x *expansion) put(m *made, typ string, properties *cfn.Value) {
	v := cfn.MapOf(m.place, "Type", cfn.TextOf(m.place, typ), "Properties", properties)
	for _, a := range m.raw.Entries() {
		if a.Key != "Type" && a.Key != "Properties" && a.Key != "IgnoreGlobals" {
			v.Keys = append(v.Keys, a)
		}
	}
	x.resources.Set(cfn.Entry{Key: m.id, Place: m.place, Value: v})
}

// generate adds a resource that nobody wrote. One that a condition governs has the condition of the resource it comes of.
func (x *expansion) generate(m *made, id, typ string, properties *cfn.Value, more ...any) {
	if x.resources.Get(id) != nil {
		return // shared by several, as implicit APIs are
	}
	v := cfn.MapOf(m.place, "Type", cfn.TextOf(m.place, typ), "Properties", properties, "Condition", m.raw.Get("Condition"),
		"Metadata", cfn.MapOf(m.place, "cleat", cfn.MapOf(m.place, "Generated", cfn.BoolOf(m.place, true))))
	v.Keys = append(v.Keys, cfn.MapOf(m.place, more...).Keys...)
	x.resources.Set(cfn.Entry{Key: id, Place: m.place, Value: v})
}

// checkKeys faults what SAM would refuse.
func (x *expansion) checkKeys(v *cfn.Value, what string, known []string) {
	for _, e := range v.Entries() {
		if !slices.Contains(known, e.Key) {
			x.faults.Addf(e.Place, "%s has no property %q: want some of %s", what, e.Key, strings.Join(known, ", "))
		}
	}
}

// rename is v with what SAM calls Fn.Alias, Api.Stage and so on named as it is in CloudFormation.
func (x *expansion) rename(v *cfn.Value) *cfn.Value {
	if v == nil || len(x.renamed) == 0 || v.Kind != cfn.List && v.Kind != cfn.Map {
		return v
	}
	out := &cfn.Value{Kind: v.Kind, Place: v.Place}
	for _, item := range v.Items {
		out.Items = append(out.Items, x.rename(item))
	}
	for _, e := range v.Keys {
		switch {
		case len(v.Keys) != 1:
			e.Value = x.rename(e.Value)
		case e.Key == "Ref" && x.renamed[e.Value.Str()] != "":
			e.Value = cfn.TextOf(e.Value.Place, x.renamed[e.Value.Text])
		case e.Key == "Fn::GetAtt":
			e.Value = x.renameAttribute(e.Value)
		case e.Key == "Fn::Sub":
			e.Value = x.renameText(x.rename(e.Value))
		default:
			e.Value = x.rename(e.Value)
		}
		out.Keys = append(out.Keys, e)
	}
	return out
}

// renameAttribute renames within the argument of Fn::GetAtt: [Fn, Alias.Arn] is of the resource Fn.Alias.
func (x *expansion) renameAttribute(arg *cfn.Value) *cfn.Value {
	whole := arg.Str()
	if arg.Is(cfn.List) && len(arg.Items) == 2 && arg.Items[0].Is(cfn.String) && arg.Items[1].Is(cfn.String) {
		whole = arg.Items[0].Text + "." + arg.Items[1].Text
	}
	if id, attribute, ok := x.renamedPrefix(whole); ok && attribute != "" {
		return cfn.ListOf(arg.Place, cfn.TextOf(arg.Place, id), cfn.TextOf(arg.Place, attribute))
	}
	return arg
}

// renamedPrefix splits "Fn.Alias.Arn" into the resource's name in CloudFormation and the attribute, which may be empty.
func (x *expansion) renamedPrefix(name string) (id, attribute string, ok bool) {
	first, rest, dotted := strings.Cut(name, ".")
	second, attribute, _ := strings.Cut(rest, ".")
	id = x.renamed[first+"."+second]
	return id, attribute, dotted && id != ""
}

func (x *expansion) renameText(arg *cfn.Value) *cfn.Value {
	text := arg
	if arg.Is(cfn.List) && len(arg.Items) > 0 {
		text = arg.Items[0]
	}
	rest := text.Str()
	var b strings.Builder
	for {
		before, after, found := strings.Cut(rest, "${")
		b.WriteString(before)
		name, next, closed := strings.Cut(after, "}")
		if !found || !closed {
			if found {
				b.WriteString("${" + after)
			}
			break
		}
		if id, attribute, ok := x.renamedPrefix(strings.TrimSpace(name)); ok {
			name = strings.TrimSuffix(id+"."+attribute, ".")
		}
		b.WriteString("${" + name + "}")
		rest = next
	}
	if !text.Is(cfn.String) || b.String() == text.Text {
		return arg
	}
	renamed := cfn.TextOf(text.Place, b.String())
	if text == arg {
		return renamed
	}
	return cfn.ListOf(arg.Place, append([]*cfn.Value{renamed}, arg.Items[1:]...)...)
}
