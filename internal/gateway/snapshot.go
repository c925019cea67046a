package gateway

import (
	"errors"
	"fmt"
	"strings"
	"unique"

	"cleat/internal/apigw"
	"cleat/internal/authorizer"
	"cleat/internal/expr"
	"cleat/internal/integration"
	"cleat/internal/route"
	"cleat/internal/store"
	"cleat/internal/throttle"
)

// snapshot is one deployment of one stage, compiled. It is immutable and read once per event.
type snapshot struct {
	revision  revision // tells one compilation from the next
	table     *route.Table[*plan]
	variables map[string]string
	// endpointDisabled tells that only custom domain names lead to the stage.
	endpointDisabled bool
}

// routeFacts are what events want to know of a route.
type routeFacts struct {
	RouteKey          string
	AuthorizationType string
	RequestParameters map[string]apigw.ParameterConstraint
}

// revision is which deployment a stage points at since when.
type revision struct {
	deployment string
	since      store.Revision
}

// plan is one compiled route.
type plan struct {
	route       routeFacts
	integration *integration.Plan   // nil for a route without a target (spec open-questions 34)
	twoWay      bool                // a RouteResponse for $default exists (spec data-plane §5)
	authorizer  *authorizer.Request // of $connect; nil when no function decides
	apiKey      *expr.Expression    // finds the API key of a route that needs one; nil: it needs none
	throttle    *throttle.Bucket    // of the stage's settings; nil: none
	validator   *validator          // nil when messages are not validated
}

func (p *plan) target() string {
	if p == nil || p.integration == nil {
		return ""
	}
	return p.integration.Target()
}

func revisionOf(p *store.Published) revision { return revision{p.Deployment.DeploymentID, p.Revision} }

// Compile reports what Swap would find wrong in what is given, without serving it.
func Compile(serving store.Serving) error {
	var faults []error
	for i := range serving.Stages {
		p := &serving.Stages[i]
		if _, err := compile(p, integration.Dependencies{}, nil); err != nil {
			faults = append(faults, fmt.Errorf("API %s, stage %s: %w", p.API.APIID, p.Stage.StageName, err))
		}
	}
	return errors.Join(faults...)
}

// compile makes the snapshot of a stage that takes the place of another one, which may be nil. The error names everything
// that is at fault.
func compile(p *store.Published, deps integration.Dependencies, before *snapshot) (*snapshot, error) {
	def, err := p.Frozen.Definition()
	if err != nil {
		return nil, err
	}
	integrations, err := compileIntegrations(def, deps)
	faults := []error{err}
	twoWay := make(map[string]bool, len(def.RouteResponses))
	for i := range def.RouteResponses {
		if rr := &def.RouteResponses[i]; rr.RouteResponseKey == apigw.RouteDefault {
			twoWay[rr.RouteID] = true
		}
	}
	models := newModels(def)
	routes, plans := make(map[string]*plan, len(def.Routes)), make([]plan, len(def.Routes))
	for i := range def.Routes {
		r := &def.Routes[i]
		faults = append(faults, plans[i].compile(def, r, models, deps))
		if id, ok := strings.CutPrefix(r.Target, "integrations/"); ok {
			plans[i].integration = integrations[id]
		}
		plans[i].twoWay = twoWay[r.RouteID]
		routes[r.RouteKey] = &plans[i]
	}
	table, err := route.Compile(def.RouteSelectionExpression, routes)
	if err != nil {
		faults = append(faults, fmt.Errorf("route selection expression: %w", err))
	}
	variables := p.Stage.StageVariables
	if len(variables) == 0 {
		variables = nil // events leave it out (spec events-and-integrations §1.1)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	s := &snapshot{
		revision: revisionOf(p), table: table, variables: variables, endpointDisabled: def.DisableExecuteAPIEndpoint,
	}
	s.setThrottles(p.Stage, def.Routes, before)
	return s, nil
}

// compileIntegrations makes the plans of a definition's integrations, by ID.
func compileIntegrations(def *apigw.Definition, deps integration.Dependencies) (map[string]*integration.Plan, error) {
	var faults []error
	plans := make(map[string]*integration.Plan, len(def.Integrations))
	responses := map[string][]apigw.IntegrationResponse{}
	for _, r := range def.IntegrationResponses {
		responses[r.IntegrationID] = append(responses[r.IntegrationID], r)
	}
	set := integration.NewSet(deps)
	for i := range def.Integrations {
		in := &def.Integrations[i]
		p, err := set.Compile(in, responses[in.IntegrationID])
		if err != nil {
			faults = append(faults, fmt.Errorf("integration %s: %w", in.IntegrationID, err))
			continue
		}
		plans[in.IntegrationID] = p
	}
	return plans, errors.Join(faults...)
}

// compile makes the plan of a route, but for its integration and its responses.
func (p *plan) compile(def *apigw.Definition, r *apigw.Route, models *models, deps integration.Dependencies) error {
	p.route = routeFacts{r.RouteKey, unique.Make(r.AuthorizationType).Value(), r.RequestParameters}
	var faults []error
	var err error
	if p.authorizer, err = compileAuthorizer(def, r, authorizer.Dependencies{Functions: deps.Functions, Region: deps.Region, Account: deps.Account}); err != nil {
		faults = append(faults, err)
	}
	if r.APIKeyRequired {
		if p.apiKey, err = apiKeyExpression(def); err != nil {
			faults = append(faults, fmt.Errorf("API key selection expression: %w", err))
		}
	}
	if p.validator, err = compileValidator(r, models); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}
