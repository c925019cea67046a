package draft

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/store"
)

// Domains are the draft of the node's custom domain names. They belong to no API, so they are no part of an API's draft.
type Domains struct {
	byName map[string]*Domain // those that are to go too
}

// Domain is one custom domain name.
type Domain struct {
	Name     apigw.DomainName   // as it is to become
	Mappings []apigw.APIMapping // that lead from it to APIs, as they are to become, ordered by ID

	before *store.Domain // as the store has it; nil: new
	exists bool          // whether it is to be there in the end
}

func mappingID(m *apigw.APIMapping) string { return m.APIMappingID }

// LoadDomains returns the draft of the custom domain names that a store holds.
func LoadDomains(ctx context.Context, s *store.Store) (*Domains, error) {
	all, err := s.Domains(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the custom domain names: %w", err)
	}
	ds := &Domains{map[string]*Domain{}}
	for i := range all {
		d := &all[i]
		ds.byName[d.Name.DomainName] = &Domain{before: d, exists: true, Name: d.Name, Mappings: slices.Clone(d.Mappings)}
	}
	return ds, nil
}

// All returns the names that are to be there, in order.
func (ds *Domains) All() []*Domain {
	var out []*Domain
	for _, name := range slices.Sorted(maps.Keys(ds.byName)) {
		if d := ds.byName[name]; d.exists {
			out = append(out, d)
		}
	}
	return out
}

// Get returns a name that is to be there, in letters of either case; nil when there is none.
func (ds *Domains) Get(name string) *Domain {
	if d := ds.byName[strings.ToLower(name)]; d != nil && d.exists {
		return d
	}
	return nil
}

// Drop removes a name with its mappings, whoever made them, unless it is put in again. One that is not there is no problem.
func (ds *Domains) Drop(name string) {
	if d := ds.Get(name); d != nil {
		d.exists = false
	}
}

// Mapping returns one of the mappings, nil when there is none of that ID. It is good until the draft changes.
func (d *Domain) Mapping(id string) *apigw.APIMapping { return find(d.Mappings, mappingID, id) }

// DropMapping removes a mapping. One that is not there is no problem.
func (d *Domain) DropMapping(id string) {
	drop(&d.Mappings, func(m *apigw.APIMapping) bool { return m.APIMappingID == id })
}

// Forget removes everything whose key in the store is among those given.
func (ds *Domains) Forget(keys map[string]bool) {
	for name, d := range ds.byName {
		forgetIn(&d.Mappings, store.APIMappings(name), mappingID, keys)
		if keys[domainKey(name).String()] {
			d.exists = false
		}
	}
}

func domainKey(name string) store.Key[apigw.DomainName] {
	return store.DomainNames().Key(store.DomainKey(name))
}

// Write adds to a batch what changed, and with a mapping its domain: who else changes the domain at the same time will
// conflict. With a name its mappings go, whoever made them.
func (ds *Domains) Write(b *store.Batch) {
	for _, name := range slices.Sorted(maps.Keys(ds.byName)) {
		d := ds.byName[name]
		var before store.Domain
		expect := store.Absent()
		if d.before != nil {
			before, expect = *d.before, store.At(d.before.Revision)
		}
		key := domainKey(name)
		switch n := b.Len(); {
		case d.exists:
			writeDiff(b, store.APIMappings(name), mappingID, before.Mappings, d.Mappings)
			if b.Len() > n || d.before == nil || !store.Equal(before.Name, d.Name) {
				store.Put(b, key, d.Name, expect)
			}
		case d.before != nil:
			writeDiff(b, store.APIMappings(name), mappingID, before.Mappings, nil)
			store.Delete(b, key, expect)
		}
	}
}

// MappingsOf returns the mappings that lead to an API, and to one stage of it unless that is empty.
func (ds *Domains) MappingsOf(api apigw.APIID, stage string) []apigw.APIMapping {
	var out []apigw.APIMapping
	for _, d := range ds.All() {
		for _, m := range d.Mappings {
			if m.APIID == api && (stage == "" || m.Stage == stage) {
				out = append(out, m)
			}
		}
	}
	return out
}

// maxDomainName keeps the keys of a name's mappings within store.MaxKey. DNS allows 253 bytes; nobody has such names.
const maxDomainName = 220

var (
	hostPattern    = regexp.MustCompile(`^(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$`)
	mappingPattern = regexp.MustCompile(`^[A-Za-z0-9$\-_.+!*'()/]*$`)
)

// PutName checks a custom domain name, fills in its defaults and puts it in (spec control-plane §13).
func (ds *Domains) PutName(n apigw.DomainName) Problems {
	var p Problems
	n.DomainName = strings.ToLower(n.DomainName)
	if ds.Get(n.DomainName) != nil {
		p.Bad("domainName", "The domain name you provided already exists.")
	} else if len(ds.All()) >= apigw.QuotaDomainNames {
		p.Add(apigw.KindQuotaExceeded, "domainName", "Maximum number of domain names has been reached: %d", apigw.QuotaDomainNames)
	}
	_, notAddress := netip.ParseAddr(n.DomainName)
	if len(n.DomainName) > maxDomainName || !hostPattern.MatchString(n.DomainName) || notAddress == nil {
		p.Bad("domainName", "Invalid domain name %q: want a host name such as chat.example.com or chat.localhost, of at most %d characters", n.DomainName, maxDomainName)
	}
	if strings.HasSuffix(n.DomainName, ".amazonaws.com") || strings.HasSuffix(n.DomainName, ".amazonaws.com.cn") {
		p.Bad("domainName", "Invalid domain name %s: the names under amazonaws.com belong to the default endpoints", n.DomainName)
	}
	n.APIMappingSelectionExpression = apigw.APIMappingSelectionExpression
	if n.RoutingMode == "" {
		n.RoutingMode = "API_MAPPING_ONLY"
	}
	if n.RoutingMode != "API_MAPPING_ONLY" {
		p.Bad("routingMode", "Invalid routing mode %s: routing rules are for REST APIs, a WebSocket API has API_MAPPING_ONLY", n.RoutingMode)
	}
	p.domainConfiguration(&n)
	p.tags(n.Tags)
	d := ds.byName[n.DomainName]
	if d == nil {
		d = &Domain{}
		ds.byName[n.DomainName] = d
	}
	d.exists, d.Name = true, n
	return p
}

