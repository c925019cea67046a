package control

import (
	"context"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/store"
)

// domains are the node's custom domain names being changed in memory, by name. They belong to no API, so they are no
// part of a draft. Like a draft's, the methods make one change each and return what is wrong with it.
type domains map[string]*domain

// domain is one custom domain name, as the store has it and as it is to become.
type domain struct {
	before   *store.Domain // nil: new
	exists   bool          // whether it is to be there in the end
	name     apigw.DomainName
	mappings []apigw.APIMapping // ordered by ID
}

func mappingID(m *apigw.APIMapping) string { return m.APIMappingID }

// loadDomains returns the custom domain names as they are.
func (c *Control) loadDomains(ctx context.Context) (domains, error) {
	all, err := c.store.Domains(ctx)
	if err != nil {
		return nil, err
	}
	ds := domains{}
	for i := range all {
		d := &all[i]
		ds[d.Name.DomainName] = &domain{before: d, exists: true, name: d.Name, mappings: slices.Clone(d.Mappings)}
	}
	return ds, nil
}

// count is the number of names that are to be there.
func (ds domains) count() int {
	n := 0
	for _, d := range ds {
		if d.exists {
			n++
		}
	}
	return n
}

// get returns a name that is to be there, nil when there is none.
func (ds domains) get(name string) *domain {
	if d := ds[name]; d != nil && d.exists {
		return d
	}
	return nil
}

// forget removes everything whose key in the store is among those given.
func (ds domains) forget(keys map[string]bool) {
	for name, d := range ds {
		forgetIn(&d.mappings, store.APIMappings(name), mappingID, keys)
		if keys[domainKey(name)] {
			d.exists = false
		}
	}
}

func domainKey(name string) string { return store.DomainNames().Key(store.DomainKey(name)).String() }

// write adds to a batch what changed, and with a mapping its domain: who else changes the domain at the same time will
// conflict. With a name its mappings go, whoever made them.
func (ds domains) write(b *store.Batch) {
	for _, name := range slices.Sorted(maps.Keys(ds)) {
		d := ds[name]
		var before store.Domain
		expect := store.Absent()
		if d.before != nil {
			before, expect = *d.before, store.At(d.before.Revision)
		}
		key := store.DomainNames().Key(store.DomainKey(name))
		switch n := b.Len(); {
		case d.exists:
			writeDiff(b, store.APIMappings(name), mappingID, before.Mappings, d.mappings)
			if b.Len() > n || d.before == nil || !equal(before.Name, d.name) {
				store.Put(b, key, d.name, expect)
			}
		case d.before != nil:
			writeDiff(b, store.APIMappings(name), mappingID, before.Mappings, nil)
			store.Delete(b, key, expect)
		}
	}
}

