package access_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cleat/internal/access"
	"cleat/internal/authorizer"
	"cleat/internal/awsapi"
	"cleat/internal/cfn"
	"cleat/internal/config"
	"cleat/internal/controlapi"
	"cleat/internal/identity"
	"cleat/internal/store"
	"cleat/internal/store/memory"
)

const region = "eu-west-3"

// newTestGate is a gate that asks for signatures, with the administrator's key, and what it last applied.
func newTestGate(t *testing.T, change func(*access.GateOptions)) (g *access.Gate, admin awsapi.Credentials, applied *awsapi.Credentials) {
	t.Helper()
	applied = &awsapi.Credentials{}
	o := access.GateOptions{
		Region: region, Required: true, Log: slog.New(slog.DiscardHandler),
		Apply: func(_ *authorizer.IAM, functions awsapi.Credentials) { *applied = functions },
	}
	if change != nil {
		change(&o)
	}
	g = access.New(store.New(memory.New()), o)
	err := g.Admit(t.Context(), access.Settings{Region: region}, func(c awsapi.Credentials) error { admin = c; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return g, admin, applied
}

// as tells whom a gate takes a request for, and as what the request was refused.
func as(g *access.Gate, c awsapi.Credentials) (controlapi.Caller, error) {
	r := httptest.NewRequest(http.MethodGet, "http://node.example/v2/apis", http.NoBody)
	if c.AccessKeyID != "" {
		var signer awsapi.SigV4
		for _, f := range signer.Sign(r.Method, r.URL, nil, nil, "apigateway", region, c, time.Now()) {
			r.Header.Set(f.Name, f.Value)
		}
	}
	return g.Authorize(r, func() ([]byte, error) { return nil, nil }, controlapi.Access{Service: "apigateway", Action: "apigateway:GET", Resource: "arn:aws:apigateway:eu-west-3::/apis"})
}

// A gate knows the users of the store and of cleat.yaml from Load on, what is changed of the former from then on, and nobody
// before.
func TestGateUsers(t *testing.T) {
	g, admin, applied := newTestGate(t, nil)
	if who, err := as(g, admin); err != nil || who.ARN != "arn:aws:iam::123456789012:user/admin" || who.AccessKeyID != admin.AccessKeyID {
		t.Errorf("the administrator: got %+v, %v", who, err)
	}
	if !strings.HasPrefix(applied.AccessKeyID, "ASIA") || applied.SessionToken == "" {
		t.Errorf("functions sign with %v", *applied)
	}
	if _, err := as(g, awsapi.Credentials{}); err == nil {
		t.Error("nobody may call")
	}
	ann := awsapi.Credentials{AccessKeyID: "AKIAANN", SecretAccessKey: "s1"}
	listed := access.Settings{Region: region}
	listed.Users.List = []config.User{{Name: "ann", Place: cfn.Place{File: "cleat.yaml", Line: 3}, Keys: []config.AccessKey{{Credentials: ann}}}}
	if _, err := as(g, ann); err == nil {
		t.Error("a user of cleat.yaml is known before Load")
	}
	if err := g.Load(t.Context(), listed); err != nil {
		t.Fatal(err)
	}
	if who, err := as(g, ann); err == nil || who.ARN != "arn:aws:iam::123456789012:user/ann" {
		t.Errorf("a user without a policy: got %+v, %v", who, err)
	}
	if _, err := g.Identities().CreateUser(t.Context(), identity.NewUser{UserName: "Ann"}); err == nil {
		t.Error("the store has a user with a name of cleat.yaml's")
	}
	if _, err := g.Identities().CreateUser(t.Context(), identity.NewUser{UserName: "bob"}); err != nil {
		t.Fatal(err)
	}
	_, bob, err := g.Identities().CreateAccessKey(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	if who, err := as(g, bob); err == nil || who.ARN != "arn:aws:iam::123456789012:user/bob" {
		t.Errorf("a user who was made a moment before: got %+v, %v", who, err)
	}

	for name, test := range map[string]struct {
		user config.User
		want string
	}{
		"name": {config.User{Name: "BOB", Place: cfn.Place{File: "cleat.yaml", Line: 4}}, "cleat.yaml:4: the node itself keeps a user BOB"},
		"key":  {config.User{Name: "eve", Place: cfn.Place{File: "cleat.yaml", Line: 5}, Keys: []config.AccessKey{{Credentials: awsapi.Credentials{AccessKeyID: bob.AccessKeyID, SecretAccessKey: "s"}}}}, "cleat.yaml:5: user eve: the node itself keeps access key " + bob.AccessKeyID + ", for user bob"},
	} {
		clash := access.Settings{Region: region}
		clash.Users.List = []config.User{test.user}
		if err := g.Load(t.Context(), clash); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
		if who, _ := as(g, ann); who.ARN == "" {
			t.Errorf("%s: what was in effect before is not any more", name)
		}
	}
}

// A node that does not ask for signatures answers everybody, and its functions sign with what they find.
func TestGateOpen(t *testing.T) {
	g, _, applied := newTestGate(t, func(o *access.GateOptions) { o.Required = false })
	if who, err := as(g, awsapi.Credentials{}); err != nil || who != (controlapi.Caller{}) {
		t.Errorf("got %+v, %v", who, err)
	}
	if *applied != (awsapi.Credentials{}) {
		t.Errorf("functions sign with %v", *applied)
	}
}

// What a node shows of itself is for this machine, where nobody else reaches the listener, and for who logs in.
func TestLogin(t *testing.T) {
	g, admin, _ := newTestGate(t, nil)
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metrics") })
	for name, test := range map[string]struct {
		local  bool
		change func(*http.Request)
		status int
	}{
		"this machine":              {true, func(*http.Request) {}, 200},
		"this machine, a socket":    {true, func(r *http.Request) { r.RemoteAddr = "@" }, 200},
		"this machine, HTTP/1.0":    {true, func(r *http.Request) { r.Proto, r.ProtoMinor = "HTTP/1.0", 0 }, 401},
		"this machine, an API":      {true, func(r *http.Request) { r.Header.Set("X-Amzn-Apigateway-Api-Id", "") }, 401},
		"another machine":           {true, func(r *http.Request) { r.RemoteAddr = "192.0.2.1:4711" }, 401},
		"open":                      {false, func(*http.Request) {}, 401},
		"open, the administrator":   {false, func(r *http.Request) { r.SetBasicAuth(admin.AccessKeyID, admin.SecretAccessKey) }, 200},
		"open, the wrong secret":    {false, func(r *http.Request) { r.SetBasicAuth(admin.AccessKeyID, "x") }, 401},
		"open, an unknown key":      {false, func(r *http.Request) { r.SetBasicAuth("AKIAX", "x") }, 401},
		"open, a page with a login": {false, func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 401},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://localhost/metrics", http.NoBody)
		r.RemoteAddr = "127.0.0.1:4711"
		test.change(r)
		w := httptest.NewRecorder()
		g.Login(access.ActionReadMetrics, test.local, page).ServeHTTP(w, r)
		if w.Code != test.status || (w.Body.String() == "metrics") != (test.status == 200) || (w.Header().Get("WWW-Authenticate") != "") != (test.status == 401) {
			t.Errorf("%s: got %d %s, want %d", name, w.Code, w.Body, test.status)
		}
	}
}

// A first key that could not be shown is nobody's, and the next start makes another.
func TestAdmitShowsTheFirstKey(t *testing.T) {
	broken := errors.New("broken pipe")
	g := access.New(store.New(memory.New()), access.GateOptions{Required: true, Log: slog.New(slog.DiscardHandler), Apply: func(*authorizer.IAM, awsapi.Credentials) {}})
	var first, second awsapi.Credentials
	admit := func(show func(awsapi.Credentials) error) error {
		return g.Admit(context.Background(), access.Settings{Region: awsapi.DefaultRegion}, show)
	}
	if err := admit(func(c awsapi.Credentials) error { first = c; return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	if err := admit(func(c awsapi.Credentials) error { second = c; return nil }); err != nil || second.AccessKeyID == "" || second == first {
		t.Errorf("got %v, %v", second.AccessKeyID, err)
	}
	if err := admit(func(awsapi.Credentials) error { t.Error("a third key is made"); return nil }); err != nil {
		t.Error(err)
	}
}
