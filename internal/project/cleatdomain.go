package project

import (
	"fmt"

	"cleat/internal/blueprint"
	"cleat/internal/cfn"
)

// domainResources are the custom domain names that `domains` gives the stage, as the resources that they are in a
// template. A name has one mapping key, a list of them, or nothing: the root. api and stage are what the mappings lead
// to. Control checks names and keys.
func (s *short) domainResources(api, stage *cfn.Value) []cfn.Entry {
	t := blueprint.New()
	for _, e := range s.Entries(s.root.Get("domains"), "domains") {
		id := "CustomDomain" + blueprint.NormalRoute(e.Key)
		if t.Resources.Get(id) != nil {
			s.Faultf(e.Place, "domains: %s stands there twice", e.Key)
			continue
		}
		t.Add(e.Place, id, "AWS::ApiGatewayV2::DomainName", cfn.MapOf(e.Place,
			"DomainName", cfn.TextOf(e.Place, e.Key),
			"DomainNameConfigurations", cfn.ListOf(e.Place, cfn.MapOf(e.Place, "EndpointType", cfn.TextOf(e.Place, "REGIONAL")))))
		keys := []*cfn.Value{e.Value}
		if e.Value.Is(cfn.List) {
			keys = e.Value.Items
		}
		for i, v := range keys {
			at := v.At()
			if at.Line == 0 {
				at = e.Place
			}
			var key *cfn.Value
			if text, ok := s.Text(v, "domains: a mapping key of "+e.Key); ok {
				key = cfn.TextOf(at, text)
			}
			t.Add(at, fmt.Sprintf("%sMapping%d", id, i+1), "AWS::ApiGatewayV2::ApiMapping", cfn.MapOf(at,
				"DomainName", cfn.Ref(at, id), "ApiId", api, "Stage", stage, "ApiMappingKey", key))
		}
	}
	return t.Resources.Keys
}

// overlayDomains puts `domains` on top of a project of another form, which must have one stage for them to lead to.
func (s *short) overlayDomains(p *Project) {
	v := s.root.Get("domains")
	if v == nil || v.Kind == cfn.Null || p.Template == nil {
		return
	}
	id, found := onlyStage(p.Template)
	if id == "" {
		s.Faultf(v.Place, "domains needs a project with one stage, and %s has %d: give it AWS::ApiGatewayV2::DomainName and ApiMapping resources instead", p.File, found)
		return
	}
	api := p.Template.Path("Resources", id, "Properties", "ApiId")
	more := &cfn.Value{Kind: cfn.Map, Place: v.Place, Keys: s.domainResources(api, cfn.Ref(v.Place, id))}
	p.Template = cfn.Merge(p.Template, cfn.MapOf(v.Place, "Resources", more))
}

// onlyStage is the logical ID of the stage that settings on top of a project are for: the one of its kind, or of its API where
// there are others. It is "" when there is none or several; found says how many.
func onlyStage(template *cfn.Value) (id string, found int) {
	resources := template.Get("Resources")
	if resources.Get(blueprint.StageID) != nil {
		return blueprint.StageID, 1
	}
	for _, e := range resources.Entries() {
		if e.Value.Get("Type").Str() != stageType {
			continue
		}
		api := resources.Get(e.Value.Path("Properties", "ApiId", "Ref").Str())
		if api.Path("Properties", "ProtocolType").Str() != "HTTP" {
			id = e.Key
			found++
		}
	}
	if found != 1 {
		return "", found
	}
	return id, 1
}
