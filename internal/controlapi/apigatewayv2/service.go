// Package apigatewayv2 is the apigatewayv2 service (2018-11-29) for WebSocket APIs: its operations as requests, answers
// and policy resources (spec control-plane §1 and §2). What may be created and changed, and how, is control's.
package apigatewayv2

import (
	"cleat/internal/apigw"
	"cleat/internal/control"
	"cleat/internal/controlapi"
)

// service is the operations over one control.
type service struct{ control *control.Control }

// Service returns the apigatewayv2 API of the definitions that c holds.
func Service(c *control.Control) controlapi.Service {
	s := &service{c}
	return controlapi.Service{Name: "apigateway", Operations: []controlapi.Operation{
		{Name: "CreateApi", Method: "POST", Path: "/v2/apis", Action: "apigateway:POST", Resource: resource("/apis"), Changes: true, Do: s.createAPI},
		{Name: "GetApi", Method: "GET", Path: "/v2/apis/{apiId}", Action: "apigateway:GET", Resource: resource("/apis/{apiId}"), Do: s.getAPI},
		{Name: "DeleteApi", Method: "DELETE", Path: "/v2/apis/{apiId}", Action: "apigateway:DELETE", Resource: resource("/apis/{apiId}"), Changes: true, Do: s.deleteAPI},
	}}
}

// resource is what policies call a path of the service (spec control-plane §1.4).
func resource(path string) func(*controlapi.Call) string {
	return func(c *controlapi.Call) string {
		return "arn:" + c.Partition + ":apigateway:" + c.Region + "::" + c.Expand(path)
	}
}

func (s *service) createAPI(c *controlapi.Call) (controlapi.Answer, error) {
	var in apigw.API
	if err := c.JSON(&in); err != nil {
		return controlapi.Answer{}, err
	}
	api, err := s.control.CreateAPI(c.Context, in, c.Region)
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.Created(api), nil
}

func (s *service) getAPI(c *controlapi.Call) (controlapi.Answer, error) {
	t, err := s.control.API(c.Context, apigw.APIID(c.Path("apiId")))
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.OK(t.API), nil
}

func (s *service) deleteAPI(c *controlapi.Call) (controlapi.Answer, error) {
	return controlapi.NoContent(), s.control.DeleteAPI(c.Context, apigw.APIID(c.Path("apiId")))
}
