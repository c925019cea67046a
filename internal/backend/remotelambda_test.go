package backend_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/backend"
)

type staticCredentials aws.Credentials

func (c staticCredentials) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials(c), nil
}

var testCredentials = staticCredentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", SessionToken: "token"}

func newTestLambda(t *testing.T, o backend.RemoteLambdaOptions) *backend.RemoteLambda {
	t.Helper()
	l, err := backend.NewRemoteLambda(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func TestRemoteLambdaInvoke(t *testing.T) {
	type seen struct{ method, uri, kind, logType, trace, clientContext, contentType, auth, body string }
	var got seen
	s := newTestServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h := r.Header
		got = seen{r.Method, r.RequestURI, h.Get("X-Amz-Invocation-Type"), h.Get("X-Amz-Log-Type"), h.Get("X-Amzn-Trace-Id"), h.Get("X-Amz-Client-Context"), h.Get("Content-Type"), h.Get("Authorization"), string(body)}
		w.Header().Set("x-amzn-RequestId", "8f5b3c1e-0000-4000-8000-000000000000")
		w.Header().Set("X-Amz-Executed-Version", "$LATEST")
		w.Header().Set("X-Amz-Log-Result", "bG9nIGxpbmU=")
		_, _ = io.WriteString(w, `{"statusCode":200}`)
	})
	l := newTestLambda(t, backend.RemoteLambdaOptions{Endpoint: s.URL + "/base/", Unsigned: true})
	out, err := l.Invoke(within(t, patience), awsapi.Invocation{
		Function: "arn:aws:lambda:eu-west-1:999999999999:function:hello:live", Payload: []byte(`{"a":1}`), TraceID: "Root=1-2-3", ClientContext: []byte(`{}`), LogTail: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := seen{"POST", "/base/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A999999999999%3Afunction%3Ahello%3Alive/invocations", "RequestResponse", "Tail", "Root=1-2-3", "e30=", "application/json", "", `{"a":1}`}
	if got != want {
		t.Errorf("Lambda saw %+v, want %+v", got, want)
	}
	if string(out.Payload) != `{"statusCode":200}` || out.FunctionError != "" || out.RequestID == "" || out.ExecutedVersion != "$LATEST" || string(out.LogTail) != "log line" {
		t.Errorf("got %+v", out)
	}
}

// TestRemoteLambdaTarget: a stand-in account is not sent, and a whole URL is used as it is.
func TestRemoteLambdaTarget(t *testing.T) {
	var uri string
	s := newTestServer(t, func(w http.ResponseWriter, r *http.Request) { uri = r.RequestURI })
	tests := map[string]struct{ endpoint, function, want string }{
		"name":              {"", "hello", "/2015-03-31/functions/hello/invocations"},
		"stand-in account":  {"", awsapi.FunctionARN("us-east-1", awsapi.DefaultAccount, "hello") + ":live", "/2015-03-31/functions/hello%3Alive/invocations"},
		"emulator's URL":    {"/2015-03-31/functions/function/invocations", "hello", "/2015-03-31/functions/function/invocations"},
		"partial ARN":       {"", "999999999999:function:hello", "/2015-03-31/functions/999999999999%3Afunction%3Ahello/invocations"},
		"version qualifier": {"", "hello:$LATEST", "/2015-03-31/functions/hello%3A$LATEST/invocations"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := newTestLambda(t, backend.RemoteLambdaOptions{Endpoint: s.URL + tt.endpoint, Unsigned: true})
			if _, err := l.Invoke(within(t, patience), awsapi.Invocation{Function: tt.function}); err != nil {
				t.Fatal(err)
			}
			if uri != tt.want {
				t.Errorf("got %s, want %s", uri, tt.want)
			}
		})
	}
	l := newTestLambda(t, backend.RemoteLambdaOptions{Endpoint: s.URL, Unsigned: true})
	if _, err := l.Invoke(within(t, patience), awsapi.Invocation{Function: "no function!"}); apigw.KindOf(err) != apigw.KindFunctionNotFound {
		t.Errorf("bad name: %v", err)
	}
}

func TestRemoteLambdaSignature(t *testing.T) {
	var fault error
	s := newTestServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fault = verifySignature(r, body, aws.Credentials(testCredentials), "lambda", "eu-west-1")
		if r.Header.Get("X-Amz-Security-Token") != "token" {
			fault = errors.New("no session token")
		}
	})
	l := newTestLambda(t, backend.RemoteLambdaOptions{Endpoint: s.URL, Region: "eu-west-1", Credentials: testCredentials})
	if _, err := l.Invoke(within(t, patience), awsapi.Invocation{Function: "hello:live", Payload: []byte(`{}`), TraceID: "Root=1"}); err != nil {
		t.Fatal(err)
	}
	if fault != nil {
		t.Error(fault)
	}
}

