package stacks

import (
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/cfn"
	"cleat/internal/draft"
)

// take puts one resource into the draft of its API.
func (a *application) take(d *draft.API, r *cfn.Resource, kind string) {
	id := a.idOf(r)
	switch kind {
	case "Model":
		a.takeModel(d, r, apigw.Model{ModelID: id})
	case "Authorizer":
		takeMember(a, d, r, draft.Authorizers, &apigw.Authorizer{AuthorizerID: id})
	case "Integration":
		in := apigw.Integration{IntegrationID: id}
		takeMember(a, d, r, draft.Integrations, &in)
		a.noteLink(r, &in)
	case "IntegrationResponse":
		takeMember(a, d, r, draft.IntegrationResponses, &apigw.IntegrationResponse{IntegrationResponseID: id})
	case "Route":
		takeMember(a, d, r, draft.Routes, &apigw.Route{RouteID: id})
	case "RouteResponse":
		takeMember(a, d, r, draft.RouteResponses, &apigw.RouteResponse{RouteResponseID: id})
	case "Deployment":
		a.takeDeployment(d, r)
	case "Stage":
		a.takeStage(d, r)
	}
}

// takeMember puts in one of a kind, which has its identifier already; v is filled in.
func takeMember[T any](a *application, d *draft.API, r *cfn.Resource, k *draft.Kind[T], v *T) {
	ok := a.decode(r, strings.TrimPrefix(r.Type, apiGateway), v)
	a.reportIf(ok, r, k.Put(d, *v))
	a.own(r.LogicalID, k.Key(d.ID(), k.ID(v)).String())
}

func (a *application) takeModel(d *draft.API, r *cfn.Resource, m apigw.Model) {
	ok := a.decode(r, "Model", &m)
	ok = a.schema(r, &m) && ok
	a.reportIf(ok, r, d.AddModel(m))
	a.own(r.LogicalID, draft.Models.Key(d.ID(), m.ModelID).String())
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

func (a *application) takeDeployment(d *draft.API, r *cfn.Resource) {
	v, ok := a.evaluate(r.Properties.Get("Description"))
	if !ok || len(a.faults) > 0 {
		return // what is at fault already would only be told again
	}
	dep, p := d.Deploy(a.stack.Name+"/"+r.LogicalID, v.Str())
	a.report(r, p)
	a.own(r.LogicalID, draft.Deployments.Key(d.ID(), dep.DeploymentID).String())
}

func (a *application) takeStage(d *draft.API, r *cfn.Resource) {
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
	a.reportIf(ok, r, d.AddStage(s))
	a.own(r.LogicalID, draft.Stages.Key(d.ID(), s.StageName).String())
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
		a.report(r, a.drafts[apigw.APIID(parts[1])].PointStage(v.Str(), parts[3]))
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
