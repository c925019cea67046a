package backend

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
)

// ServiceCall is one call of an AWS service.
type ServiceCall struct {
	URI    *awsapi.ServiceURI // which service, where, and the path; never changed
	Method string
	Query  string // encoded; it follows what URI says
	// Header goes out as it is, signed. X-Amz-Date, X-Amz-Security-Token, X-Amz-Content-Sha256 and Authorization are
	// added and must not be among it.
	Header apigw.Fields
	Body   []byte
}

// ServiceSettings say where AWS services are and who calls them. The zero value means AWS's own and the process's own
// credentials.
type ServiceSettings struct {
	// Endpoints are the base URLs of stand-ins by service, such as "dynamodb" or "streams.dynamodb"; "*" is for all that
	// are not named. A stand-in is called by its own host name; paths of S3 and execute-api begin with the bucket and the
	// API's ID, whatever form the integration has.
	Endpoints map[string]string
	// Credentials sign all calls. Nil: those of the AWS SDK's usual sources for AWS's own hosts, and dummy ones for
	// others, so that no credentials leave for a place that needs none.
	Credentials aws.CredentialsProvider
}

// EveryService stands in ServiceSettings.Endpoints for the services that are not named.
const EveryService = "*"

// Services calls AWS services, or what stands in for them (spec events-and-integrations §7). It is safe for concurrent
// use; Close it to let go of its idle connections.
type Services struct {
	http     *HTTP
	signer   awsapi.SigV4
	process  processCredentials
	settings atomic.Pointer[serviceSettings] // never nil
}

type serviceSettings struct {
	endpoints   map[string]*url.URL
	credentials aws.CredentialsProvider
}

// NewServices returns Services with the zero ServiceSettings. The zero MaxBody of o means Lambda's payload quota here:
// a response template may make little of a long answer.
func NewServices(o HTTPOptions) *Services {
	o.MaxBody = or(o.MaxBody, apigw.QuotaLambdaPayload+1024)
	s := &Services{http: NewHTTP(o)}
	s.settings.Store(&serviceSettings{})
	return s
}

// Swap replaces the settings; calls under way end with those they began with. The error names the endpoint that is no
// URL; nothing changes then.
func (s *Services) Swap(to ServiceSettings) error {
	next := &serviceSettings{endpoints: make(map[string]*url.URL, len(to.Endpoints)), credentials: to.Credentials}
	for _, name := range slices.Sorted(maps.Keys(to.Endpoints)) {
		u, err := url.Parse(to.Endpoints[name])
		if err != nil {
			return fmt.Errorf("endpoint of %s: %w", name, err)
		}
		if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("endpoint of %s %q: want an http or https URL without a query, such as http://127.0.0.1:8000", name, to.Endpoints[name])
		}
		next.endpoints[name] = u
	}
	s.settings.Store(next)
	return nil
}

// Close lets go of idle connections. Calls under way go on, and further calls are possible.
func (s *Services) Close() { s.http.Close() }

// Call makes one signed call and reads the whole answer; ctx bounds all of it. Whatever status the service gives is an
// answer. It fails as HTTP.Do does, and with KindIntegrationConfig when there are no credentials.
func (s *Services) Call(ctx context.Context, call *ServiceCall) (*Response, error) {
	settings := s.settings.Load()
	u, err := settings.url(call)
	if err != nil {
		return nil, &apigw.Error{Kind: apigw.KindIntegrationConfig, Err: fmt.Errorf("%s: %w", call.URI, err)}
	}
	r := &Request{Method: call.Method, URL: u, Header: slices.Clip(call.Header), Body: call.Body}
	who, err := s.caller(settings, u).Retrieve(ctx)
	if err != nil {
		return nil, &apigw.Error{Kind: apigw.KindIntegrationConfig, Err: fmt.Errorf("%s: get AWS credentials (or name them, or an endpoint of a stand-in, in cleat.yaml): %w", describe(r), err)}
	}
	service, region := call.URI.Scope()
	sign(&s.signer, r, service, region, ours(who))
	return s.http.Do(ctx, r)
}

// url is where a call goes.
func (s *serviceSettings) url(call *ServiceCall) (*url.URL, error) {
	u := &url.URL{Scheme: "https", Host: call.URI.Host()}
	path := call.URI.HostPath()
	if base := s.endpoint(call.URI); base != nil {
		u = &url.URL{Scheme: base.Scheme, Host: base.Host}
		path = strings.TrimSuffix(base.EscapedPath(), "/") + call.URI.PlainPath()
	}
	var err error
	if u.Path, err = url.PathUnescape(path); err != nil {
		return nil, err
	}
	u.RawPath = path
	u.RawQuery = call.URI.Query
	if u.RawQuery != "" && call.Query != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += call.Query
	return u, nil
}

// endpoint is the stand-in for a service, nil where there is none.
func (s *serviceSettings) endpoint(uri *awsapi.ServiceURI) *url.URL {
	for _, name := range []string{uri.Name(), uri.Service, EveryService} {
		if u := s.endpoints[name]; u != nil {
			return u
		}
	}
	return nil
}

func (s *Services) caller(settings *serviceSettings, to *url.URL) aws.CredentialsProvider {
	switch {
	case settings.credentials != nil:
		return settings.credentials
	case IsAWSHost(to.Hostname()):
		return &s.process
	}
	return dummyCredentials
}

// sign adds the headers of a signature to a request.
func sign(signer *awsapi.SigV4, r *Request, service, region string, who awsapi.Credentials) {
	r.Header = append(r.Header, signer.Sign(r.Method, r.URL, r.Header, r.Body, service, region, who, time.Now())...)
}
