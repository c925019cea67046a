//go:build e2e

package e2e_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// goSDK makes calls with AWS's SDK for Go v2.
func goSDK(_ *testing.T, s *serve) caller {
	key := func(name string) string {
		for _, pair := range s.key {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return value
			}
		}
		return ""
	}
	signer := credentials.NewStaticCredentialsProvider(key("AWS_ACCESS_KEY_ID"), key("AWS_SECRET_ACCESS_KEY"), "")
	return func(t *testing.T, call toolCall) toolAnswer {
		t.Helper()
		config := aws.Config{Region: region, Credentials: signer, BaseEndpoint: &call.Endpoint, RetryMaxAttempts: 1}
		clients := map[string]any{
			"apigateway":              apigateway.NewFromConfig(config),
			"apigatewaymanagementapi": apigatewaymanagementapi.NewFromConfig(config),
			"apigatewayv2":            apigatewayv2.NewFromConfig(config),
			"iam":                     iam.NewFromConfig(config),
			"lambda":                  lambda.NewFromConfig(config),
			"sts":                     sts.NewFromConfig(config),
		}
		result, err := goCall(t, clients[call.Service], &call)
		if err == nil {
			return toolAnswer{Result: result}
		}
		var refused smithy.APIError
		if !errors.As(err, &refused) {
			t.Fatalf("%s.%s: %v", call.Service, call.Operation, err)
		}
		var answer toolAnswer
		marshal(t, map[string]any{"error": map[string]any{"name": refused.ErrorCode(), "message": refused.ErrorMessage()}}, &answer)
		return answer
	}
}

func goCall(t *testing.T, client any, call *toolCall) (map[string]any, error) {
	t.Helper()
	ctx := t.Context()
	switch call.Operation {
	case "Wait":
		in := &lambda.GetFunctionInput{}
		marshal(t, call.Params, in)
		if call.Params["Waiter"] == "FunctionActiveV2" {
			return nil, lambda.NewFunctionActiveV2Waiter(client.(*lambda.Client)).Wait(ctx, in, patience)
		}
		return nil, lambda.NewFunctionUpdatedV2Waiter(client.(*lambda.Client)).Wait(ctx, in, patience)
	case "Paginate":
		call.Operation = call.Params["Operation"].(string)
		call.Params["MaxResults"] = "1"
		var items []any
		for {
			page, err := goCall(t, client, call)
			if err != nil {
				return nil, err
			}
			some := page["Items"].([]any)
			if len(some) > 1 {
				t.Fatalf("a page of %d items", len(some))
			}
			items = append(items, some...)
			if page["NextToken"] == nil {
				return map[string]any{"Items": items}, nil
			}
			call.Params["NextToken"] = page["NextToken"]
		}
	}
	method := reflect.ValueOf(client).MethodByName(call.Operation)
	if !method.IsValid() {
		t.Fatalf("the SDK has no %s", call.Operation)
	}
	in := reflect.New(method.Type().In(1).Elem())
	for name, content := range call.Blobs {
		if call.Operation == "CreateFunction" {
			call.Params["Code"] = map[string]any{name: content}
		} else {
			call.Params[name] = content
		}
	}
	marshal(t, call.Params, in.Interface())
	out := method.Call([]reflect.Value{reflect.ValueOf(ctx), in})
	if err, _ := reflect.TypeAssert[error](out[1]); err != nil {
		return nil, err
	}
	if o, ok := reflect.TypeAssert[*lambda.InvokeOutput](out[0]); ok {
		return map[string]any{"StatusCode": float64(o.StatusCode), "ExecutedVersion": aws.ToString(o.ExecutedVersion), "Payload": string(o.Payload)}, nil
	}
	var result map[string]any
	marshal(t, out[0].Interface(), &result)
	return result, nil
}

// marshal takes a value to another form by way of JSON, where the case of names does not matter.
func marshal(t *testing.T, from, to any) {
	t.Helper()
	text, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(text, to)
	}
	if err != nil {
		t.Fatal(err)
	}
}
