package rig

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"

	"github.com/tidwall/gjson"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/conn"
	"cleat/internal/gateway"
	"cleat/internal/integration"
	"cleat/internal/store"
)

// echoFunction is a Lambda function that costs nothing but its event and its answer.
type echoFunction struct{}

// Invoke answers with the body of the event, as a proxy function would.
func (echoFunction) Invoke(_ context.Context, call awsapi.Invocation) (awsapi.InvocationResult, error) {
	body, err := json.Marshal(gjson.GetBytes(call.Payload, "body").String())
	if err != nil {
		return awsapi.InvocationResult{}, err
	}
	return awsapi.InvocationResult{Payload: append(append([]byte(`{"statusCode":200,"body":`), body...), '}')}, nil
}

// gatewayHandler is the data plane with one API whose $default route is two-way.
func gatewayHandler(ctx context.Context) (http.Handler, func() error, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	g, err := gateway.New(gateway.Options{
		Log: log, Conn: conn.Options{Limits: apigw.LimitsAWS()},
		Integration: integration.Dependencies{Functions: echoFunction{}, Region: awsapi.DefaultRegion, Account: awsapi.DefaultAccount},
	})
	if err != nil {
		return nil, nil, err
	}
	uri := awsapi.LambdaURI(awsapi.DefaultRegion, awsapi.FunctionARN(awsapi.DefaultRegion, awsapi.DefaultAccount, "echo"))
	err = g.Swap(store.Serving{Stages: []store.Published{{
		API:   apigw.API{APIID: "a1b2c3d4e5"},
		Stage: apigw.Stage{StageName: "dev", DeploymentID: "d1"},
		Deployment: apigw.Deployment{DeploymentID: "d1", Definition: apigw.Definition{
			RouteSelectionExpression: "$request.body.action",
			Routes:                   []apigw.Route{{RouteID: "r1", RouteKey: apigw.RouteDefault, Target: "integrations/i1"}},
			RouteResponses:           []apigw.RouteResponse{{RouteID: "r1", RouteResponseKey: apigw.RouteDefault}},
			Integrations:             []apigw.Integration{{IntegrationID: "i1", IntegrationType: apigw.IntegrationAWSProxy, IntegrationURI: uri}},
		}},
	}}})
	if err != nil {
		return nil, nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	return g, func() error { return <-ended }, nil
}
