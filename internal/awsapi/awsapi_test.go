package awsapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
)

// The layout of an error frame, blanks included, and that causes stay inside: spec data-plane §6.
func TestErrorFrame(t *testing.T) {
	cause := errors.New("secret cause")
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"no route":         {&apigw.Error{Kind: apigw.KindForbidden, Err: cause}, "Forbidden"},
		"failed backend":   {&apigw.Error{Kind: apigw.KindIntegrationFailure, Message: "secret", Err: cause}, "Internal server error"},
		"broken set-up":    {&apigw.Error{Kind: apigw.KindIntegrationConfig, Err: cause}, "Internal server error"},
		"time-out":         {fmt.Errorf("call: %w", &apigw.Error{Kind: apigw.KindIntegrationTimeout, Err: cause}), "Endpoint request timed out"},
		"without a kind":   {cause, "Internal server error"},
		"throttled":        {&apigw.Error{Kind: apigw.KindTooManyRequests}, "Too Many Requests"},
		"quota":            {&apigw.Error{Kind: apigw.KindLimitExceeded}, "Limit Exceeded"},
		"invalid body":     {&apigw.Error{Kind: apigw.KindInvalidRequestBody}, "Invalid request body"},
		"unsupported type": {&apigw.Error{Kind: apigw.KindUnsupportedMediaType}, "Unsupported Media Type"},
	} {
		t.Run(name, func(t *testing.T) {
			got := string(awsapi.ErrorFrame(test.err, "XDmENcnwIE0CFEQ=", "XDmGEE2RoE0FRdQ="))
			want := `{"message": "` + test.want + `", "connectionId":"XDmENcnwIE0CFEQ=", "requestId":"XDmGEE2RoE0FRdQ="}`
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// Statuses, types and bodies over HTTP: spec management-api §4, data-plane §2.
func TestWriteError(t *testing.T) {
	for name, test := range map[string]struct {
		err     error
		status  int
		errType string
		body    string
	}{
		"gone":          {&apigw.Error{Kind: apigw.KindGone}, 410, "GoneException", ""},
		"bad ID":        {&apigw.Error{Kind: apigw.KindBadRequest, Message: "Invalid connectionId: x"}, 400, "BadRequestException", `{"message":"Invalid connectionId: x"}`},
		"forbidden":     {&apigw.Error{Kind: apigw.KindForbidden}, 403, "ForbiddenException", `{"message":"Forbidden"}`},
		"IAM denial":    {&apigw.Error{Kind: apigw.KindAccessDenied}, 403, "AccessDeniedException", `{"Message":"User is not authorized to access this resource"}`},
		"too large":     {&apigw.Error{Kind: apigw.KindPayloadTooLarge, Message: "Message too long"}, 413, "PayloadTooLargeException", `{"message":"Message too long"}`},
		"slow reader":   {&apigw.Error{Kind: apigw.KindLimitExceeded}, 429, "LimitExceededException", `{"message":"Limit Exceeded"}`},
		"ours, unknown": {errors.New("secret cause"), 500, "InternalServerErrorException", `{"message":"Internal server error"}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			awsapi.WriteError(w, test.err, "XDmGEE2RoE0FRdQ=")
			if w.Code != test.status || w.Body.String() != test.body {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, test.status, test.body)
			}
			for name, want := range map[string]string{"x-amzn-ErrorType": test.errType, "x-amz-apigw-id": "XDmGEE2RoE0FRdQ="} {
				if got := w.Header()[name]; len(got) != 1 || got[0] != want {
					t.Errorf("%s: got %v, want %s", name, got, want)
				}
			}
		})
	}
}

// Bodies of refused handshakes: spec data-plane §2, open-questions 11 and 44.
func TestWriteHandshakeError(t *testing.T) {
	frame := func(text string) string {
		return `{"message": "` + text + `", "connectionId":"c=", "requestId":"r="}`
	}
	for name, test := range map[string]struct {
		err     error
		status  int
		errType string
		body    string
	}{
		"unauthorized": {&apigw.Error{Kind: apigw.KindUnauthorized}, 401, "UnauthorizedException", frame("Unauthorized")},
		"denied":       {&apigw.Error{Kind: apigw.KindAccessDenied}, 403, "AccessDeniedException", `{"Message":"User is not authorized to access this resource"}`},
		"explicitly": {
			&apigw.Error{Kind: apigw.KindAccessDenied, Message: "User is not authorized to access this resource with an explicit deny"},
			403, "AccessDeniedException", `{"Message":"User is not authorized to access this resource with an explicit deny"}`,
		},
		"authorizer's answer": {&apigw.Error{Kind: apigw.KindAuthorizerConfig, Err: errors.New("secret cause")}, 500, "AuthorizerConfigurationException", `{"message":null}`},
		"authorizer failed":   {&apigw.Error{Kind: apigw.KindAuthorizerFailure, Err: errors.New("secret cause")}, 500, "AuthorizerConfigurationException", frame("Internal server error")},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			awsapi.WriteHandshakeError(w, test.err, "c=", "r=")
			if got := spelt(w, "x-amzn-ErrorType"); w.Code != test.status || w.Body.String() != test.body || got != test.errType {
				t.Errorf("got %d %v %s, want %d %s %s", w.Code, got, w.Body, test.status, test.errType, test.body)
			}
		})
	}
}

// spelt is a header whose name is sent in AWS's spelling.
func spelt(w *httptest.ResponseRecorder, name string) string {
	return strings.Join(w.Header()[name], ",")
}

// Every kind has its line in the table.
func TestEveryKindHasAnAnswer(t *testing.T) {
	for kind := apigw.KindInternal; kind <= apigw.KindHeaderTooLarge; kind++ {
		status := awsapi.Status(&apigw.Error{Kind: kind})
		if kind != apigw.KindInternal && kind != apigw.KindIntegrationConfig && status == http.StatusInternalServerError {
			t.Errorf("kind %d has no answer of its own", kind)
		}
	}
}

func TestWriteHandshakeStatus(t *testing.T) {
	w := httptest.NewRecorder()
	awsapi.WriteHandshakeStatus(w, 401, "c=", "r=")
	if want := `{"message": "Unauthorized", "connectionId":"c=", "requestId":"r="}`; w.Code != 401 || w.Body.String() != want {
		t.Errorf("got %d %s, want %s", w.Code, w.Body, want)
	}
}

// Spec lambda §1: the forms of a function's name.
func TestParseFunctionName(t *testing.T) {
	for in, want := range map[string]awsapi.FunctionName{
		"chat":                       {Name: "chat"},
		"chat:live":                  {Name: "chat", Qualifier: "live"},
		"chat:$LATEST":               {Name: "chat", Qualifier: "$LATEST"},
		"my-app_v1.fn":               {Name: "my-app_v1.fn"},
		"123456789012:function:chat": {Account: "123456789012", Name: "chat"},
		"arn:aws:lambda:eu-west-1:123456789012:function:chat":           {Region: "eu-west-1", Account: "123456789012", Name: "chat"},
		"arn:aws-cn:lambda:cn-north-1:123456789012:function:chat:7":     {Region: "cn-north-1", Account: "123456789012", Name: "chat", Qualifier: "7"},
		"arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:f:l": {Region: "us-gov-west-1", Account: "123456789012", Name: "f", Qualifier: "l"},
	} {
		got, err := awsapi.ParseFunctionName(in)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "a b", "arn:aws:s3:::bucket/key", "x/../y", "chat:live:more:x"} {
		if got, err := awsapi.ParseFunctionName(in); err == nil {
			t.Errorf("%q: got %+v, want an error", in, got)
		}
	}
}

// Spec events-and-integrations §1.4.
func TestLambdaURI(t *testing.T) {
	arn := awsapi.FunctionARN("eu-west-1", awsapi.DefaultAccount, "chat")
	got, err := awsapi.ParseLambdaURI(awsapi.LambdaURI("eu-west-1", arn))
	if err != nil || got != arn {
		t.Errorf("got %q, %v, want %q", got, err, arn)
	}
	for _, uri := range []string{"", arn, "arn:aws:apigateway:eu-west-1:dynamodb:action/PutItem", "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions//invocations"} {
		if got, err := awsapi.ParseLambdaURI(uri); err == nil {
			t.Errorf("%q: got %q, want an error", uri, got)
		}
	}
}

// Spec events-and-integrations §1.4: stage variables may stand in any part.
func TestFunctionURI(t *testing.T) {
	const arn = "arn:aws:lambda:eu-west-1:123456789012:function:"
	for name, test := range map[string]struct {
		uri, want, short string
		fails            bool // in Function
	}{
		"plain":        {awsapi.LambdaURI("eu-west-1", arn+"chat"), arn + "chat", "chat", false},
		"alias":        {awsapi.LambdaURI("eu-west-1", arn+"chat:live"), arn + "chat:live", "chat:live", false},
		"variable":     {awsapi.LambdaURI("eu-west-1", arn+"${stageVariables.fn}-x:${stageVariables.alias}"), arn + "chat-x:live", "${stageVariables.alias}", false},
		"all of it":    {"${stageVariables.uri}", arn + "all", "${stageVariables.uri}", false},
		"missing":      {awsapi.LambdaURI("eu-west-1", arn+"${stageVariables.none}"), "", "${stageVariables.none}", true},
		"not a name":   {awsapi.LambdaURI("eu-west-1", arn+"${stageVariables.bad}"), "", "${stageVariables.bad}", true},
		"breaks loose": {awsapi.LambdaURI("eu-west-1", "${stageVariables.bad2}"), "", "${stageVariables.bad2}", true},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := awsapi.ParseFunctionURI(test.uri)
			if err != nil {
				t.Fatal(err)
			}
			got, err := u.Function(map[string]string{"fn": "chat", "alias": "live", "bad": "a b", "bad2": "x/../y", "uri": awsapi.LambdaURI("eu-west-1", arn+"all")})
			if got != test.want || (err != nil) != test.fails || u.Short() != test.short {
				t.Errorf("got %q (%v), short %q, want %q, short %q", got, err, u.Short(), test.want, test.short)
			}
		})
	}
	for _, uri := range []string{"", arn + "chat", "arn:${context.x}", "arn:${stageVariables.x", "${stageVariables.a b}"} {
		if _, err := awsapi.ParseFunctionURI(uri); err == nil {
			t.Errorf("%q: no error", uri)
		}
	}
}

func FuzzErrorFrame(f *testing.F) {
	f.Add("Forbidden")
	f.Add("\xff\"\n")
	f.Fuzz(func(t *testing.T, message string) {
		if message == "" {
			return
		}
		frame := awsapi.ErrorFrame(&apigw.Error{Kind: apigw.KindBadRequest, Message: message}, "c=", "r=")
		if !json.Valid(frame) {
			t.Errorf("not JSON: %s", frame)
		}
	})
}

// Spec events-and-integrations §3.
func TestExecuteAPIARN(t *testing.T) {
	for region, want := range map[string]string{
		"eu-west-1":     "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/prod/$connect",
		"cn-north-1":    "arn:aws-cn:execute-api:cn-north-1:123456789012:a1b2c3d4e5/prod/$connect",
		"us-gov-west-1": "arn:aws-us-gov:execute-api:us-gov-west-1:123456789012:a1b2c3d4e5/prod/$connect",
	} {
		if got := awsapi.ExecuteAPIARN(region, awsapi.DefaultAccount, "a1b2c3d4e5", "prod", "$connect"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestRegionalNames: China's regions are of a partition of their own and under a domain of their own (spec data-plane §1).
func TestRegionalNames(t *testing.T) {
	for region, want := range map[string][2]string{
		"eu-west-1":     {"wss://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com", "arn:aws:apigateway:eu-west-1::/domainnames/ws.example.com"},
		"cn-north-1":    {"wss://a1b2c3d4e5.execute-api.cn-north-1.amazonaws.com.cn", "arn:aws-cn:apigateway:cn-north-1::/domainnames/ws.example.com"},
		"us-gov-west-1": {"wss://a1b2c3d4e5.execute-api.us-gov-west-1.amazonaws.com", "arn:aws-us-gov:apigateway:us-gov-west-1::/domainnames/ws.example.com"},
	} {
		if got := [2]string{awsapi.APIEndpoint(region, "a1b2c3d4e5"), awsapi.DomainNameARN(region, "ws.example.com")}; got != want {
			t.Errorf("%s: got %v, want %v", region, got, want)
		}
	}
}

// Spec lambda §1: the status of a call, and none where nobody answered.
func TestInvokeStatus(t *testing.T) {
	for name, tt := range map[string]struct {
		kind awsapi.InvocationType
		err  error
		want int
	}{
		"answered":       {awsapi.InvokeRequestResponse, nil, 200},
		"no type":        {"", nil, 200},
		"asynchronous":   {awsapi.InvokeEvent, nil, 202},
		"dry run":        {awsapi.InvokeDryRun, nil, 204},
		"not found":      {awsapi.InvokeEvent, &apigw.Error{Kind: apigw.KindFunctionNotFound}, 404},
		"nobody answers": {awsapi.InvokeRequestResponse, errors.New("connection refused"), 0},
	} {
		if got := awsapi.InvokeStatus(tt.kind, tt.err); got != tt.want {
			t.Errorf("%s: got %d, want %d", name, got, tt.want)
		}
	}
}

// A log has one line for what the client was told and for the cause behind it.
func TestReason(t *testing.T) {
	mismatch := &apigw.Error{Kind: apigw.KindInvalidSignature, Message: "does not match.\n\nThe Canonical String\n'GET'", Err: errors.New("a wrong secret")}
	for want, err := range map[string]error{
		"Missing Authentication Token":                       &apigw.Error{Kind: apigw.KindMissingAuthenticationToken},
		"Forbidden: no such key":                             &apigw.Error{Kind: apigw.KindForbidden, Err: errors.New("no such key")},
		"Invalid connectionId: x":                            &apigw.Error{Kind: apigw.KindBadRequest, Message: "Invalid connectionId: x"},
		"does not match.: a wrong secret":                    mismatch,
		"Internal server error: it broke":                    errors.New("it broke"),
		"the connection is gone":                             &apigw.Error{Kind: apigw.KindGone, Err: errors.New("the connection is gone")},
		"Internal server error: one; two":                    errors.Join(&apigw.Error{Kind: apigw.KindIntegrationFailure, Err: errors.New("one")}, errors.New("two")),
		"the policy is no object":                            &apigw.Error{Kind: apigw.KindAuthorizerConfig, Err: errors.New("the policy is no object")},
		"Unauthorized: authorizer gate said Unauthorized; x": &apigw.Error{Kind: apigw.KindUnauthorized, Err: errors.New("Unauthorized: authorizer gate said Unauthorized\r\nx")},
	} {
		if got := awsapi.Reason(err); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}