// domainConfiguration checks how a domain is to be put on the network and fills in defaults.
func (p *Problems) domainConfiguration(n *apigw.DomainName) {
	const field = "domainNameConfigurations"
	if len(n.DomainNameConfigurations) != 1 {
		p.Bad(field, "Invalid input. Expected one domain name configuration, such as DomainNameConfigurations: [{EndpointType: REGIONAL}]")
		return
	}
	c := n.DomainNameConfigurations[0]
	if c.EndpointType == "" {
		c.EndpointType = "REGIONAL"
	}
	if c.SecurityPolicy == "" {
		c.SecurityPolicy = "TLS_1_2"
	}
	if c.IPAddressType == "" {
		c.IPAddressType = "ipv4"
	}
	if !strings.EqualFold(c.EndpointType, "REGIONAL") || c.SecurityPolicy == "TLS_1_0" {
		p.Bad(field, "Only REGIONAL domain names with a security policy of TLS 1.2 can be managed through the API Gateway V2 API.")
	}
	p.oneOf(field, c.IPAddressType, "ipv4", "dualstack")
	p.length(field, c.CertificateName, maxName)
	c.DomainNameStatus = "AVAILABLE"
	n.DomainNameConfigurations = []apigw.DomainNameConfiguration{c}
}

// PutMapping checks an API mapping and puts it in (spec control-plane §13). api is the API that it names, nil when there
// is none.
func (ds *Domains) PutMapping(m apigw.APIMapping, api *store.Tree) Problems {
	var p Problems
	m.DomainName = strings.ToLower(m.DomainName)
	switch {
	case api == nil:
		p.Add(apigw.KindNotFound, "apiId", "Invalid API identifier specified %s", m.APIID)
	case find(api.Stages, stageName, m.Stage) == nil:
		p.Bad("stage", "Invalid stage identifier specified")
	}
	p.mappingKey(m.APIMappingKey)
	d := ds.Get(m.DomainName)
	if d == nil {
		return append(p, UnknownDomain()...)
	}
	for i := range d.Mappings {
		if o := &d.Mappings[i]; o.APIMappingKey == m.APIMappingKey && o.APIMappingID != m.APIMappingID {
			p.Add(apigw.KindConflict, "apiMappingKey", "ApiMapping key already exists for this domain name")
		}
	}
	if len(d.Mappings) >= apigw.QuotaMappings && find(d.Mappings, mappingID, m.APIMappingID) == nil {
		p.Add(apigw.KindQuotaExceeded, "apiMappingKey", "Maximum number of API mappings for this domain name has been reached: %d", apigw.QuotaMappings)
	}
	put(&d.Mappings, mappingID, m)
	return p
}

// mappingKey checks the shape of a mapping key (spec data-plane §1.1).
func (p *Problems) mappingKey(key string) {
	const field = "apiMappingKey"
	switch {
	case strings.HasPrefix(key, "/"), strings.Contains(key, "//"):
		p.Bad(field, "API mapping key should not start with a '/' or have consecutive '/'s.")
	case strings.HasSuffix(key, "/"):
		p.Bad(field, "API mapping key should not end with a '/'.")
	case !mappingPattern.MatchString(key):
		p.Bad(field, "An ApiMapping key may contain only letters, numbers and one of $-_.+!*'()")
	}
	p.length(field, key, apigw.QuotaMappingKey)
}

// Removable refuses to remove an API, or one stage of it, to which a custom domain name leads (spec open-questions 64).
func (ds *Domains) Removable(api apigw.APIID, stage string) Problems {
	var p Problems
	switch {
	case len(ds.MappingsOf(api, stage)) == 0:
	case stage == "":
		p.Bad("", "Deleting API %s failed. Please remove all API mappings for the API from your custom domain names.", api)
	default:
		p.Bad("", "Deleting stage %s of API %s failed. Please remove all API mappings for the stage from your custom domain names.", stage, api)
	}
	return p
}

// UnknownDomain is the problem with a custom domain name that is not there.
func UnknownDomain() Problems {
	var p Problems
	p.Add(apigw.KindNotFound, "domainName", "The domain name resource specified in the request was not found.")
	return p
}

// Changed tells whether a mapping differs from what the store has.
func (ds *Domains) Changed(m *apigw.APIMapping) bool {
	d := ds.byName[m.DomainName]
	if d == nil || d.before == nil {
		return true
	}
	old := find(d.before.Mappings, mappingID, m.APIMappingID)
	return old == nil || !store.Equal(*old, *m)
}