// mappingsOf returns the mappings that lead to an API, and to one stage of it unless that is empty.
func (ds domains) mappingsOf(api apigw.APIID, stage string) []apigw.APIMapping {
	var out []apigw.APIMapping
	for _, name := range slices.Sorted(maps.Keys(ds)) {
		d := ds[name]
		for _, m := range d.mappings {
			if d.exists && m.APIID == api && (stage == "" || m.Stage == stage) {
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

// putName checks a custom domain name, fills in its defaults and puts it in (spec control-plane §13).
func (ds domains) putName(n apigw.DomainName) problems {
	var p problems
	n.DomainName = strings.ToLower(n.DomainName)
	if ds.get(n.DomainName) != nil {
		p.bad("domainName", "The domain name you provided already exists.")
	} else if ds.count() >= apigw.QuotaDomainNames {
		p.add(apigw.KindQuotaExceeded, "domainName", "Maximum number of domain names has been reached: %d", apigw.QuotaDomainNames)
	}
	_, notAddress := netip.ParseAddr(n.DomainName)
	if len(n.DomainName) > maxDomainName || !hostPattern.MatchString(n.DomainName) || notAddress == nil {
		p.bad("domainName", "Invalid domain name %q: want a host name such as chat.example.com or chat.localhost, of at most %d characters", n.DomainName, maxDomainName)
	}
	if strings.HasSuffix(n.DomainName, ".amazonaws.com") || strings.HasSuffix(n.DomainName, ".amazonaws.com.cn") {
		p.bad("domainName", "Invalid domain name %s: the names under amazonaws.com belong to the default endpoints", n.DomainName)
	}
	n.APIMappingSelectionExpression = apigw.APIMappingSelectionExpression
	if n.RoutingMode == "" {
		n.RoutingMode = "API_MAPPING_ONLY"
	}
	if n.RoutingMode != "API_MAPPING_ONLY" {
		p.bad("routingMode", "Invalid routing mode %s: routing rules are for REST APIs, a WebSocket API has API_MAPPING_ONLY", n.RoutingMode)
	}
	p.domainConfiguration(&n)
	p.tags(n.Tags)
	d := ds[n.DomainName]
	if d == nil {
		d = &domain{}
		ds[n.DomainName] = d
	}
	d.exists, d.name = true, n
	return p
}

// domainConfiguration checks how a domain is to be put on the network and fills in defaults.
func (p *problems) domainConfiguration(n *apigw.DomainName) {
	const field = "domainNameConfigurations"
	if len(n.DomainNameConfigurations) != 1 {
		p.bad(field, "Invalid input. Expected one domain name configuration, such as DomainNameConfigurations: [{EndpointType: REGIONAL}]")
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
		p.bad(field, "Only REGIONAL domain names with a security policy of TLS 1.2 can be managed through the API Gateway V2 API.")
	}
	p.oneOf(field, c.IPAddressType, "ipv4", "dualstack")
	p.length(field, c.CertificateName, maxName)
	c.DomainNameStatus = "AVAILABLE"
	n.DomainNameConfigurations = []apigw.DomainNameConfiguration{c}
}

// putMapping checks an API mapping and puts it in (spec control-plane §13). api is the API that it names, nil when there
// is none.
func (ds domains) putMapping(m apigw.APIMapping, api *store.Tree) problems {
	var p problems
	m.DomainName = strings.ToLower(m.DomainName)
	switch {
	case api == nil:
		p.add(apigw.KindNotFound, "apiId", "Invalid API identifier specified %s", m.APIID)
	case find(api.Stages, stageName, m.Stage) == nil:
		p.bad("stage", "Invalid stage identifier specified")
	}
	p.mappingKey(m.APIMappingKey)
	d := ds.get(m.DomainName)
	if d == nil {
		p.add(apigw.KindNotFound, "domainName", "The domain name resource specified in the request was not found.")
		return p
	}
	for i := range d.mappings {
		if o := &d.mappings[i]; o.APIMappingKey == m.APIMappingKey && o.APIMappingID != m.APIMappingID {
			p.add(apigw.KindConflict, "apiMappingKey", "ApiMapping key already exists for this domain name")
		}
	}
	if len(d.mappings) >= apigw.QuotaMappings && find(d.mappings, mappingID, m.APIMappingID) == nil {
		p.add(apigw.KindQuotaExceeded, "apiMappingKey", "Maximum number of API mappings for this domain name has been reached: %d", apigw.QuotaMappings)
	}
	put(&d.mappings, mappingID, m)
	return p
}

// mappingKey checks the shape of a mapping key (spec data-plane §1.1).
func (p *problems) mappingKey(key string) {
	const field = "apiMappingKey"
	switch {
	case strings.HasPrefix(key, "/"), strings.Contains(key, "//"):
		p.bad(field, "API mapping key should not start with a '/' or have consecutive '/'s.")
	case strings.HasSuffix(key, "/"):
		p.bad(field, "API mapping key should not end with a '/'.")
	case !mappingPattern.MatchString(key):
		p.bad(field, "An ApiMapping key may contain only letters, numbers and one of $-_.+!*'()")
	}
	p.length(field, key, apigw.QuotaMappingKey)
}

// removable refuses to remove an API, or one stage of it, to which a custom domain name leads (spec open-questions 64).
func (ds domains) removable(api apigw.APIID, stage string) problems {
	var p problems
	switch {
	case len(ds.mappingsOf(api, stage)) == 0:
	case stage == "":
		p.bad("", "Deleting API %s failed. Please remove all API mappings for the API from your custom domain names.", api)
	default:
		p.bad("", "Deleting stage %s of API %s failed. Please remove all API mappings for the stage from your custom domain names.", stage, api)
	}
	return p
}

// changeDomains makes one change of the custom domain names and commits it, with what edit puts into the batch itself.
func (c *Control) changeDomains(ctx context.Context, edit func(ds domains, b *store.Batch) (problems, error)) error {
	return retry(func() error {
		ds, err := c.loadDomains(ctx)
		if err != nil {
			return err
		}
		var b store.Batch
		p, err := edit(ds, &b)
		if err != nil {
			return err
		}
		if err := c.held(p).err(); err != nil {
			return err
		}
		ds.write(&b)
		return c.commitBatch(ctx, &b)
	})
}

// DomainNames returns all custom domain names, ordered by name.
func (c *Control) DomainNames(ctx context.Context) ([]apigw.DomainName, error) {
	ds, err := c.loadDomains(ctx)
	var out []apigw.DomainName
	for _, name := range slices.Sorted(maps.Keys(ds)) {
		out = append(out, ds[name].name)
	}
	return out, err
}

// DomainName returns a custom domain name. An unknown one is KindNotFound.
func (c *Control) DomainName(ctx context.Context, name string) (apigw.DomainName, error) {
	ds, err := c.loadDomains(ctx)
	if err != nil {
		return apigw.DomainName{}, err
	}
	d := ds.get(strings.ToLower(name))
	if d == nil {
		return apigw.DomainName{}, unknownDomain().err()
	}
	return d.name, nil
}

// APIMappings returns the API mappings of a custom domain name, ordered by ID. An unknown name is KindNotFound.
func (c *Control) APIMappings(ctx context.Context, name string) ([]apigw.APIMapping, error) {
	ds, err := c.loadDomains(ctx)
	if err != nil {
		return nil, err
	}
	d := ds.get(strings.ToLower(name))
	if d == nil {
		return nil, unknownDomain().err()
	}
	return d.mappings, nil
}

func unknownDomain() problems {
	var p problems
	p.add(apigw.KindNotFound, "domainName", "The domain name resource specified in the request was not found.")
	return p
}

// UnknownMapping is the answer to an identifier that no API mapping has.
func UnknownMapping() error {
	return &apigw.Error{Kind: apigw.KindNotFound, Message: "The api mapping resource specified in the request was not found."}
}

// CreateDomainName makes a custom domain name (spec control-plane §13). region makes what AWS would fill in.
func (c *Control) CreateDomainName(ctx context.Context, n apigw.DomainName, region string) (apigw.DomainName, error) {
	n.DomainName = strings.ToLower(n.DomainName)
	n.DomainNameARN = domainARN(region, n.DomainName)
	if len(n.DomainNameConfigurations) == 1 {
		n.DomainNameConfigurations = slices.Clone(n.DomainNameConfigurations)
		n.DomainNameConfigurations[0].APIGatewayDomainName = "d-" + newID(apiIDLength) + ".execute-api." + region + "." + urlSuffix(region)
		n.DomainNameConfigurations[0].HostedZoneID = "Z" + strings.ToUpper(newID(hostedZoneLength))
	}
	err := c.changeDomains(ctx, func(ds domains, _ *store.Batch) (problems, error) {
		p := ds.putName(n)
		n = ds.get(n.DomainName).name
		return p, nil
	})
	if err != nil {
		return apigw.DomainName{}, err
	}
	return n, nil
}

// UpdateDomainName changes a custom domain name, but not the name itself.
func (c *Control) UpdateDomainName(ctx context.Context, name string, edit func(apigw.DomainName) (apigw.DomainName, error)) (apigw.DomainName, error) {
	var out apigw.DomainName
	err := c.changeDomains(ctx, func(ds domains, _ *store.Batch) (problems, error) {
		d := ds.get(strings.ToLower(name))
		if d == nil {
			return unknownDomain(), nil
		}
		after, err := edit(d.name)
		if err != nil {
			return nil, err
		}
		if before := d.name.DomainNameConfigurations; len(before) == 1 && len(after.DomainNameConfigurations) == 1 {
			c := &after.DomainNameConfigurations[0]
			c.APIGatewayDomainName, c.HostedZoneID = before[0].APIGatewayDomainName, before[0].HostedZoneID
		}
		d.exists = false // or it would be in its own way
		p := ds.putName(after)
		out = d.name
		return p, nil
	})
	if err != nil {
		return apigw.DomainName{}, err
	}
	return out, nil
}

const hostedZoneLength = 12

func domainARN(region, name string) string {
	return "arn:" + awsapi.Partition(region) + ":apigateway:" + region + "::/domainnames/" + name
}

// DeleteDomainName deletes a custom domain name with its mappings.
func (c *Control) DeleteDomainName(ctx context.Context, name string) error {
	return c.changeDomains(ctx, func(ds domains, _ *store.Batch) (problems, error) {
		d := ds.get(strings.ToLower(name))
		if d == nil {
			return unknownDomain(), nil
		}
		d.exists = false
		return nil, nil
	})
}

// CreateAPIMapping makes an API mapping of the custom domain name that its DomainName names (spec control-plane §13). The
// APIMappingID is filled in.
func (c *Control) CreateAPIMapping(ctx context.Context, m apigw.APIMapping) (apigw.APIMapping, error) {
	m.APIMappingID, m.DomainName = newID(idLength), strings.ToLower(m.DomainName)
	err := c.changeDomains(ctx, func(ds domains, b *store.Batch) (problems, error) { return c.mapAPI(ctx, ds, b, m) })
	if err != nil {
		return apigw.APIMapping{}, err
	}
	return m, nil
}

// mapAPI puts in a mapping. The API is written as it is, so that of this and its deletion one sees the other.
func (c *Control) mapAPI(ctx context.Context, ds domains, b *store.Batch, m apigw.APIMapping) (problems, error) {
	t, err := c.load(ctx, m.APIID)
	if err != nil {
		return nil, err
	}
	store.Put(b, store.APIs().Key(string(m.APIID)), t.API, store.At(t.Revision))
	return ds.putMapping(m, t), nil
}

// UpdateAPIMapping changes an API mapping of a custom domain name.
func (c *Control) UpdateAPIMapping(ctx context.Context, name, id string, edit func(apigw.APIMapping) (apigw.APIMapping, error)) (apigw.APIMapping, error) {
	var out apigw.APIMapping
	err := c.changeDomains(ctx, func(ds domains, b *store.Batch) (problems, error) {
		d := ds.get(strings.ToLower(name))
		if d == nil {
			return unknownDomain(), nil
		}
		have := find(d.mappings, mappingID, id)
		if have == nil {
			return nil, UnknownMapping()
		}
		var err error
		if out, err = edit(*have); err != nil {
			return nil, err
		}
		return c.mapAPI(ctx, ds, b, out)
	})
	if err != nil {
		return apigw.APIMapping{}, err
	}
	return out, nil
}

// DeleteAPIMapping deletes an API mapping of a custom domain name.
func (c *Control) DeleteAPIMapping(ctx context.Context, name, id string) error {
	return c.changeDomains(ctx, func(ds domains, _ *store.Batch) (problems, error) {
		d := ds.get(strings.ToLower(name))
		if d == nil {
			return unknownDomain(), nil
		}
		if find(d.mappings, mappingID, id) == nil {
			return nil, UnknownMapping()
		}
		drop(&d.mappings, func(m *apigw.APIMapping) bool { return m.APIMappingID == id })
		return nil, nil
	})
}
