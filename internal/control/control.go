package control

import (
	"context"
	"errors"
	"sync"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/draft"
	"cleat/internal/store"
)

// Control changes definitions. It is safe for concurrent use, also by several nodes over one store.
type Control struct {
	store        *store.Store
	o            Options
	usageChanges sync.Mutex // held by changeUsage
}

// Options say what a Control holds definitions to.
type Options struct {
	// Account is the account that messages name; empty: awsapi.DefaultAccount.
	Account string
	// Unlimited lifts the quotas that AWS raises on request: how many routes, integrations, stages, domain names and the like
	// there may be.
	Unlimited bool
	// Endpoint is what an API shows as its apiEndpoint: where clients of this node find it. It must be safe for concurrent
	// use. Nil: AWS's host name.
	Endpoint func(apigw.APIID) string
}

// New returns the control of the definitions in a store.
func New(s *store.Store, o Options) *Control {
	if o.Account == "" {
		o.Account = awsapi.DefaultAccount
	}
	return &Control{store: s, o: o}
}

// load returns an API as it is; what is missing is AWS's answer.
func (c *Control) load(ctx context.Context, id apigw.APIID) (*store.Tree, error) {
	if !isID(string(id)) {
		return nil, c.unknownAPI(id, nil)
	}
	t, err := c.store.Tree(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, c.unknownAPI(id, err)
	}
	if err == nil {
		c.showEndpoint(&t.API)
	}
	return t, err
}

func (c *Control) unknownAPI(id apigw.APIID, err error) error {
	return &apigw.Error{Kind: apigw.KindNotFound, Message: "Invalid API identifier specified " + c.o.Account + ":" + string(id), Err: err}
}

// change makes one change of an API, brings its stages with autoDeploy up to date and commits.
func (c *Control) change(ctx context.Context, id apigw.APIID, edit func(d *draft.API) draft.Problems) error {
	return draft.Retry(func() error {
		t, err := c.load(ctx, id)
		if err != nil {
			return err
		}
		d := draft.Of(t)
		if err := edit(d).Err(); err != nil {
			return err
		}
		d.AutoDeploy()
		var b store.Batch
		d.Write(&b)
		return c.commit(ctx, &b)
	})
}

// commit commits a batch, unless nothing is in it; what the store can never hold is refused.
func (c *Control) commit(ctx context.Context, b *store.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	_, err := c.store.Commit(ctx, b)
	if errors.Is(err, store.ErrInvalid) {
		return &apigw.Error{Kind: apigw.KindBadRequest, Message: "The definition is too large to be kept", Err: err}
	}
	return err
}

// API returns an API with all that belongs to it. An unknown one is an *apigw.Error of KindNotFound, as with all
// methods that take an API's ID.
func (c *Control) API(ctx context.Context, id apigw.APIID) (*store.Tree, error) {
	return c.load(ctx, id)
}

// APIs returns all APIs, ordered by ID.
func (c *Control) APIs(ctx context.Context) ([]apigw.API, error) {
	apis, err := store.List(ctx, c.store, store.APIs())
	for i := range apis {
		c.showEndpoint(&apis[i])
	}
	return apis, err
}

// CreateAPI makes an API of its name, protocol and expressions; ID, date and defaults are filled in (spec control-plane
// §3). region makes the endpoint's host name. Like every operation it fails with an *apigw.Error for what AWS refuses.
func (c *Control) CreateAPI(ctx context.Context, api apigw.API, region string) (apigw.API, error) {
	d := draft.New(apigw.APIID(draft.NewID(draft.APIIDLength)), region)
	api.APIID, api.CreatedDate, api.APIEndpoint = d.Now.API.APIID, d.Now.API.CreatedDate, d.Now.API.APIEndpoint
	c.showEndpoint(&api)
	if err := d.Set(api).Err(); err != nil {
		return apigw.API{}, err
	}
	var b store.Batch
	d.Write(&b)
	return d.Now.API, c.commit(ctx, &b)
}

// UpdateAPI changes an API as edit says, which is given it as it is and returns it as it is to be; identifiers, protocol
// and dates stay. edit must not change what it was given in place; it may be called several times, and its error is the
// update's. So it is with all methods called Update.
func (c *Control) UpdateAPI(ctx context.Context, id apigw.APIID, edit func(apigw.API) (apigw.API, error)) (apigw.API, error) {
	var out apigw.API
	err := c.change(ctx, id, func(d *draft.API) draft.Problems {
		before := d.Now.API
		after, err := edit(before)
		if err != nil {
			return draft.Failed(err)
		}
		p := d.Set(after)
		out = d.Now.API
		if before.DisableSchemaValidation && !after.DisableSchemaValidation {
			for i := range d.Now.Models {
				p = append(p, d.CheckSchema(&d.Now.Models[i])...)
			}
		}
		return p
	})
	return out, err
}

// DeleteAPI deletes an API with all that belongs to it, its stages included, unless a custom domain name leads to it.
func (c *Control) DeleteAPI(ctx context.Context, id apigw.APIID) error {
	return draft.Retry(func() error {
		t, err := c.load(ctx, id)
		if err != nil {
			return err
		}
		ds, err := draft.LoadDomains(ctx, c.store)
		if err != nil {
			return err
		}
		if err := ds.Removable(id, "").Err(); err != nil {
			return err
		}
		var b store.Batch
		t.Delete(&b)
		_, err = c.store.Commit(ctx, &b)
		return err
	})
}

// CreateDeployment freezes the API as it is and, when stage is not empty, points that stage at it (spec control-plane
// §10).
func (c *Control) CreateDeployment(ctx context.Context, api apigw.APIID, description, stage string) (apigw.Deployment, error) {
	var out apigw.Deployment
	err := c.change(ctx, api, func(d *draft.API) draft.Problems {
		var p draft.Problems
		out, p = d.Deploy(draft.NewID(draft.IDLength), description)
		if stage != "" && len(p) == 0 {
			p = d.PointStage(stage, out.DeploymentID)
		}
		return p
	})
	if err != nil {
		return apigw.Deployment{}, err
	}
	return out, nil
}
