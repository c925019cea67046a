package project

import (
	"slices"
	"strings"

	"cleat/internal/cfn"
)

// templateSections are the sections of a template that `resources` may have besides Resources and Outputs.
var templateSections = []string{"Parameters", "Mappings", "Conditions", "Rules", "Transform", "Metadata", "Description", "AWSTemplateFormatVersion", "Hooks"}

// ownField reports whether Cleat gives a resource of that type effect, so that what it refers to counts.
func ownField(typ string) bool {
	return strings.HasPrefix(typ, "AWS::ApiGatewayV2::") || strings.HasPrefix(typ, "AWS::Lambda::") ||
		typ == "AWS::IAM::Role" || typ == "AWS::Logs::LogGroup"
}

// readResources puts the project's own resources over the generated ones, as the framework does: `resources` is a map or
// a list of maps, `extensions` changes generated resources.
func (s *service) readResources() {
	raw := s.r.get(s.root, "resources")
	if raw == nil || raw.Kind == cfn.Null {
		return
	}
	parts := []*cfn.Value{raw}
	if raw.Is(cfn.List) {
		parts = raw.Items
	}
	var extensions []cfn.Entry
	for _, part := range parts {
		part = s.r.reported(s.r.value(part))
		if part == nil || part.Kind == cfn.Null {
			continue
		}
		if !part.Is(cfn.Map) {
			s.faultf(part.Place, "resources must be a map with `Resources`, or a list of such maps, not %s", part.Kind)
			continue
		}
		for _, e := range part.Keys {
			switch {
			case e.Key == "Resources":
				s.mergeResources(s.r.reported(s.r.value(e.Value)))
			case e.Key == "extensions":
				extensions = append(extensions, s.entries(s.r.reported(s.r.value(e.Value)), "resources.extensions")...)
			case e.Key == "Outputs":
				s.r.leniently(func() { s.t.outputs = merged(s.t.outputs, s.mapOnly(s.r.deep(e.Value), "resources.Outputs")) })
			case slices.Contains(templateSections, e.Key):
				s.r.leniently(func() { e.Value = s.r.deep(e.Value) })
				s.mergeSection(e)
			default:
				s.faultf(e.Place, "resources has no section %q%s", e.Key, didYouMean(e.Key, append([]string{"Resources", "Outputs", "extensions"}, templateSections...)))
			}
		}
	}
	for _, e := range extensions {
		s.extend(e)
	}
}

func (s *service) mapOnly(v *cfn.Value, what string) *cfn.Value {
	if v.Is(cfn.Map) {
		return v
	}
	if v != nil && v.Kind != cfn.Null {
		s.faultf(v.Place, "%s must be a map, not %s", what, v.Kind)
	}
	return nil
}

func (s *service) mergeSection(e cfn.Entry) {
	for i := range s.t.others {
		if s.t.others[i].Key == e.Key {
			s.t.others[i].Value = merged(s.t.others[i].Value, e.Value)
			return
		}
	}
	s.t.others = append(s.t.others, e)
}

func (s *service) mergeResources(v *cfn.Value) {
	for _, e := range s.entries(v, "resources.Resources") {
		res := s.r.reported(s.r.value(e.Value))
		if s.r.isBroken(res) || res.Is(cfn.Null) {
			continue
		}
		if !res.Is(cfn.Map) {
			s.faultf(e.Place, "resource %s must be a map with `Type` and `Properties`, not %s", e.Key, kindOf(res))
			continue
		}
		typ, _ := s.text(s.r.get(res, "Type"), "resource "+e.Key+": Type")
		before := s.t.resources.Get(e.Key)
		if typ == "" && before == nil {
			s.faultf(e.Place, "resource %s has no `Type`, as in `Type: AWS::DynamoDB::Table`", e.Key)
			continue
		}
		if ownField(typ) || before != nil {
			res = s.r.deep(res)
		} else {
			s.r.leniently(func() { res = s.r.deep(res) })
		}
		e.Value = merged(before, res)
		s.t.resources = withKey(s.t.resources, e)
	}
}

func withKey(m *cfn.Value, e cfn.Entry) *cfn.Value {
	out := &cfn.Value{Kind: cfn.Map, Place: m.Place, Keys: slices.Clone(m.Keys)}
	set(out, e)
	return out
}

// extend applies one entry of resources.extensions.
func (s *service) extend(e cfn.Entry) {
	res := s.t.resources.Get(e.Key)
	if res == nil {
		var known []string
		for _, k := range s.t.resources.Keys {
			known = append(known, k.Key)
		}
		s.faultf(e.Place, "resources.extensions: there is no resource %s to extend%s", e.Key, didYouMeanOnly(e.Key, known))
		return
	}
	for _, a := range s.entries(s.r.reported(s.r.value(e.Value)), "extension "+e.Key) {
		v := s.r.deep(a.Value)
		switch a.Key {
		case "Properties", "Metadata":
			// One level, as the framework does it: a property given replaces the generated one.
			props := res.Get(a.Key)
			if props == nil {
				props = &cfn.Value{Kind: cfn.Map, Place: a.Place}
			}
			for _, p := range s.entries(v, "extension "+e.Key+"."+a.Key) {
				props = withKey(props, p)
			}
			v = props
		case "DependsOn":
			old := res.Get("DependsOn")
			if old.Is(cfn.String) {
				old = cfn.ListOf(old.Place, old)
			}
			all := &cfn.Value{Kind: cfn.List, Place: a.Place}
			if old != nil {
				all.Items = append(all.Items, old.Items...)
			}
			if v.Is(cfn.String) {
				v = cfn.ListOf(v.Place, v)
			}
			if v != nil {
				all.Items = append(all.Items, v.Items...)
			}
			v = all
		case "Condition", "CreationPolicy", "DeletionPolicy", "UpdatePolicy", "UpdateReplacePolicy":
		default:
			s.faultf(a.Place, "extension %s: %s cannot be extended%s", e.Key, a.Key,
				didYouMean(a.Key, []string{"Properties", "Metadata", "DependsOn", "Condition", "CreationPolicy", "DeletionPolicy", "UpdatePolicy", "UpdateReplacePolicy"}))
			continue
		}
		res = withKey(res, cfn.Entry{Key: a.Key, Place: a.Place, Value: v})
	}
	s.t.resources = withKey(s.t.resources, cfn.Entry{Key: e.Key, Place: e.Place, Value: res})
}
