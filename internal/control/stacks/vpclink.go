package stacks

import (
	"cleat/internal/apigw"
	"cleat/internal/cfn"
	"cleat/internal/draft"
)

// vpcLinkType is the link of REST APIs, which is also that of WebSocket APIs (spec control-plane §13).
const vpcLinkType = "AWS::ApiGateway::VpcLink"

// LinkUse is an integration that goes through a VPC link.
type LinkUse struct {
	ConnectionID string // the link's name or ID
	Place        cfn.Place
}

// addVPCLink checks a link. It is made by configuration elsewhere: what its load balancers balance nobody knows here. A
// Ref of it is its name, by which the configuration knows it.
func (a *application) addVPCLink(r *cfn.Resource) {
	checkProperties(r, resourceType{handled: []string{"Name", "Description", "Tags", "TargetArns"}}, &a.faults)
	v, ok := a.evaluate(r.Properties)
	if !ok {
		return
	}
	if name := v.Get("Name").Str(); name == "" {
		a.faults.Addf(a.placeOf(r, "Name"), "%s: Name is required: cleat.yaml says under it, in vpcLinks, where the link leads", r.LogicalID)
	}
	if arns := v.Get("TargetArns"); !arns.Is(cfn.List) || len(arns.Items) != 1 {
		a.faults.Addf(a.placeOf(r, "TargetArns"), "%s: TargetArns must be a list of one load balancer's ARN", r.LogicalID)
	}
}

// noteLink remembers that an integration goes through a link.
func (a *application) noteLink(r *cfn.Resource, in *apigw.Integration) {
	if in.ConnectionType == draft.ConnectionVPCLink {
		a.outcome.Links = append(a.outcome.Links, LinkUse{in.ConnectionID, a.placeOf(r, "ConnectionId")})
	}
}
