package control

import (
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/cfn"
	"cleat/internal/store"
)

// take puts one resource into the draft of its API.
func (a *application) take(d *draft, r *cfn.Resource, kind string) {
	id, api := a.idOf(r), d.id()
	own := func(key interface{ String() string }) { a.own(r.LogicalID, key.String()) }
	switch kind {
	case "Model":
		m := apigw.Model{ModelID: id}
		ok := a.decode(r, kind, &m)
		ok = a.schema(r, &m) && ok
		a.reportIf(ok, r, d.putModel(m))
		own(store.Models(api).Key(id))
	case "Authorizer":
		v := apigw.Authorizer{AuthorizerID: id}
		ok := a.decode(r, kind, &v)
		a.reportIf(ok, r, d.putAuthorizer(v))
		own(store.Authorizers(api).Key(id))
	case "Integration":
		v := apigw.Integration{IntegrationID: id}
		ok := a.decode(r, kind, &v)
		a.reportIf(ok, r, d.putIntegration(v))
		a.noteLink(r, &v)
		own(store.Integrations(api).Key(id))
	case "IntegrationResponse":
		v := apigw.IntegrationResponse{IntegrationResponseID: id}
		ok := a.decode(r, kind, &v)
		a.reportIf(ok, r, d.putIntegrationResponse(v))
		own(store.IntegrationResponses(api).Key(id))
	case "Route":
		v := apigw.Route{RouteID: id}
		ok := a.decode(r, kind, &v)
		a.reportIf(ok, r, d.putRoute(v))
		a.warn(r, withoutEffectRoute(&v))
		own(store.Routes(api).Key(id))
	case "RouteResponse":
		v := apigw.RouteResponse{RouteResponseID: id}
		ok := a.decode(r, kind, &v)
		a.reportIf(ok, r, d.putRouteResponse(v))
		own(store.RouteResponses(api).Key(id))
	case "Deployment":
		a.takeDeployment(d, r)
	case "Stage":
		a.takeStage(d, r)
	}
}

// schema reads a model's schema, which a template may write as an object or as text.
func (a *application) schema(r *cfn.Resource, m *apigw.Model) bool {
	v, ok := a.evaluate(r.Properties.Get("Schema"))
	switch {
	case v.Is(cfn.Map), v.Is(cfn.List):
		m.Schema = string(v.AppendJSON(nil))
	default:
		m.Schema = v.Str()
	}
	return ok
}

func (a *application) takeDeployment(d *draft, r *cfn.Resource) {
	v, ok := a.evaluate(r.Properties.Get("Description"))
	if !ok || len(a.faults) > 0 {
		return // what is at fault already would only be told again
	}
	dep, p := d.deploy(a.stack.Name+"/"+r.LogicalID, v.Str(), false, now())
	a.report(r, p)
	a.own(r.LogicalID, store.Deployments(d.id()).Key(dep.DeploymentID).String())
}

func (a *application) takeStage(d *draft, r *cfn.Resource) {
	var s apigw.Stage
	ok := a.decode(r, "Stage", &s)
	if len(a.faults) > 0 {
		s.DeploymentID = "" // there are no deployments when something is wrong; that is no fault of the stage
	}
	for logicalID, key := range a.made { // a Ref of a deployment stands for what its content made of it
		if dep := a.template.Resource(logicalID); dep != nil && dep.Type == apiGateway+"Deployment" && a.idOf(dep) == s.DeploymentID {
			s.DeploymentID = key[strings.LastIndexByte(key, '/')+1:]
			break
		}
	}
	a.reportIf(ok, r, d.putStage(s, now()))
	a.own(r.LogicalID, store.Stages(d.id()).Key(s.StageName).String())
	if r.Properties.Get("ClientCertificateId") != nil {
		a.warnings.Addf(a.placeOf(r, "ClientCertificateId"), "%s: not supported yet: client certificates; HTTP backends see none", r.LogicalID)
	}
}

// pointStages honours the StageName of deployments.
func (a *application) pointStages(resources []*cfn.Resource) {
	for _, r := range resources {
		key := a.made[r.LogicalID]
		if r.Type != apiGateway+"Deployment" || key == "" {
			continue
		}
		v, ok := a.evaluate(r.Properties.Get("StageName"))
		if !ok || v.Str() == "" {
			continue
		}
		parts := strings.Split(key, "/")
		a.report(r, a.drafts[apigw.APIID(parts[1])].pointStage(v.Str(), parts[3], now()))
	}
}

// silentTypes are given no effect of their own and not told of: that API Gateway may call a function, the names that versions
// and aliases give one (qualifiedFunction), and what CDK counts its uses by.
var silentTypes = []string{"AWS::Lambda::Permission", "AWS::Lambda::Version", "AWS::Lambda::Alias", "AWS::CDK::Metadata"}

// addOther takes in a resource that is not API Gateway's, or counts it as left alone.
func (a *application) addOther(r *cfn.Resource) {
	kind, ours := strings.CutPrefix(r.Type, apiGateway)
	switch {
	case ours && (kind == "Api" || slices.Contains(phases, kind)), r.Type == typeDomainName, r.Type == typeMapping:
	case isUsage(r): // addUsage has
	case r.Type == vpcLinkType:
		a.addVPCLink(r)
	case r.Type == "AWS::Lambda::Function":
		a.addFunction(r)
	case r.Type == "AWS::DynamoDB::Table", r.Type == "AWS::DynamoDB::GlobalTable":
		a.addTable(r)
	case strings.HasPrefix(r.Type, "AWS::Serverless::"):
		a.faults.Addf(r.Place, "%s: %s is a resource of SAM, which must be expanded before the template is applied", r.LogicalID, r.Type)
	case slices.Contains(silentTypes, r.Type): // nothing is missed: what they say holds here
	case r.Metadata.Path("cleat", "Generated").Str() == "true": // nobody wrote it, nobody misses it
	default:
		a.left[r.Type]++
	}
}
