package control

import (
	"context"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/draft"
	"cleat/internal/store"
)

// changeDomains makes one change of the custom domain names and commits it, with what edit puts into the batch itself.
func (c *Control) changeDomains(ctx context.Context, edit func(ds *draft.Domains, b *store.Batch) (draft.Problems, error)) error {
	return draft.Retry(func() error {
		ds, err := draft.LoadDomains(ctx, c.store)
		if err != nil {
			return err
		}
		var b store.Batch
		p, err := edit(ds, &b)
		if err != nil {
			return err
		}
		if err := p.Held(c.o.Unlimited).Err(); err != nil {
			return err
		}
		ds.Write(&b)
		return c.commit(ctx, &b)
	})
}

// DomainNames returns all custom domain names, ordered by name.
func (c *Control) DomainNames(ctx context.Context) ([]apigw.DomainName, error) {
	ds, err := draft.LoadDomains(ctx, c.store)
	if err != nil {
		return nil, err
	}
	var out []apigw.DomainName
	for _, d := range ds.All() {
		out = append(out, d.Name)
	}
	return out, nil
}

// DomainName returns a custom domain name. An unknown one is KindNotFound.
func (c *Control) DomainName(ctx context.Context, name string) (apigw.DomainName, error) {
	ds, err := draft.LoadDomains(ctx, c.store)
	if err != nil {
		return apigw.DomainName{}, err
	}
	d := ds.Get(name)
	if d == nil {
		return apigw.DomainName{}, draft.UnknownDomain().Err()
	}
	return d.Name, nil
}

// APIMappings returns the API mappings of a custom domain name, ordered by ID. An unknown name is KindNotFound.
func (c *Control) APIMappings(ctx context.Context, name string) ([]apigw.APIMapping, error) {
	ds, err := draft.LoadDomains(ctx, c.store)
	if err != nil {
		return nil, err
	}
	d := ds.Get(name)
	if d == nil {
		return nil, draft.UnknownDomain().Err()
	}
	return d.Mappings, nil
}

// UnknownMapping is the answer to an identifier that no API mapping has.
func UnknownMapping() error {
	return &apigw.Error{Kind: apigw.KindNotFound, Message: "The api mapping resource specified in the request was not found."}
}

// CreateDomainName makes a custom domain name (spec control-plane §13). region makes what AWS would fill in.
func (c *Control) CreateDomainName(ctx context.Context, n apigw.DomainName, region string) (apigw.DomainName, error) {
	n.DomainName = strings.ToLower(n.DomainName)
	n.DomainNameARN = awsapi.DomainNameARN(region, n.DomainName)
	if len(n.DomainNameConfigurations) == 1 {
		n.DomainNameConfigurations = slices.Clone(n.DomainNameConfigurations)
		n.DomainNameConfigurations[0].APIGatewayDomainName = "d-" + draft.NewID(draft.APIIDLength) + ".execute-api." + region + "." + awsapi.URLSuffix(region)
		n.DomainNameConfigurations[0].HostedZoneID = "Z" + strings.ToUpper(draft.NewID(hostedZoneLength))
	}
	err := c.changeDomains(ctx, func(ds *draft.Domains, _ *store.Batch) (draft.Problems, error) {
		p := ds.PutName(n)
		n = ds.Get(n.DomainName).Name
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
	err := c.changeDomains(ctx, func(ds *draft.Domains, _ *store.Batch) (draft.Problems, error) {
		d := ds.Get(name)
		if d == nil {
			return draft.UnknownDomain(), nil
		}
		after, err := edit(d.Name)
		if err != nil {
			return nil, err
		}
		if before := d.Name.DomainNameConfigurations; len(before) == 1 && len(after.DomainNameConfigurations) == 1 {
			c := &after.DomainNameConfigurations[0]
			c.APIGatewayDomainName, c.HostedZoneID = before[0].APIGatewayDomainName, before[0].HostedZoneID
		}
		ds.Drop(name) // or it would be in its own way
		p := ds.PutName(after)
		out = d.Name
		return p, nil
	})
	if err != nil {
		return apigw.DomainName{}, err
	}
	return out, nil
}

const hostedZoneLength = 12

// DeleteDomainName deletes a custom domain name with its mappings.
func (c *Control) DeleteDomainName(ctx context.Context, name string) error {
	return c.changeDomains(ctx, func(ds *draft.Domains, _ *store.Batch) (draft.Problems, error) {
		if ds.Get(name) == nil {
			return draft.UnknownDomain(), nil
		}
		ds.Drop(name)
		return nil, nil
	})
}

// CreateAPIMapping makes an API mapping of the custom domain name that its DomainName names (spec control-plane §13). The
// APIMappingID is filled in.
func (c *Control) CreateAPIMapping(ctx context.Context, m apigw.APIMapping) (apigw.APIMapping, error) {
	m.APIMappingID, m.DomainName = draft.NewID(draft.IDLength), strings.ToLower(m.DomainName)
	err := c.changeDomains(ctx, func(ds *draft.Domains, b *store.Batch) (draft.Problems, error) { return c.mapAPI(ctx, ds, b, m) })
	if err != nil {
		return apigw.APIMapping{}, err
	}
	return m, nil
}

// mapAPI puts in a mapping, and touches the API that it leads to.
func (c *Control) mapAPI(ctx context.Context, ds *draft.Domains, b *store.Batch, m apigw.APIMapping) (draft.Problems, error) {
	t, err := c.load(ctx, m.APIID)
	if err != nil {
		return nil, err
	}
	d := draft.Of(t)
	d.Touch()
	d.Write(b)
	return ds.PutMapping(m, t), nil
}

// UpdateAPIMapping changes an API mapping of a custom domain name.
func (c *Control) UpdateAPIMapping(ctx context.Context, name, id string, edit func(apigw.APIMapping) (apigw.APIMapping, error)) (apigw.APIMapping, error) {
	var out apigw.APIMapping
	err := c.changeDomains(ctx, func(ds *draft.Domains, b *store.Batch) (draft.Problems, error) {
		d := ds.Get(name)
		if d == nil {
			return draft.UnknownDomain(), nil
		}
		have := d.Mapping(id)
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
	return c.changeDomains(ctx, func(ds *draft.Domains, _ *store.Batch) (draft.Problems, error) {
		d := ds.Get(name)
		if d == nil {
			return draft.UnknownDomain(), nil
		}
		if d.Mapping(id) == nil {
			return nil, UnknownMapping()
		}
		d.DropMapping(id)
		return nil, nil
	})
}
