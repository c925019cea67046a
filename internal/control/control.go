package control

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
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

// attempts bounds how often a change is tried again when somebody else was quicker.
const attempts = 5

// now is the time as AWS shows it: UTC, whole seconds (spec control-plane §1).
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// Retry runs a change of what is kept beside APIs, a function's, until it does not conflict with another's, a few times at
// most. The error of a change that never got through is an *apigw.Error of KindConflict.
func Retry(change func() error) error { return retry(change) }

// retry runs a change until it does not conflict.
func retry(change func() error) error {
	var err error
	for range attempts {
		if err = change(); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return &apigw.Error{Kind: apigw.KindConflict, Message: "Unable to complete operation due to concurrent modification. Please try again later.", Err: err}
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
func (c *Control) change(ctx context.Context, id apigw.APIID, edit func(d *draft) problems) error {
	return retry(func() error {
		t, err := c.load(ctx, id)
		if err != nil {
			return err
		}
		d := editable(t)
		if err := edit(d).err(); err != nil {
			return err
		}
		d.autoDeploy(now())
		return c.commit(ctx, d)
	})
}

func (c *Control) commit(ctx context.Context, d *draft) error {
	var b store.Batch
	d.write(&b)
	if b.Len() == 0 {
		return nil
	}
	return c.commitBatch(ctx, &b)
}

// commitBatch commits; what the store can never hold is refused.
func (c *Control) commitBatch(ctx context.Context, b *store.Batch) error {
	_, err := c.store.Commit(ctx, b)
	if errors.Is(err, store.ErrInvalid) {
		return &apigw.Error{Kind: apigw.KindBadRequest, Message: "The definition is too large to be kept", Err: err}
	}
	return err
}

// held are the problems that this node minds.
func (c *Control) held(p problems) problems {
	if c.o.Unlimited {
		p = slices.DeleteFunc(p, func(one problem) bool { return one.err.Kind == apigw.KindQuotaExceeded })
	}
	return p
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
	api.APIID, api.CreatedDate = apigw.APIID(newID(apiIDLength)), now()
	api.APIEndpoint = apiEndpoint(api.APIID, region)
	c.showEndpoint(&api)
	if err := checkAPI(&api).err(); err != nil {
		return apigw.API{}, err
	}
	return api, c.commit(ctx, &draft{now: store.Tree{API: api}})
}

// UpdateAPI changes an API as edit says, which is given it as it is and returns it as it is to be; identifiers, protocol
// and dates stay. edit must not change what it was given in place; it may be called several times, and its error is the
// update's. So it is with all methods called Update.
func (c *Control) UpdateAPI(ctx context.Context, id apigw.APIID, edit func(apigw.API) (apigw.API, error)) (apigw.API, error) {
	var out apigw.API
	err := c.change(ctx, id, func(d *draft) problems {
		before := d.now.API
		after, err := edit(before)
		if err != nil {
			return failed(err)
		}
		p := checkAPI(&after)
		d.now.API, out = after, after
		if before.DisableSchemaValidation && !after.DisableSchemaValidation {
			for i := range d.now.Models {
				p = append(p, d.checkSchema(&d.now.Models[i])...)
			}
		}
		return p
	})
	return out, err
}

func apiEndpoint(id apigw.APIID, region string) string {
	return "wss://" + string(id) + ".execute-api." + region + "." + urlSuffix(region)
}

// DeleteAPI deletes an API with all that belongs to it, its stages included, unless a custom domain name leads to it.
func (c *Control) DeleteAPI(ctx context.Context, id apigw.APIID) error {
	return retry(func() error {
		t, err := c.load(ctx, id)
		if err != nil {
			return err
		}
		ds, err := c.loadDomains(ctx)
		if err != nil {
			return err
		}
		if err := ds.removable(id, "").err(); err != nil {
			return err
		}
		var b store.Batch
		deleteAPI(&b, t)
		_, err = c.store.Commit(ctx, &b)
		return err
	})
}

func deleteAPI(b *store.Batch, t *store.Tree) {
	key := store.APIs().Key(string(t.API.APIID))
	store.Delete(b, key, store.At(t.Revision))
	for _, k := range t.Keys {
		if k != key.String() {
			b.DeleteKey(k)
		}
	}
	for i := range t.Deployments {
		store.Delete(b, store.Definitions(t.API.APIID).Key(t.Deployments[i].DeploymentID), store.Expect{})
	}
}

// CreateDeployment freezes the API as it is and, when stage is not empty, points that stage at it (spec control-plane
// §10).
func (c *Control) CreateDeployment(ctx context.Context, api apigw.APIID, description, stage string) (apigw.Deployment, error) {
	var out apigw.Deployment
	err := c.change(ctx, api, func(d *draft) problems {
		var p problems
		out, p = d.deploy(newID(idLength), description, false, now())
		if stage != "" && len(p) == 0 {
			p = d.pointStage(stage, out.DeploymentID, now())
		}
		return p
	})
	if err != nil {
		return apigw.Deployment{}, err
	}
	return out, nil
}

// pointStage makes a stage serve a deployment.
func (d *draft) pointStage(stage, deployment string, at time.Time) problems {
	var p problems
	s := find(d.now.Stages, stageName, stage)
	switch {
	case s == nil:
		p.add(apigw.KindNotFound, "stageName", "Invalid stage identifier specified")
	case s.AutoDeploy:
		p.bad("stageName", "Deployment ID cannot be set on a stage with autoDeploy")
	case s.DeploymentID != deployment:
		s.DeploymentID, s.LastUpdatedDate = deployment, at
	}
	return p
}
