package serverless

import (
	"slices"
	"strings"

	"cleat/internal/cfn"
	"cleat/internal/input"
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
	raw := s.r.Get(s.root, "resources")
	if raw == nil || raw.Kind == cfn.Null {
		return
	}
	parts := []*cfn.Value{raw}
	if raw.Is(cfn.List) {
		parts = raw.Items
	}
	var extensions []cfn.Entry
	for _, part := range parts {
		part = s.r.Reported(s.r.Value(part))
		if part == nil || part.Kind == cfn.Null {
			continue
		}
		if !part.Is(cfn.Map) {
			s.Faultf(part.Place, "resources must be a map with `Resources`, or a list of such maps, not %s", part.Kind)
			continue
		}
		for _, e := range part.Keys {
			switch {
			case e.Key == "Resources":
				s.mergeResources(s.r.Reported(s.r.Value(e.Value)))
			case e.Key == "extensions":
				extensions = append(extensions, s.entries(s.r.Reported(s.r.Value(e.Value)), "resources.extensions")...)
			case e.Key == "Outputs":
				s.r.Leniently(func() { s.t.Outputs = cfn.Merge(s.t.Outputs, s.mapOnly(s.r.Deep(e.Value), "resources.Outputs")) })
			case slices.Contains(templateSections, e.Key):
				s.r.Leniently(func() { e.Value = s.r.Deep(e.Value) })
				s.mergeSection(e)
			default:
				s.Faultf(e.Place, "resources has no section %q%s", e.Key, input.Suggest(e.Key, append([]string{"Resources", "Outputs", "extensions"}, templateSections...)))
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
		s.Faultf(v.Place, "%s must be a map, not %s", what, v.Kind)
	}
	return nil
}

func (s *service) mergeSection(e cfn.Entry) {
	for i := range s.t.Others {
		if s.t.Others[i].Key == e.Key {
			s.t.Others[i].Value = cfn.Merge(s.t.Others[i].Value, e.Value)
			return
		}
	}
	s.t.Others = append(s.t.Others, e)
}

func (s *service) mergeResources(v *cfn.Value) {
	for _, e := range s.entries(v, "resources.Resources") {
		res := s.r.Reported(s.r.Value(e.Value))
		if s.r.IsBroken(res) || res.Is(cfn.Null) {
			continue
		}
		if !res.Is(cfn.Map) {
			s.Faultf(e.Place, "resource %s must be a map with `Type` and `Properties`, not %s", e.Key, input.KindOf(res))
			continue
		}
		typ, _ := s.Text(s.r.Get(res, "Type"), "resource "+e.Key+": Type")
		before := s.t.Resources.Get(e.Key)
		if typ == "" && before == nil {
			s.Faultf(e.Place, "resource %s has no `Type`, as in `Type: AWS::DynamoDB::Table`", e.Key)
			continue
		}
		if ownField(typ) || before != nil {
			res = s.r.Deep(res)
		} else {
			s.r.Leniently(func() { res = s.r.Deep(res) })
		}
		e.Value = cfn.Merge(before, res)
		s.t.Resources = s.t.Resources.With(e)
	}
}

// extend applies one entry of resources.extensions.
func (s *service) extend(e cfn.Entry) {
	res := s.t.Resources.Get(e.Key)
	if res == nil {
		var known []string
		for _, k := range s.t.Resources.Keys {
			known = append(known, k.Key)
		}
		s.Faultf(e.Place, "resources.extensions: there is no resource %s to extend%s", e.Key, input.DidYouMean(e.Key, known))
		return
	}
	for _, a := range s.entries(s.r.Reported(s.r.Value(e.Value)), "extension "+e.Key) {
		v := s.r.Deep(a.Value)
		switch a.Key {
		case "Properties", "Metadata":
			// One level, as the framework does it: a property given replaces the generated one.
			props := res.Get(a.Key)
			if props == nil {
				props = &cfn.Value{Kind: cfn.Map, Place: a.Place}
			}
			for _, p := range s.entries(v, "extension "+e.Key+"."+a.Key) {
				props = props.With(p)
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
			s.Faultf(a.Place, "extension %s: %s cannot be extended%s", e.Key, a.Key,
				input.Suggest(a.Key, []string{"Properties", "Metadata", "DependsOn", "Condition", "CreationPolicy", "DeletionPolicy", "UpdatePolicy", "UpdateReplacePolicy"}))
			continue
		}
		res = res.With(cfn.Entry{Key: a.Key, Place: a.Place, Value: v})
	}
	s.t.Resources = s.t.Resources.With(cfn.Entry{Key: e.Key, Place: e.Place, Value: res})
}
