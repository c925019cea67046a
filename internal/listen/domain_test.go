package listen_test

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/listen"
)

// mapped is a node with custom domain names, and stages whose default endpoint is closed.
type mapped struct {
	node
	domains  map[string][]apigw.APIMapping
	disabled []string // stages
}

func (m mapped) Mappings(host string) ([]apigw.APIMapping, bool) {
	all, ok := m.domains[host]
	return all, ok
}

func (m mapped) EndpointDisabled(_ apigw.APIID, stage string) bool {
	return slices.Contains(m.disabled, stage)
}

const (
	first  = apigw.APIID("a1b2c3d4e5")
	second = apigw.APIID("zzzzzzzzzz")
)

func domainNode() mapped {
	return mapped{
		node: node{map[apigw.APIID][]string{first: {"dev", "prod"}, second: {"live"}}, first},
		domains: map[string][]apigw.APIMapping{
			"ws.example.test": {
				{APIID: first, Stage: "dev"},
				{APIID: first, Stage: "prod", APIMappingKey: "v1"},
				{APIID: second, Stage: "live", APIMappingKey: "v1/chat"},
				{APIID: second, Stage: "live", APIMappingKey: "v1/chat/x/y"},
				{APIID: second, Stage: "live", APIMappingKey: "$-_.+!*'()"},
			},
			"keyed.example.test":     {{APIID: first, Stage: "prod", APIMappingKey: "v1"}, {APIID: first, Stage: "gone", APIMappingKey: "v2"}, {APIID: "gonegonego", Stage: "dev", APIMappingKey: "v3"}},
			"empty.example.test":     nil,
			"chat.localhost":         {{APIID: first, Stage: "dev"}},
			strings.ToLower(awsHost): {{APIID: second, Stage: "live"}}, // control refuses such a name; the order is what counts
		},
	}
}

// Custom domain names: spec data-plane §1.1, management-api §1.
func TestResolveDomain(t *testing.T) {
	t.Parallel()
	to := func(api apigw.APIID, stage, rest string) listen.Target {
		return listen.Target{API: api, Stage: stage, Rest: rest, Form: listen.FormDomain}
	}
	health := listen.Target{Form: listen.FormHealth}
	cases := map[string]struct {
		host, path string
		want       listen.Target // zero: KindForbidden, or NoRouteError
		noRoute    string
	}{
		"root":                        {"ws.example.test", "/", to(first, "dev", ""), ""},
		"root, no path":               {"ws.example.test", "", to(first, "dev", ""), ""},
		"port and case":               {"WS.Example.Test:8443", "/", to(first, "dev", ""), ""},
		"root label":                  {"ws.example.test.", "/v1", to(first, "prod", ""), ""},
		"below localhost":             {"chat.localhost:3001", "/", to(first, "dev", ""), ""},
		"one level":                   {"ws.example.test", "/v1", to(first, "prod", ""), ""},
		"one level, slash":            {"ws.example.test", "/v1/", to(first, "prod", ""), ""},
		"one level, escaped":          {"ws.example.test", "/%761", to(first, "prod", ""), ""},
		"two levels":                  {"ws.example.test", "/v1/chat", to(second, "live", ""), ""},
		"four levels":                 {"ws.example.test", "/v1/chat/x/y/", to(second, "live", ""), ""},
		"the longest that fits":       {"ws.example.test", "/v1/chat/@connections/a%3D", to(second, "live", "/@connections/a%3D"), ""},
		"four levels and more":        {"ws.example.test", "/v1/chat/x/y/%40connections/a=", to(second, "live", "/@connections/a="), ""},
		"every legal character":       {"ws.example.test", "/$-_.+!*'()/@connections", to(second, "live", "/@connections"), ""},
		"every legal character, %":    {"ws.example.test", "/%24-_.%2B%21*%27%28%29", to(second, "live", ""), ""},
		"management at the root":      {"ws.example.test", "/@connections/a", to(first, "dev", "/@connections/a"), ""},
		"list at the root":            {"ws.example.test", "/@connections", to(first, "dev", "/@connections"), ""},
		"health":                      {"ws.example.test", "/ping", health, ""},
		"health, the other":           {"ws.example.test", "/sping/", health, ""},
		"health without a mapping":    {"empty.example.test", "/ping", health, ""},
		"below health is no health":   {"ws.example.test", "/ping/x", listen.Target{}, "ping/x"},
		"key is cut at slashes":       {"ws.example.test", "/v12", listen.Target{}, "v12"},
		"key is exact":                {"ws.example.test", "/V1", listen.Target{}, "V1"},
		"slash inside a segment":      {"ws.example.test", "/v1%2Fchat", listen.Target{}, "v1/chat"},
		"stage left in, root":         {"ws.example.test", "/prod/@connections/Ab-C_d%3D", listen.Target{}, "prod/@connections/Ab-C_d="},
		"stage left in, key":          {"ws.example.test", "/v1/prod/@connections/a=", listen.Target{}, "prod/@connections/a="},
		"stage left in, handshake":    {"ws.example.test", "/dev", listen.Target{}, "dev"},
		"path form means nothing":     {"ws.example.test", "/a1b2c3d4e5/dev", listen.Target{}, "a1b2c3d4e5/dev"},
		"long path":                   {"ws.example.test", "/v1" + strings.Repeat("/a", 2000), listen.Target{}, strings.Repeat("/a", 2000)[1:]},
		"key only":                    {"keyed.example.test", "/v1", to(first, "prod", ""), ""},
		"no key fits":                 {"keyed.example.test", "/", listen.Target{}, ""},
		"no key fits, stage left in":  {"keyed.example.test", "/prod/@connections/a", listen.Target{}, ""},
		"no key fits, management":     {"keyed.example.test", "/@connections/a", listen.Target{}, ""},
		"stage is not served":         {"keyed.example.test", "/v2", listen.Target{}, ""},
		"API is not served":           {"keyed.example.test", "/v3", listen.Target{}, ""},
		"no mapping":                  {"empty.example.test", "/", listen.Target{}, ""},
		"comes before the AWS form":   {awsHost, "/", to(second, "live", ""), ""},
		"other hosts are as they are": {"localhost", "/prod", listen.Target{API: first, Stage: "prod", Form: listen.FormStage}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := listen.Resolve(domainNode(), c.host, c.path)
			if got != c.want {
				t.Errorf("Resolve(%q, %q) = %+v, %v, want %+v", c.host, c.path, got, err, c.want)
			}
			none, isNone := errors.AsType[*listen.NoRouteError](err)
			switch {
			case c.want != (listen.Target{}):
			case c.noRoute == "":
				if apigw.KindOf(err) != apigw.KindForbidden {
					t.Errorf("error %v, want KindForbidden", err)
				}
			case !isNone || none.Route != c.noRoute:
				t.Errorf("error %v, want no route %q", err, c.noRoute)
			}
		})
	}
	if _, err := listen.Resolve(domainNode(), "ws.example.test", "/%zz"); apigw.KindOf(err) != apigw.KindBadRequest {
		t.Errorf("broken escape: %v, want KindBadRequest", err)
	}
}

