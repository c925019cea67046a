package stacks

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/cfn"
	"cleat/internal/draft"
	"cleat/internal/store"
)

// The resources of a template that belong to no API.
const (
	typeDomainName = apiGateway + "DomainName"
	typeMapping    = apiGateway + "ApiMapping"
)

// mapped is one AWS::ApiGatewayV2::ApiMapping of the template.
type mapped struct {
	r       *cfn.Resource
	mapping apigw.APIMapping
	decoded bool
	foreign bool // it leads to an HTTP or a REST API
}

// addDomains takes in the template's custom domain names and API mappings, once its APIs have their stages.
func (a *application) addDomains(ctx context.Context, resources []*cfn.Resource) error {
	a.domains.Forget(a.before())
	all := a.readMappings(resources)
	for _, r := range resources {
		if r.Type == typeDomainName {
			a.takeDomainName(r, all)
		}
	}
	for i := range all {
		if m := &all[i]; m.foreign {
			a.left[typeMapping+" (HTTP)"]++
		} else if err := a.takeMapping(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// readMappings reads the API mappings of a template.
func (a *application) readMappings(resources []*cfn.Resource) []mapped {
	var all []mapped
	for _, r := range resources {
		if r.Type != typeMapping {
			continue
		}
		m := mapped{r: r, mapping: apigw.APIMapping{APIMappingID: a.idOf(r)}}
		checkProperties(r, resourceTypes["ApiMapping"], &a.faults)
		m.decoded = a.decode(r, "ApiMapping", &m.mapping)
		m.mapping.DomainName = strings.ToLower(m.mapping.DomainName)
		m.foreign = a.foreign[string(m.mapping.APIID)]
		all = append(all, m)
	}
	return all
}

// takeDomainName takes in one custom domain name, unless it is one of other kinds of APIs only.
func (a *application) takeDomainName(r *cfn.Resource, all []mapped) {
	if name, ok := a.evaluate(r.Properties.Get("DomainName")); ok {
		ours, theirs := 0, 0
		for i := range all {
			switch m := &all[i]; {
			case m.mapping.DomainName != strings.ToLower(name.Str()):
			case m.foreign:
				theirs++
			default:
				ours++
			}
		}
		switch {
		case theirs > 0 && ours == 0:
			a.left[r.Type+" (HTTP)"]++
			return
		case theirs > 0:
			a.faults.Addf(r.Place, "%s: one domain name cannot lead to WebSocket APIs and to HTTP or REST APIs", r.LogicalID)
		}
	}
	checkProperties(r, resourceTypes["DomainName"], &a.faults)
	var n apigw.DomainName
	ok := a.decode(r, "DomainName", &n)
	if r.Properties.Get("MutualTlsAuthentication") != nil {
		a.faults.Addf(a.placeOf(r, "MutualTlsAuthentication"), "%s: mutual TLS is not available for WebSocket APIs", r.LogicalID)
	}
	n.DomainNameARN = awsapi.DomainNameARN(a.stack.Region, strings.ToLower(n.DomainName))
	for i := range n.DomainNameConfigurations {
		n.DomainNameConfigurations[i].APIGatewayDomainName = a.fill(r, regionalDomainName, "")
		n.DomainNameConfigurations[i].HostedZoneID = a.fill(r, regionalHostedZone, "")
	}
	a.reportIf(ok, r, a.domains.PutName(n))
	a.own(r.LogicalID, domainKey(n.DomainName))
}

// domainKey is the key in the store of a custom domain name.
func domainKey(name string) string {
	return store.DomainNames().Key(store.DomainKey(strings.ToLower(name))).String()
}

// takeMapping takes in one API mapping.
func (a *application) takeMapping(ctx context.Context, m *mapped) error {
	r, v := m.r, m.mapping
	for _, required := range []string{"ApiId", "DomainName", "Stage"} {
		if r.Properties.Get(required) == nil {
			a.faults.Addf(r.Place, "%s: %s is required", r.LogicalID, required)
			m.decoded = false
		}
	}
	if !m.decoded {
		return nil
	}
	if v.DomainName != "" && a.domains.Get(v.DomainName) == nil {
		a.assumeDomainName(r, v.DomainName)
	}
	d, err := a.draft(ctx, v.APIID)
	var api *store.Tree
	switch {
	case err == nil:
		api = &d.Now
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	p := a.domains.PutMapping(v, api)
	a.report(r, p)
	if len(p) == 0 && a.domains.Changed(&v) {
		d.Touch()
	}
	if apigw.IsHealthCheck(v.APIMappingKey) {
		a.warnings.Addf(a.placeOf(r, "ApiMappingKey"), "%s: /%s answers health checks on every custom domain name: nobody reaches the API by it", r.LogicalID, v.APIMappingKey)
	}
	a.own(r.LogicalID, store.APIMappings(v.DomainName).Key(v.APIMappingID).String())
	return nil
}

// assumeDomainName makes a domain name that the template only refers to. On AWS another stack, another tool or somebody
// by hand has made it.
func (a *application) assumeDomainName(r *cfn.Resource, name string) {
	at := a.placeOf(r, "DomainName")
	p := a.domains.PutName(apigw.DomainName{
		DomainName: name, DomainNameARN: awsapi.DomainNameARN(a.stack.Region, name),
		DomainNameConfigurations: []apigw.DomainNameConfiguration{{
			APIGatewayDomainName: a.fill(r, regionalDomainName, ""), HostedZoneID: a.fill(r, regionalHostedZone, ""),
		}},
	})
	for _, one := range p.Held(a.unlimited) {
		a.faults.Addf(at, "%s: %s", r.LogicalID, one.Err.Message)
	}
	a.own(r.LogicalID+"/DomainName", domainKey(name))
	a.warnings.Addf(at, "%s: the domain name %s is not defined in this template: it is taken to be there", r.LogicalID, name)
}

// checkMappings finds mappings of others whose API or stage is about to go.
func (a *application) checkMappings() {
	wanted := a.wanted()
	report := func(p draft.Problems) {
		for _, one := range p {
			a.faults.Addf(cfn.Place{}, "%s", one.Err.Message)
		}
	}
	for _, logicalID := range slices.Sorted(maps.Keys(a.record.Resources)) {
		key := a.record.Resources[logicalID]
		parts := strings.Split(key, "/")
		if parts[0] != "apis" || slices.Contains(wanted, key) {
			continue
		}
		switch api := apigw.APIID(parts[1]); {
		case len(parts) == 2:
			report(a.domains.Removable(api, ""))
		case parts[2] == "stages" && slices.Contains(wanted, "apis/"+parts[1]):
			report(a.domains.Removable(api, parts[3]))
		}
	}
}
