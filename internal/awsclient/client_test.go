package awsclient_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/awsclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var keys = awsapi.Credentials{AccessKeyID: "AKIAX", SecretAccessKey: "secret", SessionToken: "token"}

func newClient(t *testing.T, o awsclient.Options) *awsclient.Client {
	t.Helper()
	c, err := awsclient.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// verified tells why a request's signature is not that of keys.
func verified(r *http.Request, service, region string) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	headers := apigw.Fields{{Name: "Host", Value: r.Host}}
	for name, values := range r.Header {
		for _, v := range values {
			headers = append(headers, apigw.Field{Name: name, Value: v})
		}
	}
	signed := &awsapi.SignedRequest{
		Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Headers: headers, Body: func() ([]byte, error) { return body, nil },
	}
	claim, err := awsapi.ReadSignature(signed)
	if err != nil {
		return err
	}
	if err := claim.Check(region, service, time.Now()); err != nil {
		return err
	}
	var v awsapi.SigV4
	return v.Verify(signed, claim, keys.SecretAccessKey)
}

// What a client sends is signed over path, query, headers and body, in the scope of its service.
func TestSigns(t *testing.T) {
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := verified(r, "cleat", "eu-west-1"); err != nil {
			t.Error(err)
		}
		if r.Header.Get("X-Amz-Security-Token") != "token" || r.Header.Get("Content-Type") != "text/plain" {
			t.Errorf("header %v", r.Header)
		}
		_, _ = io.WriteString(w, r.Method+" "+r.RequestURI)
	}))
	defer endpoint.Close()
	c := newClient(t, awsclient.Options{Endpoint: endpoint.URL + "/base/", Service: "cleat", Region: "eu-west-1", Credentials: awsclient.Static(keys)})
	var sent []int
	got, err := c.Do(t.Context(), awsclient.Request{
		Method: http.MethodPost, Path: "/routes/%24default%2Fx", Query: url.Values{"b": {"2 +"}, "a": {"1"}},
		Header: http.Header{"Content-Type": {"text/plain"}}, Body: []byte("hello"), Progress: func(n int) { sent = append(sent, n) },
	})
	if want := "POST /base/routes/%24default%2Fx?a=1&b=2+%2B"; err != nil || string(got.Body) != want || got.Status != 200 {
		t.Errorf("got %q, %v, want %q", got.Body, err, want)
	}
	if len(sent) == 0 || sent[len(sent)-1] != 5 {
		t.Errorf("progress %v, want it to end at 5", sent)
	}
}

// A session token goes only to who asks for signatures, and then from the first request on.
func TestOnDemand(t *testing.T) {
	var seen []bool
	asks := true
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signed := r.Header.Get("Authorization") != ""
		seen = append(seen, signed)
		if asks && !signed {
			w.Header().Set("X-Amzn-Errortype", "MissingAuthenticationTokenException")
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer endpoint.Close()
	c := newClient(t, awsclient.Options{Endpoint: endpoint.URL, Service: "cleat", Credentials: awsclient.Static(keys), OnDemand: true})
	for range 2 {
		if _, err := c.Do(t.Context(), awsclient.Request{Method: http.MethodGet, Path: "/"}); err != nil {
			t.Fatal(err)
		}
	}
	asks = false
	c = newClient(t, awsclient.Options{Endpoint: endpoint.URL, Service: "cleat", Credentials: awsclient.Static(keys), OnDemand: true})
	if _, err := c.Do(t.Context(), awsclient.Request{Method: http.MethodGet, Path: "/"}); err != nil {
		t.Fatal(err)
	}
	if want := []bool{false, true, true, false}; len(seen) != 4 || seen[0] != want[0] || seen[1] != want[1] || seen[2] != want[2] || seen[3] != want[3] {
		t.Errorf("signed: %v, want %v", seen, want)
	}
}

// Errors of all of AWS's protocols say what they are, and what to do about credentials.
func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		header, body, want string
		status             int
	}{
		"REST":         {"NotFoundException", `{"message":"Invalid API identifier specified x"}`, "404 NotFoundException: Invalid API identifier specified x", 404},
		"JSON":         {"", `{"__type":"com.amazon#ResourceNotFoundException","Message":"no"}`, "400 ResourceNotFoundException: no", 400},
		"with a URL":   {"BadRequestException:http://internal/", `{"message":"no"}`, "400 BadRequestException: no", 400},
		"query":        {"", `<ErrorResponse><Error><Code>NoSuchEntity</Code><Message>no user</Message></Error></ErrorResponse>`, "404 NoSuchEntity: no user", 404},
		"not AWS":      {"", "<html>", "400 Bad Request: <html>", 400},
		"no signature": {"MissingAuthenticationTokenException", `{"message":"Missing Authentication Token"}`, "403 MissingAuthenticationTokenException: Missing Authentication Token\nNo credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile of ~/.aws/credentials with AWS_PROFILE", 403},
		"denied":       {"AccessDeniedException", `{"Message":"no"}`, "403 AccessDeniedException: no\nThe user's policies do not allow it", 403},
	} {
		endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if c.header != "" {
				w.Header().Set("X-Amzn-Errortype", c.header)
			}
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}))
		client := newClient(t, awsclient.Options{Endpoint: endpoint.URL, Service: "cleat"})
		_, err := client.Do(t.Context(), awsclient.Request{Method: http.MethodGet, Path: "/"})
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
		if e, ok := errors.AsType[*awsclient.Error](err); !ok || e.Status != c.status {
			t.Errorf("%s: got %#v", name, err)
		}
		endpoint.Close()
	}
}