// The text is AWS's, as captured (spec data-plane §1.1).
func TestNoRouteAnswer(t *testing.T) {
	t.Parallel()
	err := (&listen.NoRouteError{Route: "prod/@connections/Ab="}).Answer("POST")
	e, ok := errors.AsType[*apigw.Error](err)
	if want := "No method found matching route prod/@connections/Ab= for http method POST."; !ok || e.Kind != apigw.KindNotFound || e.Message != want {
		t.Errorf("got %+v, want KindNotFound %q", err, want)
	}
}

// With its default endpoint disabled an API is reached by custom domain names only (spec data-plane §1). What finds a
// connection by its ID is no endpoint of an API.
func TestDisabledEndpoint(t *testing.T) {
	t.Parallel()
	d := domainNode()
	d.disabled = []string{"dev"}
	for address, open := range map[[2]string]bool{
		{"a1b2c3d4e5.execute-api.localhost", "/dev"}:                false,
		{"a1b2c3d4e5.execute-api.localhost", "/dev/@connections/x"}: false,
		{"a1b2c3d4e5.execute-api.localhost", "/prod"}:               true,
		{"localhost", "/a1b2c3d4e5/dev"}:                            false,
		{"localhost", "/dev"}:                                       false,
		{"localhost", "/prod"}:                                      true,
		{"localhost", "/dev/@connections/x"}:                        true,
		{"localhost", "/@connections/x"}:                            true,
		{"ws.example.test", "/"}:                                    true,
		{"ws.example.test", "/@connections/x"}:                      true,
	} {
		if _, err := listen.Resolve(d, address[0], address[1]); (err == nil) != open {
			t.Errorf("%v: %v, want open %v", address, err, open)
		} else if err != nil && apigw.KindOf(err) != apigw.KindForbidden {
			t.Errorf("%v: %v, want KindForbidden", address, err)
		}
	}
	only := mapped{node: one("dev"), disabled: []string{"dev"}}
	if _, err := listen.Resolve(only, "localhost", "/"); apigw.KindOf(err) != apigw.KindForbidden {
		t.Errorf("the only stage at the root: %v, want KindForbidden", err)
	}
}

// FuzzResolveDomain: whatever the key and the path, the longest key that is a beginning of the path wins.
func FuzzResolveDomain(f *testing.F) {
	for _, seed := range [][2]string{
		{"v1", "/v1/@connections/x%3D"},
		{"v1/chat", "/v1/chat/"},
		{"", "/ping"},
		{"a//b", "/a//b"},
		{"v1", "/v1/dev/@connections/x"},
		{"/", "//"},
		{"v1", "/v1%2F"},
		{"%", "/%25"},
		{"a/b/c/d/e/f", "/a/b/c/d/e/f/@connections"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, key, path string) {
		d := mapped{node: one("dev", "keyed"), domains: map[string][]apigw.APIMapping{
			"d.test": {{APIID: first, Stage: "dev"}, {APIID: first, Stage: "keyed", APIMappingKey: key}},
		}}
		got, err := listen.Resolve(d, "d.test", path)
		if err != nil {
			if got != (listen.Target{}) {
				t.Fatalf("target %+v beside the error %v", got, err)
			}
			return
		}
		if got.Form == listen.FormHealth {
			if p := strings.TrimSuffix(path, "/"); !strings.HasSuffix(unescaped(t, p), "ping") {
				t.Fatalf("%q is no health check", path)
			}
			return
		}
		if got.Form != listen.FormDomain || got.API != first {
			t.Fatalf("%+v", got)
		}
		if got.Rest != "" && !strings.HasPrefix(got.Rest, "/@connections") {
			t.Fatalf("rest %q", got.Rest)
		}
		if got.Stage == "keyed" && key != "" && !strings.HasPrefix(unescaped(t, path), "/"+key) {
			t.Fatalf("%q does not begin with the key %q", path, key)
		}
		if got.Stage == "dev" && got.Rest == "" && path != "" && path != "/" {
			t.Fatalf("%q is taken for the root", path)
		}
	})
}

func unescaped(t *testing.T, path string) string {
	t.Helper()
	text, err := url.PathUnescape(path)
	if err != nil {
		t.Fatalf("%q was resolved and does not unescape", path)
	}
	return text
}
