// Package apigatewayv2 is the apigatewayv2 service (2018-11-29) for WebSocket APIs: its operations as requests, answers
// and policy resources (spec control-plane §1 to §13). What may be created and changed, and how, is control's; what a
// request's body says, and what of a definition is shown, is decided here. VPC links are not here: those of WebSocket APIs
// are those of REST APIs.
package apigatewayv2

import (
	"net/http"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/control"
	"cleat/internal/controlapi"
	"cleat/internal/store"
)

// service is the operations over one control.
type service struct{ control *control.Control }

// Service returns the apigatewayv2 API of the definitions that c holds.
func Service(c *control.Control) controlapi.Service {
	s := &service{c}
	return controlapi.Service{Name: "apigateway", Operations: slices.Concat(
		s.apis().operations(), s.routes().operations(), s.routeResponses().operations(), s.integrations().operations(),
		s.integrationResponses().operations(), s.authorizers().operations(), s.models().operations(), s.deployments().operations(),
		s.stages().operations(), s.domainNames().operations(), s.apiMappings().operations(), s.parts(), s.tags(), httpOnlyOperations(),
	)}
}

// version is the first part of every path, which policies leave out.
const version = "/v2"

// operation is one entry of the table. Policies call it by its method and its path (spec control-plane §1.1, §1.4).
func operation(name, method, path string, do func(*controlapi.Call) (controlapi.Answer, error)) controlapi.Operation {
	return controlapi.Operation{
		Name: name, Method: method, Path: path, Action: "apigateway:" + method, Resource: resource(strings.TrimPrefix(path, version)),
		Changes: method != http.MethodGet, Do: do,
	}
}

// resource is what policies call a path of the service. A domain name is one thing in whatever case it is written, and what
// denies it must not be got round by another.
func resource(path string) func(*controlapi.Call) string {
	before, after, named := strings.Cut(path, "{domainName}")
	return func(c *controlapi.Call) string {
		arn := arnPrefix(c) + c.Expand(before)
		if named {
			arn += strings.ToLower(c.Expand("{domainName}")) + c.Expand(after)
		}
		return arn
	}
}

// arnPrefix is what the ARNs of all of the service's resources begin with.
func arnPrefix(c *controlapi.Call) string {
	return "arn:" + c.Partition + ":apigateway:" + c.Region + "::"
}

func badRequest(text string) error {
	return &apigw.Error{Kind: apigw.KindBadRequest, Message: text}
}

func apiID(c *controlapi.Call) apigw.APIID { return apigw.APIID(c.Path("apiId")) }

// tree is the API that a request's path names.
func (s *service) tree(c *controlapi.Call) (*store.Tree, error) {
	return s.control.API(c.Context, apiID(c))
}
