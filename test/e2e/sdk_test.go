//go:build e2e

package e2e_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
)

// outcome is what the functions and scripts of these tests say about one call of the management API.
type outcome struct {
	Op     string
	Result json.RawMessage
	Error  *struct {
		Name       string
		Code       string
		StatusCode int
		Message    string
	}
}

// Functions reach the management API with the SDKs and endpoints that code on AWS has, unchanged.
func TestSDKsInFunctions(t *testing.T) {
	// A company's own certificate bundle in the environment must neither be lost nor hide Cleat's authority.
	company := filepath.Join(t.TempDir(), "company.pem")
	writeFile(t, company, companyCertificate)
	env := []string{}
	for _, name := range []string{"NODE_EXTRA_CA_CERTS", "AWS_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"} {
		env = append(env, name+"="+company)
	}
	projects := map[string]struct {
		project, modules string
		actions          []string
		gone             string // what the SDK calls an absent connection
		env              []string
	}{
		"javascript":                      {project: "javascript", modules: "node_modules", actions: []string{"v2", "v3"}, gone: "GoneException"},
		"python":                          {project: "python", actions: []string{"boto3"}, gone: "GoneException"},
		"javascript with a company's CAs": {project: "javascript", modules: "node_modules", actions: []string{"v2", "v3"}, gone: "GoneException", env: env},
		"python with a company's CAs":     {project: "python", actions: []string{"boto3"}, gone: "GoneException", env: env},
	}
	for name, p := range projects {
		t.Run(name, func(t *testing.T) {
			d := startDev(t, p.project, options{modules: p.modules, env: p.env})
			for _, action := range p.actions {
				for _, via := range []string{"domain", "aws"} {
					t.Run(action+" via "+via, func(t *testing.T) { d.in(t).checkManagement(action, via, p.gone) })
				}
			}
		})
	}
}

// checkManagement has one function post to, get and delete connections, and to one that has gone.
func (d *dev) checkManagement(action, via, gone string) {
	t := d.t
	t.Helper()
	caller, callerID := d.connect()
	other, otherID := d.connect()
	call := func(op, to string) outcome {
		t.Helper()
		message, err := json.Marshal(map[string]string{"action": action, "op": op, "via": via, "to": to, "data": "pushed: grüße"})
		if err != nil {
			t.Fatal(err)
		}
		return reply[outcome](t, caller.ask(string(message)))
	}
	if got := call("post", otherID); got.Error != nil {
		t.Fatalf("post: %+v", *got.Error)
	}
	if got := other.receive(); got != "pushed: grüße" {
		t.Errorf("the other connection received %q", got)
	}
	if got := call("get", callerID); got.Error != nil || !containsAll(string(got.Result), []string{"127.0.0.1", "20"}) {
		t.Errorf("get: %s %+v, want the connection", got.Result, got.Error)
	}
	if got := call("delete", otherID); got.Error != nil {
		t.Errorf("delete: %+v", *got.Error)
	}
	if code, reason := other.receiveClose(); code != websocket.StatusNormalClosure || reason != "Connection Closed Normally" {
		t.Errorf("the deleted connection was closed with %d %q", code, reason)
	}
	for _, op := range []string{"post", "get", "delete"} {
		got := call(op, otherID)
		if got.Error == nil || got.Error.StatusCode != http.StatusGone || !slices.Contains([]string{got.Error.Name, got.Error.Code}, gone) {
			t.Errorf("%s to a connection that has gone: %s %+v, want 410 %s", op, got.Result, got.Error, gone)
		}
	}
	if got := call("post", "AAAA"); got.Error == nil || got.Error.StatusCode != http.StatusBadRequest {
		t.Errorf("post to an impossible ID: %s %+v, want 400", got.Result, got.Error)
	}
}

// Programs outside reach it under the endpoint that `cleat dev` prints.
func TestSDKsOutside(t *testing.T) {
	d := startDev(t, "recorder", options{})
	programs := map[string][]string{
		"JavaScript SDK v3": {"node", "clients/sdk3.mjs"},
		"boto3":             {filepath.Join(strings.SplitN(built.path, ":", 2)[0], "python3"), "clients/outside.py"},
	}
	for name, program := range programs {
		t.Run(name, func(t *testing.T) {
			c, id := d.in(t).connect()
			call := func(args ...string) outcome {
				t.Helper()
				args = append([]string{program[1], d.endpoint()}, args...)
				return reply[outcome](t, mustCommand(t, nil, "", program[0], args...))
			}
			if got := call("post", id, "from outside"); got.Error != nil {
				t.Fatalf("post: %+v", *got.Error)
			}
			if got := c.receive(); got != "from outside" {
				t.Errorf("received %q", got)
			}
			if got := call("get", id); got.Error != nil || !strings.Contains(string(got.Result), "127.0.0.1") {
				t.Errorf("get: %s %+v", got.Result, got.Error)
			}
			if got := call("delete", id); got.Error != nil {
				t.Errorf("delete: %+v", *got.Error)
			}
			c.receiveClose()
			if got := call("post", id, "too late"); got.Error == nil || got.Error.Name != "GoneException" || got.Error.StatusCode != http.StatusGone {
				t.Errorf("post to a connection that has gone: %+v, want 410 GoneException", got.Error)
			}
		})
	}
}