// TestRemoteLambdaKinds holds the statuses of spec lambda §1.
func TestRemoteLambdaKinds(t *testing.T) {
	tests := map[string]struct {
		status  int
		errType string
		body    string
		kind    apigw.Kind
		want    string
	}{
		"bad JSON":      {400, "InvalidRequestContentException", `{"Type":"User","message":"Could not parse"}`, apigw.KindInvalidContent, "400 InvalidRequestContentException: Could not parse"},
		"bad parameter": {400, "InvalidParameterValueException:", `{"message":"no"}`, apigw.KindInternal, "InvalidParameterValueException: no"},
		"forbidden":     {403, "AccessDeniedException", `{"Message":"User: x is not authorized"}`, apigw.KindAccessDenied, "User: x is not authorized"},
		"missing":       {404, "", `{"__type":"com.amazonaws#ResourceNotFoundException","message":"Function not found: arn"}`, apigw.KindFunctionNotFound, "ResourceNotFoundException: Function not found"},
		"too large":     {413, "RequestTooLargeException", `{}`, apigw.KindPayloadTooLarge, "RequestTooLargeException"},
		"throttled":     {429, "TooManyRequestsException", `{"message":"Rate Exceeded."}`, apigw.KindFunctionConcurrency, "Rate Exceeded."},
		"service":       {500, "ServiceException", ``, apigw.KindInternal, "500 ServiceException"},
		"bad runtime":   {502, "InvalidRuntimeException", `{"message":"x"}`, apigw.KindInternal, "InvalidRuntimeException"},
		"a redirect":    {302, "", `<html>`, apigw.KindInternal, "302 : <html>"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newTestServer(t, func(w http.ResponseWriter, r *http.Request) {
				if tt.errType != "" {
					w.Header().Set("x-amzn-ErrorType", tt.errType)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			l := newTestLambda(t, backend.RemoteLambdaOptions{Endpoint: s.URL, Unsigned: true})
			_, err := l.Invoke(within(t, patience), awsapi.Invocation{Function: "f"})
			if apigw.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got kind %d, %v, want kind %d, …%s…", apigw.KindOf(err), err, tt.kind, tt.want)
			}
		})
	}
}

func TestRemoteLambdaFunctionErrors(t *testing.T) {
	tests := map[string]struct{ payload, want string }{
		"node":     {`{"errorType":"Error","errorMessage":"boom","trace":["Error: boom","    at handler (/var/task/app.js:3:9)"]}`, "Error: boom (at handler (/var/task/app.js:3:9))"},
		"python":   {`{"errorMessage":"boom","errorType":"ValueError","stackTrace":["  File \"/var/task/app.py\", line 3, in handler\n    raise x\n"]}`, `ValueError: boom (File "/var/task/app.py", line 3, in handler raise x)`},
		"no JSON":  {`oops`, "Unhandled"},
		"no words": {`{}`, "Unhandled"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newTestServer(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Amz-Function-Error", "Unhandled")
				_, _ = io.WriteString(w, tt.payload)
			})
			l := newTestLambda(t, backend.RemoteLambdaOptions{Endpoint: s.URL, Unsigned: true})
			out, err := l.Invoke(within(t, patience), awsapi.Invocation{Function: "f"})
			if err != nil || out.FunctionError != "Unhandled" || out.Cause != tt.want || string(out.Payload) != tt.payload {
				t.Errorf("got %+v, %v, want cause %s", out, err, tt.want)
			}
		})
	}
}

func TestRemoteLambdaEventAndTimeout(t *testing.T) {
	release := make(chan struct{})
	s := newTestServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Invocation-Type") == "Event" {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		<-release
	})
	t.Cleanup(func() { close(release) })
	l := newTestLambda(t, backend.RemoteLambdaOptions{Endpoint: s.URL, Unsigned: true})
	if out, err := l.Invoke(within(t, patience), awsapi.Invocation{Function: "f", Type: awsapi.InvokeEvent}); err != nil || len(out.Payload) != 0 {
		t.Errorf("event: %+v, %v", out, err)
	}
	_, err := l.Invoke(within(t, 20*time.Millisecond), awsapi.Invocation{Function: "f"})
	if apigw.KindOf(err) != apigw.KindInternal || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("time-out: %v", err)
	}
}

func TestRemoteLambdaConfiguration(t *testing.T) {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		t.Setenv(name, "")
	}
	dir := t.TempDir()
	shared := filepath.Join(dir, "config")
	if err := os.WriteFile(shared, []byte("[profile work]\nregion = eu-central-1\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", shared)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "none"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	var auth string
	s := newTestServer(t, func(w http.ResponseWriter, r *http.Request) { auth = r.Header.Get("Authorization") })

	l := newTestLambda(t, backend.RemoteLambdaOptions{Endpoint: s.URL, Profile: "work"})
	if _, err := l.Invoke(within(t, patience), awsapi.Invocation{Function: "f"}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(auth, "Credential=AKIDPROFILE/") || !strings.Contains(auth, "/eu-central-1/lambda/aws4_request") {
		t.Errorf("the profile's credentials and region do not sign: %s", auth)
	}
	l = newTestLambda(t, backend.RemoteLambdaOptions{Endpoint: s.URL})
	if _, err := l.Invoke(within(t, patience), awsapi.Invocation{Function: "f"}); err == nil || !strings.Contains(err.Error(), "get AWS credentials") {
		t.Errorf("without credentials: %v", err)
	}
	faults := map[string]backend.RemoteLambdaOptions{
		"no AWS region":     {},
		"want an http":      {Endpoint: "localhost:9000", Unsigned: true},
		"without a query":   {Endpoint: "http://localhost:9000/?x=1", Unsigned: true},
		"AWS configuration": {Profile: "nope"},
	}
	for want, o := range faults {
		if _, err := backend.NewRemoteLambda(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want …%s…", o, err, want)
		}
	}
}
