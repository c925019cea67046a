package store

import (
	"context"

	"cleat/internal/apigw"
)

// Published is one stage with the deployment that it points at. What it refers to must not be changed.
type Published struct {
	API        *apigw.API
	Stage      *apigw.Stage
	Deployment *apigw.Deployment
	Frozen     *Frozen // what the deployment has frozen
	// Revision is that of the newest of the stage and its deployment. While it stays, they and what is Frozen have not
	// changed; the API itself may have.
	Revision Revision
}

// Serving is all that the data plane serves, as it was at one moment.
type Serving struct {
	Revision Revision // of the store at that moment
	// Served grows whenever anything of the below changes, but for the APIs themselves, of which nothing is served that no
	// deployment has frozen.
	Served Revision
	// FunctionsRevision grows whenever a function changes, or anything that belongs to one (FunctionTree).
	FunctionsRevision Revision

	// Stages are the stages that point at a deployment, ordered by API and stage. A stage without a deployment is served
	// to nobody (spec data-plane §2) and is left out.
	Stages []Published

	APIKeys       []apigw.APIKey       // ordered by ID
	UsagePlans    []apigw.UsagePlan    // ordered by ID
	UsagePlanKeys []apigw.UsagePlanKey // ordered by plan, then key

	Domains  []apigw.DomainName // ordered by DomainKey
	Mappings []apigw.APIMapping // ordered by the DomainKey of their domain, then ID

	// fresh are definitions that were made a moment ago: who has the Serving has them without decoding.
	fresh []*apigw.Definition
}

// Serving returns what the data plane serves. Who asks again and again has a View.
func (s *Store) Serving(ctx context.Context) (Serving, error) { return s.NewView().Serving(ctx) }
