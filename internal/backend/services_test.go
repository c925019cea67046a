package backend_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/backend"
)

func newTestServices(t *testing.T, settings backend.ServiceSettings) *backend.Services {
	t.Helper()
	s := backend.NewServices(backend.HTTPOptions{})
	t.Cleanup(s.Close)
	if err := s.Swap(settings); err != nil {
		t.Fatal(err)
	}
	return s
}

func serviceCall(t *testing.T, uri string) *backend.ServiceCall {
	t.Helper()
	u, err := awsapi.ParseServiceURI(uri)
	if err != nil {
		t.Fatal(err)
	}
	return &backend.ServiceCall{URI: &u, Method: "POST"}
}

var dummy = aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}

// TestServicesCall: the signature that a stand-in receives is the one that AWS would want (spec events-and-integrations §7).
func TestServicesCall(t *testing.T) {
	type seen struct{ uri, body, header string }
	tests := map[string]struct {
		uri, method, query, body string
		header                   apigw.Fields
		settings                 backend.ServiceSettings
		who                      aws.Credentials
		service, region          string
		want                     seen
	}{
		"JSON": {
			uri: "arn:aws:apigateway:eu-west-1:dynamodb:action/PutItem", method: "POST", body: `{"TableName":"t"}`,
			header: apigw.Fields{{Name: "X-Amz-Target", Value: "DynamoDB_20120810.PutItem"}, {Name: "User-Agent", Value: "x"}},
			who:    dummy, service: "dynamodb", region: "eu-west-1",
			want: seen{"/", `{"TableName":"t"}`, "DynamoDB_20120810.PutItem"},
		},
		"query, configured keys": {
			uri: "arn:aws:apigateway:eu-west-2:sns:action/Publish&Version=2010-03-31", method: "POST", query: "Message=a%20b%2B%C3%A9&Action=Publish&a=",
			settings: backend.ServiceSettings{Credentials: backend.StaticCredentials("AKIA", "s3cret", "session")},
			who:      aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "s3cret", SessionToken: "session"}, service: "sns", region: "eu-west-2",
			want: seen{"/?Version=2010-03-31&Message=a%20b%2B%C3%A9&Action=Publish&a=", "", ""},
		},
		"S3": {
			uri: "arn:aws:apigateway:eu-west-1:my.bucket.s3:path/a%20b/c:d%2Fe?tagging", method: "PUT", body: "data",
			who: dummy, service: "s3", region: "eu-west-1",
			want: seen{"/my.bucket/a%20b/c:d%2Fe?tagging", "data", ""},
		},
		"path encoded twice in the signature": {
			uri: "arn:aws:apigateway:eu-west-1:execute-api:path/a1b2c3d4e5/dev/@connections/x%3D", method: "DELETE",
			who: dummy, service: "execute-api", region: "eu-west-1",
			want: seen{"/a1b2c3d4e5/dev/@connections/x%3D", "", ""},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got seen
			var fault error
			s := newTestServer(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				got = seen{r.RequestURI, string(body), r.Header.Get("X-Amz-Target")}
				fault = verifySignature(r, body, tt.who, tt.service, tt.region)
				w.WriteHeader(http.StatusTeapot)
				_, _ = io.WriteString(w, "answer")
			})
			tt.settings.Endpoints = map[string]string{backend.EveryService: s.URL}
			call := serviceCall(t, tt.uri)
			call.Method, call.Query, call.Body, call.Header = tt.method, tt.query, []byte(tt.body), tt.header
			resp, err := newTestServices(t, tt.settings).Call(within(t, patience), call)
			if err != nil || resp.Status != http.StatusTeapot || string(resp.Body) != "answer" {
				t.Fatalf("got %+v, %v", resp, err)
			}
			if got != tt.want {
				t.Errorf("the service saw %+v, want %+v", got, tt.want)
			}
			if fault != nil {
				t.Errorf("signature: %v", fault)
			}
		})
	}
}

// TestServicesEndpoints: the name with its subdomain comes first, then the service, then "*"; the base's path stays.
func TestServicesEndpoints(t *testing.T) {
	var got string
	s := newTestServer(t, func(_ http.ResponseWriter, r *http.Request) { got = r.RequestURI })
	services := newTestServices(t, backend.ServiceSettings{Endpoints: map[string]string{
		"dynamodb": s.URL + "/tables/", "streams.dynamodb": s.URL + "/streams", "*": s.URL + "/rest",
	}})
	for uri, want := range map[string]string{
		"arn:aws:apigateway:eu-west-1:dynamodb:action/PutItem":                 "/tables/",
		"arn:aws:apigateway:eu-west-1:streams.dynamodb:action/GetRecords":      "/streams/",
		"arn:aws:apigateway:eu-west-1:dax.dynamodb:action/GetRecords":          "/tables/",
		"arn:aws:apigateway:eu-west-1:sqs:path/123456789012/jobs":              "/rest/123456789012/jobs",
		"arn:aws:apigateway:eu-west-1:runtime.sagemaker:path/endpoints/e?a=%2": "/rest/endpoints/e?a=%2",
	} {
		if _, err := services.Call(within(t, patience), serviceCall(t, uri)); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", uri, got, err, want)
		}
	}
}

