package rig

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/tidwall/gjson"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/conn"
	"cleat/internal/gateway"
	"cleat/internal/integration"
	"cleat/internal/meter"
	"cleat/internal/metrics"
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

const (
	apiID     = "a1b2c3d4e5"
	stageName = "dev"
)

// observers are the metrics and the meter.
func observers() (func(*apigw.Record), error) {
	counts, err := metrics.New(prometheus.NewRegistry(), metrics.Options{Connections: func() conn.Stats { return conn.Stats{} }})
	if err != nil {
		return nil, err
	}
	stages := []apigw.ServedStage{{APIID: apiID, Stage: &apigw.Stage{StageName: stageName}, RouteKeys: []string{apigw.RouteDefault}}}
	counts.Swap(stages)
	bill := meter.New()
	bill.Swap(stages)
	return func(rec *apigw.Record) {
		counts.Observe(rec)
		bill.Observe(rec)
	}, nil
}

// gatewayHandler is the data plane with one API whose $default route is two-way, and with those who look on in `cleat dev`.
func gatewayHandler(ctx context.Context, compressed bool) (http.Handler, func() error, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})) // it warns of more than AWS allows
	limits := apigw.LimitsAWS()
	limits.ConnectRate, limits.RequestRate = 0, 0 // what is measured is how many there can be
	limits.Compression = compressed
	observe, err := observers()
	if err != nil {
		return nil, nil, err
	}
	g, err := gateway.New(gateway.Options{
		Log: log, Observe: observe, Conn: conn.Options{Limits: limits},
		Integration: integration.Dependencies{Functions: echoFunction{}, Region: awsapi.DefaultRegion, Account: awsapi.DefaultAccount},
	})
	if err != nil {
		return nil, nil, err
	}
	uri := awsapi.LambdaURI(awsapi.DefaultRegion, awsapi.FunctionARN(awsapi.DefaultRegion, awsapi.DefaultAccount, "echo"))
	err = g.Swap(store.Serving{Stages: []store.Published{{
		API:        &apigw.API{APIID: apiID},
		Stage:      &apigw.Stage{StageName: stageName, DeploymentID: "d1"},
		Deployment: &apigw.Deployment{DeploymentID: "d1"},
		Frozen: store.Freeze(&apigw.Definition{
			RouteSelectionExpression: "$request.body.action",
			Routes:                   []apigw.Route{{RouteID: "r1", RouteKey: apigw.RouteDefault, Target: "integrations/i1"}},
			RouteResponses:           []apigw.RouteResponse{{RouteID: "r1", RouteResponseKey: apigw.RouteDefault}},
			Integrations:             []apigw.Integration{{IntegrationID: "i1", IntegrationType: apigw.IntegrationAWSProxy, IntegrationURI: uri}},
		}),
	}}})
	if err != nil {
		return nil, nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	return g, func() error { return <-ended }, nil
}
