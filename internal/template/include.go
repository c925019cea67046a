package template

import (
	"path/filepath"
	"strings"

	"cleat/internal/cfn"
)

const includeMacro = "AWS::Include"

// include puts in what the macro AWS::Include names: in place of Fn::Transform wherever it stands, and for the whole
// template in its Transform section.
func (r *Reader) include(t *cfn.Value, dir string) *cfn.Value {
	transform := t.Get("Transform")
	macros := []*cfn.Value{transform}
	if transform.Is(cfn.List) {
		macros = transform.Items
	}
	rest := &cfn.Value{Kind: cfn.List, Place: transform.At()}
	for _, m := range macros {
		if m.Get("Name").Str() != includeMacro {
			if m != nil {
				rest.Items = append(rest.Items, m)
			}
			continue
		}
		if more := r.included(m, dir); more != nil {
			t = cfn.Merge(more, t)
		}
	}
	if transform != nil {
		t = t.With(cfn.Entry{Key: "Transform", Place: transform.Place, Value: rest})
	}
	return r.includeWithin(t, dir)
}

func (r *Reader) includeWithin(v *cfn.Value, dir string) *cfn.Value {
	if v == nil || v.Kind != cfn.List && v.Kind != cfn.Map {
		return v
	}
	out := &cfn.Value{Kind: v.Kind, Place: v.Place}
	for _, item := range v.Items {
		out.Items = append(out.Items, r.includeWithin(item, dir))
	}
	for _, e := range v.Keys {
		if e.Key != "Fn::Transform" || e.Value.Get("Name").Str() != includeMacro {
			e.Value = r.includeWithin(e.Value, dir)
			out.Set(e)
			continue
		}
		more := r.included(e.Value, dir)
		if more != nil && !more.Is(cfn.Map) && len(v.Keys) == 1 {
			return more
		}
		for _, m := range more.Entries() {
			if v.Get(m.Key) == nil {
				out.Set(m)
			}
		}
	}
	return out
}

// included is the content of an include's file, nil when it cannot be had. It is not looked through for further includes, as on AWS.
func (r *Reader) included(macro *cfn.Value, dir string) *cfn.Value {
	location := macro.Path("Parameters", "Location")
	name, ok := location.Scalar()
	switch {
	case !ok:
		r.Faultf(macro.At(), "%s needs Parameters.Location, the path of a file, as text", includeMacro)
		return nil
	case strings.Contains(name, "://"):
		r.Warnf(location.Place, "%s is not a file of this machine, so what it includes is missing", name)
		return nil
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, filepath.FromSlash(name))
	}
	return r.ParseNamed(cfn.TextOf(location.Place, name))
}