func TestServicesSwap(t *testing.T) {
	var calls int
	s := newTestServer(t, func(http.ResponseWriter, *http.Request) { calls++ })
	services := newTestServices(t, backend.ServiceSettings{Endpoints: map[string]string{"sqs": s.URL}})
	for endpoint, want := range map[string]string{
		"127.0.0.1:8000":             "endpoint of dynamodb",
		"ftp://127.0.0.1":            `endpoint of dynamodb "ftp://127.0.0.1": want an http or https URL`,
		"http://127.0.0.1:8000/?x=1": "without a query",
	} {
		if err := services.Swap(backend.ServiceSettings{Endpoints: map[string]string{"dynamodb": endpoint}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want …%s…", endpoint, err, want)
		}
	}
	if _, err := services.Call(within(t, patience), serviceCall(t, "arn:aws:apigateway:eu-west-1:sqs:path/1/q")); err != nil || calls != 1 {
		t.Errorf("a bad endpoint changed the others: %v, %d calls", err, calls)
	}
}

type noCredentials struct{}

func (noCredentials) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{}, errors.New("the token has expired")
}

func TestServicesFaults(t *testing.T) {
	s := newTestServer(t, func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })
	for name, tt := range map[string]struct {
		settings backend.ServiceSettings
		kind     apigw.Kind
		want     string
	}{
		"no credentials": {backend.ServiceSettings{Credentials: noCredentials{}, Endpoints: map[string]string{"sqs": s.URL}}, apigw.KindIntegrationConfig, "get AWS credentials (or name them, or an endpoint of a stand-in, in cleat.yaml): the token has expired"},
		"hangs up":       {backend.ServiceSettings{Endpoints: map[string]string{"sqs": s.URL}}, apigw.KindIntegrationFailure, "closed the connection without an answer"},
		"nobody there":   {backend.ServiceSettings{Endpoints: map[string]string{"sqs": "http://127.0.0.1:1"}}, apigw.KindIntegrationFailure, "nothing listens there"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newTestServices(t, tt.settings).Call(within(t, patience), serviceCall(t, "arn:aws:apigateway:eu-west-1:sqs:path/1/q"))
			if apigw.KindOf(err) != tt.kind || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got kind %d, %v, want kind %d, …%s…", apigw.KindOf(err), err, tt.kind, tt.want)
			}
		})
	}
}

// TestServicesOwnCredentials: AWS's hosts get the credentials of the process, found at the first call, and no others do.
func TestServicesOwnCredentials(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAPROCESS")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_SESSION_TOKEN", "")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	var got, uri string
	s := newTestServer(t, func(_ http.ResponseWriter, r *http.Request) { got, uri = r.Header.Get("Authorization"), r.RequestURI })
	proxy := parse(t, s.URL)
	services := backend.NewServices(backend.HTTPOptions{Proxy: func(*http.Request) (*url.URL, error) { return proxy, nil }})
	t.Cleanup(services.Close)
	for endpoint, want := range map[string]string{"http://sqs.eu-west-1.amazonaws.com": "AKIAPROCESS", "http://sqs.example": "local"} {
		if err := services.Swap(backend.ServiceSettings{Endpoints: map[string]string{"*": endpoint}}); err != nil {
			t.Fatal(err)
		}
		if _, err := services.Call(within(t, patience), serviceCall(t, "arn:aws:apigateway:eu-west-1:sqs:path/1/q")); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(got, "Credential="+want+"/") || uri != endpoint+"/1/q" {
			t.Errorf("%s: got %s for %s, want the credentials %s", endpoint, got, uri, want)
		}
	}
}

func TestServiceError(t *testing.T) {
	header := func(name, value string) backend.Header { return backend.Header(name + ": " + value + "\r\n") }
	for name, tt := range map[string]struct {
		resp backend.Response
		want string
	}{
		"fine":      {backend.Response{Status: 200, Body: []byte(`{"message":"hi"}`)}, ""},
		"DynamoDB":  {backend.Response{Status: 400, Body: []byte(`{"__type":"com.amazon.coral.validate#ValidationException","message":"no key"}`)}, "ValidationException: no key"},
		"SNS":       {backend.Response{Status: 400, Body: []byte(`{"Error":{"Code":"InvalidParameter","Message":"TopicArn"},"RequestId":"x"}`)}, "InvalidParameter: TopicArn"},
		"S3":        {backend.Response{Status: 404, Body: []byte("<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>The key is not there.</Message></Error>")}, "NoSuchKey: The key is not there."},
		"Lambda":    {backend.Response{Status: 404, Header: header("X-Amzn-Errortype", "ResourceNotFoundException:http://x"), Body: []byte(`{"Message":"Function not found"}`)}, "ResourceNotFoundException: Function not found"},
		"type only": {backend.Response{Status: 403, Header: header("X-Amzn-Errortype", "Denied")}, "Denied"},
		"nothing":   {backend.Response{Status: 500, Body: []byte("<html>")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := backend.ServiceError(&tt.resp); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// BenchmarkServicesCall is one signed call of a stand-in; BenchmarkHTTPDo is the same without the signature.
func BenchmarkServicesCall(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) }))
	defer s.Close()
	services := backend.NewServices(backend.HTTPOptions{})
	defer services.Close()
	if err := services.Swap(backend.ServiceSettings{Endpoints: map[string]string{"*": s.URL}}); err != nil {
		b.Fatal(err)
	}
	uri, err := awsapi.ParseServiceURI("arn:aws:apigateway:eu-west-1:dynamodb:action/PutItem")
	if err != nil {
		b.Fatal(err)
	}
	call := &backend.ServiceCall{URI: &uri, Method: "POST", Body: bytes.Repeat([]byte("x"), 512), Header: apigw.Fields{{Name: "X-Amz-Target", Value: "DynamoDB_20120810.PutItem"}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := services.Call(b.Context(), call); err != nil {
			b.Fatal(err)
		}
	}
}