// roundTrip is a transport in memory.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, header http.Header, body string) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}
}

// What may be repeated is, with growing waits; what may not, and what waiting does not help, is not.
func TestRetries(t *testing.T) {
	for name, c := range map[string]struct {
		method, errType string
		status          int
		header          string // Retry-After
		tries           int
		least, most     time.Duration
	}{
		"busy":        {http.MethodGet, "TooManyRequestsException", 429, "", 7, 5 * time.Second, 15 * time.Second},
		"fault":       {http.MethodPut, "", 503, "", 7, 5 * time.Second, 15 * time.Second},
		"when":        {http.MethodDelete, "", 429, "2", 7, 12 * time.Second, 12 * time.Second},
		"never again": {http.MethodPost, "", 429, "", 1, 0, 0},
		"full":        {http.MethodPut, "LimitExceededException", 429, "", 1, 0, 0},
		"refused":     {http.MethodGet, "", 403, "", 1, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			tries := 0
			client := newClient(t, awsclient.Options{Endpoint: "http://x.test", Service: "cleat", Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				tries++
				if body, err := io.ReadAll(r.Body); err != nil || string(body) != "b" {
					t.Errorf("%s: try %d has the body %q, %v", name, tries, body, err)
				}
				return answer(c.status, http.Header{"X-Amzn-Errortype": {c.errType}, "Retry-After": {c.header}}, "{}"), nil
			})})
			start := time.Now()
			if _, err := client.Do(t.Context(), awsclient.Request{Method: c.method, Path: "/", Body: []byte("b")}); err == nil {
				t.Errorf("%s: no error", name)
			}
			if took := time.Since(start); tries != c.tries || took < c.least || took > c.most {
				t.Errorf("%s: %d tries in %v, want %d in %v to %v", name, tries, took, c.tries, c.least, c.most)
			}
		})
	}
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, awsclient.Options{Endpoint: "http://x.test", Service: "cleat", Rate: 10, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return answer(200, nil, ""), nil
		})})
		start := time.Now()
		for range 21 {
			if _, err := client.Do(t.Context(), awsclient.Request{Method: http.MethodGet, Path: "/"}); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("21 calls took %v, want 2s", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := client.Do(ctx, awsclient.Request{Method: http.MethodGet, Path: "/"}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the context's end", err)
		}
	})
}

