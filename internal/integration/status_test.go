package integration_test

import (
	"context"
	"errors"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/backend"
	"cleat/internal/integration"
)

// services is a Services that answers the same to every call, or fails.
type services struct {
	status int
	err    error
}

func (s services) Call(context.Context, *backend.ServiceCall) (*backend.Response, error) {
	if s.err != nil {
		return nil, s.err
	}
	return &backend.Response{Status: s.status, Header: backend.Header("X-Amzn-Requestid: sid\r\n"), Body: []byte("{}")}, nil
}

// Spec data-plane §9.1: integrationStatus is the status of the call, integration.status what the backend's code says; and
// what a template or a mapping keeps from being called was not called.
func TestStatuses(t *testing.T) {
	lambda := func(typ apigw.IntegrationType, f func(*apigw.Integration)) apigw.Integration {
		in := apigw.Integration{IntegrationType: typ, IntegrationURI: functionURI, IntegrationMethod: "POST"}
		if f != nil {
			f(&in)
		}
		return in
	}
	http := func(typ apigw.IntegrationType, template string) apigw.Integration {
		in := apigw.Integration{IntegrationType: typ, IntegrationURI: "http://b.example/", IntegrationMethod: "POST"}
		if template != "" {
			in.RequestTemplates = map[string]string{"$default": template}
		}
		return in
	}
	service := apigw.Integration{IntegrationType: apigw.IntegrationAWS, IntegrationMethod: "POST", IntegrationURI: "arn:aws:apigateway:eu-west-1:dynamodb:action/PutItem"}
	mock := apigw.Integration{IntegrationType: apigw.IntegrationMock, RequestTemplates: map[string]string{"$default": `{"statusCode": 404}`}}
	broken := apigw.Integration{IntegrationType: apigw.IntegrationMock, RequestTemplates: map[string]string{"$default": `$context.stage.substring(9)`}}
	event := func(in *apigw.Integration) {
		in.RequestParameters = map[string]string{"integration.request.header.X-Amz-Invocation-Type": "'Event'"}
	}
	none := errors.New("nothing listens there")
	for name, tt := range map[string]struct {
		in            apigw.Integration
		deps          integration.Dependencies
		called        bool
		call, backend int
		requestID     string
	}{
		"function":                  {lambda(apigw.IntegrationAWSProxy, nil), integration.Dependencies{Functions: answering(`{"statusCode":404}`)}, true, 200, 404, "rid"},
		"function that throws":      {lambda(apigw.IntegrationAWSProxy, nil), integration.Dependencies{Functions: failing(`{}`)}, true, 200, 0, "rid"},
		"no proxy response":         {lambda(apigw.IntegrationAWSProxy, nil), integration.Dependencies{Functions: answering(`[]`)}, true, 200, 0, "rid"},
		"function not found":        {lambda(apigw.IntegrationAWSProxy, nil), integration.Dependencies{Functions: refusing(apigw.KindFunctionNotFound)}, true, 404, 0, ""},
		"function out of reach":     {lambda(apigw.IntegrationAWSProxy, nil), integration.Dependencies{Functions: refusing(apigw.KindInternal)}, true, 0, 0, ""},
		"no functions":              {lambda(apigw.IntegrationAWSProxy, nil), integration.Dependencies{}, false, 0, 0, ""},
		"AWS with a function":       {lambda(apigw.IntegrationAWS, nil), integration.Dependencies{Functions: answering(`{"statusCode":404}`)}, true, 200, 200, "rid"},
		"AWS, throws":               {lambda(apigw.IntegrationAWS, nil), integration.Dependencies{Functions: failing(`{}`)}, true, 200, 0, "rid"},
		"asynchronous":              {lambda(apigw.IntegrationAWS, event), integration.Dependencies{Functions: answering(``)}, true, 202, 202, "rid"},
		"HTTP proxy":                {http(apigw.IntegrationHTTPProxy, ""), integration.Dependencies{HTTP: &fakeHTTP{answer: backend.Response{Status: 503}}}, true, 503, 503, ""},
		"HTTP":                      {http(apigw.IntegrationHTTP, ""), integration.Dependencies{HTTP: &fakeHTTP{answer: backend.Response{Status: 201}}}, true, 201, 201, ""},
		"HTTP, out of reach":        {http(apigw.IntegrationHTTP, ""), integration.Dependencies{HTTP: &fakeHTTP{err: none}}, true, 0, 0, ""},
		"HTTP, template that fails": {http(apigw.IntegrationHTTP, `$context.stage.substring(9)`), integration.Dependencies{HTTP: &fakeHTTP{}}, false, 0, 0, ""},
		"service":                   {service, integration.Dependencies{Services: services{status: 400}}, true, 400, 400, "sid"},
		"service, out of reach":     {service, integration.Dependencies{Services: services{err: none}}, true, 0, 0, ""},
		"mock":                      {mock, integration.Dependencies{}, true, 404, 404, ""},
		"mock, template that fails": {broken, integration.Dependencies{}, false, 0, 0, ""},
	} {
		res, err := compile(t, tt.in, nil, tt.deps).Do(t.Context(), testEvent(apigw.EventMessage), new(integration.Room))
		if res.Called != tt.called || res.CallStatus != tt.call || res.BackendStatus != tt.backend || res.FunctionRequestID != tt.requestID {
			t.Errorf("%s: called %v with %d, backend %d, request %q (%v); want %v with %d, %d, %q",
				name, res.Called, res.CallStatus, res.BackendStatus, res.FunctionRequestID, err, tt.called, tt.call, tt.backend, tt.requestID)
		}
	}
}