// A program that speaks the Runtime API itself reaches the AWS host through the standard proxy and trust variables.
func TestGoBinary(t *testing.T) {
	project := copyProject(t, "testdata/gobinary", "")
	mustCommand(t, []string{"CGO_ENABLED=0"}, "", "go", "build", "-o", filepath.Join(project, "bootstrap"), filepath.Join(project, "main.go"))
	company := filepath.Join(t.TempDir(), "company.pem")
	writeFile(t, company, companyCertificate)
	proxy := startCompanyProxy(t)
	cases := map[string]struct {
		env     []string
		through bool // whether the company's proxy sees calls to elsewhere
	}{
		"alone":                         {},
		"with a company's CAs":          {env: []string{"SSL_CERT_FILE=" + company}},
		"with a company's proxy":        {env: []string{"HTTPS_PROXY=" + proxy.url}, through: true},
		"where AWS is not behind it":    {env: []string{"HTTPS_PROXY=" + proxy.url, "NO_PROXY=localhost,.amazonaws.com"}, through: true},
		"where all but AWS is past it":  {env: []string{"HTTPS_PROXY=" + proxy.url, "NO_PROXY=elsewhere.example"}},
		"where nothing is behind proxy": {env: []string{"HTTPS_PROXY=" + proxy.url, "NO_PROXY=*"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := startDevIn(t, project, options{env: tc.env})
			c, _ := d.connect()
			if got, want := c.ask(`{"action":"push","n":1}`), `pushed {"action":"push","n":1}`; got != want {
				t.Errorf("received %q, want %q", got, want)
			}
			if !tc.through {
				return // there is nobody to ask elsewhere
			}
			proxy.take()
			c.ask(`{"action":"fetch"}`)
			if got := proxy.take(); !slices.Equal(got, []string{"elsewhere.example:443"}) {
				t.Errorf("the company's proxy was asked for %q, want elsewhere.example:443", got)
			}
		})
	}
}

// companyProxy takes down what it is asked to connect to, and refuses.
type companyProxy struct {
	url   string
	mu    sync.Mutex
	asked []string
}

func startCompanyProxy(t *testing.T) *companyProxy {
	t.Helper()
	p := &companyProxy{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.asked = append(p.asked, r.Host)
		w.WriteHeader(http.StatusBadGateway)
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func (p *companyProxy) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := p.asked
	p.asked = nil
	return asked
}

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(content), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// companyCertificate is an authority whose key nobody has.
const companyCertificate = `-----BEGIN CERTIFICATE-----
MIIBujCCAWGgAwIBAgIUXl2toeVYJfSQuCHD+UqJEvHJTjUwCgYIKoZIzj0EAwIw
MjEwMC4GA1UEAwwnQ29tcGFueSBBdXRob3JpdHkgb2YgYW4gRW5kLXRvLUVuZCBU
ZXN0MCAXDTI2MTEyMjE3MDYyN1oYDzIxMjYxMDI5MTcwNjI3WjAyMTAwLgYDVQQD
DCdDb21wYW55IEF1dGhvcml0eSBvZiBhbiBFbmQtdG8tRW5kIFRlc3QwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAAR0vocXxcJvPiMa6FhGsEr0+xxsJ5/+sFjKb23l
RMRagM89M7d1TjeA9pyJQwaNUd6b9fcy67+RhKdXdnJFrGi7o1MwUTAdBgNVHQ4E
FgQUPqjyJ9nzl/cxCPz3rkt06EZd770wHwYDVR0jBBgwFoAUPqjyJ9nzl/cxCPz3
rkt06EZd770wDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiAGBE1u
tioNP0rnqVAVXehL4KJFXsENprdXYtMESDPnAgIgKPg1O1a3km7BujmfVh8hrVc/
LfHgbe3dfDHJ3RJWwO8=
-----END CERTIFICATE-----
`