// A call does not wait for ever, but a body may take its time as long as it goes up.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := false
		client := newClient(t, awsclient.Options{Endpoint: "http://x.test", Service: "cleat", Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			part := make([]byte, 1)
			for {
				if _, err := r.Body.Read(part); errors.Is(err, io.EOF) {
					break
				}
				time.Sleep(20 * time.Second)
			}
			if silent {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return answer(200, nil, ""), nil
		})})
		q := awsclient.Request{Method: http.MethodPut, Path: "/", Body: []byte("four")}
		if _, err := client.Do(t.Context(), q); err != nil {
			t.Errorf("a slow body: %v", err)
		}
		silent = true
		if _, err := client.Do(t.Context(), q); err == nil || !strings.Contains(err.Error(), "no answer in time") {
			t.Errorf("a silent endpoint: %v", err)
		}
	})
}

func TestBounds(t *testing.T) {
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte("x"), 11)) }))
	defer endpoint.Close()
	client := newClient(t, awsclient.Options{Endpoint: endpoint.URL, MaxAnswer: 10})
	if _, err := client.Do(t.Context(), awsclient.Request{Method: http.MethodGet, Path: "/"}); err == nil || !strings.Contains(err.Error(), "longer than 10 bytes") {
		t.Errorf("got %v", err)
	}
	for _, bad := range []string{"localhost:3002", "ftp://x", "http://", "://"} {
		if _, err := awsclient.New(awsclient.Options{Endpoint: bad}); err == nil {
			t.Errorf("%q is taken for an endpoint", bad)
		}
	}
}

func TestEndpoint(t *testing.T) {
	for region, want := range map[string]string{
		"": "https://apigateway.us-east-1.amazonaws.com", "eu-west-1": "https://apigateway.eu-west-1.amazonaws.com", "cn-north-1": "https://apigateway.cn-north-1.amazonaws.com.cn",
	} {
		if got := newClient(t, awsclient.Options{Service: "apigateway", Region: region}).Endpoint(); got != want {
			t.Errorf("%s: got %s, want %s", region, got, want)
		}
	}
}

// Credentials are found as the AWS CLI finds them.
func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	shared := filepath.Join(dir, "credentials")
	err := os.WriteFile(shared, []byte("[default]\naws_access_key_id=AKIADEFAULT\naws_secret_access_key=s\n[work]\naws_access_key_id=AKIAWORK\naws_secret_access_key=s\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "config")
	if err := os.WriteFile(config, []byte("[profile work]\nregion=eu-north-1\n[profile empty]\nregion=x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", shared)
	t.Setenv("AWS_CONFIG_FILE", config)
	for _, name := range []string{"AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"} {
		t.Setenv(name, "")
	}
	env := []string{"AWS_ACCESS_KEY_ID=AKIAENV", "AWS_SECRET_ACCESS_KEY=s"}
	for name, c := range map[string]struct {
		from         awsclient.Sources
		want, region string
	}{
		"environment":          {awsclient.Sources{Env: append(env, "AWS_REGION=eu-west-3", "AWS_PROFILE=work")}, "AKIAENV", "eu-west-3"},
		"profile":              {awsclient.Sources{Env: env, Profile: "work"}, "AKIAWORK", "eu-north-1"},
		"profile of the shell": {awsclient.Sources{Env: []string{"AWS_PROFILE=work"}}, "AKIAWORK", "eu-north-1"},
		"default profile":      {awsclient.Sources{Env: []string{"HOME=" + dir}}, "AKIADEFAULT", ""},
		"nothing":              {awsclient.Sources{}, "", ""},
	} {
		got, err := c.from.Credentials()(t.Context())
		if got.AccessKeyID != c.want || (c.want == "") != errors.Is(err, awsclient.ErrNoCredentials) {
			t.Errorf("%s: got %v, %v, want %s", name, got, err, c.want)
		}
		if region := c.from.Region(t.Context()); region != c.region {
			t.Errorf("%s: region %q, want %q", name, region, c.region)
		}
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "none"))
	if _, err := (awsclient.Sources{Env: []string{"HOME=" + dir}}).Credentials()(t.Context()); !errors.Is(err, awsclient.ErrNoCredentials) {
		t.Errorf("no file: got %v, want ErrNoCredentials", err)
	}
	if _, err := (awsclient.Sources{Profile: "typo"}).Credentials()(t.Context()); err == nil || errors.Is(err, awsclient.ErrNoCredentials) {
		t.Errorf("a profile that is not there: %v", err)
	}
}
