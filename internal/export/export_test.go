package export_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/awsclient"
	"cleat/internal/cfn"
	"cleat/internal/control"
	"cleat/internal/control/stacks"
	"cleat/internal/export"
	"cleat/internal/store"
	"cleat/internal/store/memory"
)

// endpoint answers the calls of apigatewayv2 and apigateway that reading needs, as spec control-plane §2 and §14 have them,
// two things a page, out of a store.
type endpoint struct {
	t     *testing.T
	store *store.Store
	calls []string
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.calls = append(e.calls, r.URL.Path)
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	var got any
	var items []any
	switch {
	case parts[0] == "apikeys":
		k, _, err := store.Get(r.Context(), e.store, store.APIKeys().Key(parts[1]))
		e.check(err)
		value := ""
		if r.URL.Query().Get("includeValue") == "true" {
			value = k.Value
		}
		got = map[string]any{"id": k.ID, "name": k.Name, "enabled": k.Enabled, "createdDate": 1.7e9, "value": value, "customerId": k.CustomerID}
	case parts[0] == "usageplans" && len(parts) == 1:
		all, err := store.List(r.Context(), e.store, store.UsagePlans())
		e.check(err)
		items = anys(all)
	case parts[0] == "usageplans":
		all, err := store.List(r.Context(), e.store, store.UsagePlanKeys(parts[1]))
		e.check(err)
		for _, k := range all {
			items = append(items, map[string]any{"id": k.ID, "type": k.Type, "name": "x"})
		}
	case parts[1] == "domainnames":
		items = e.domains(r, parts[2:])
	case len(parts) == 2:
		all, err := store.List(r.Context(), e.store, store.APIs())
		e.check(err)
		items = append(anys(all), apigw.API{APIID: "http", ProtocolType: "HTTP", Name: "other"})
	default:
		t, err := e.store.Tree(r.Context(), apigw.APIID(parts[2]))
		if err != nil {
			w.Header().Set("X-Amzn-Errortype", "NotFoundException")
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"message":"Invalid API identifier specified"}`))
			return
		}
		if len(parts) == 3 {
			got = t.API
		} else {
			items = below(t, parts[3:])
		}
	}
	if got == nil {
		got = page(r, items, parts[0] == "v2")
	}
	e.check(json.NewEncoder(w).Encode(got))
}

func (e *endpoint) check(err error) {
	if err != nil {
		e.t.Error(err)
	}
}

func (e *endpoint) domains(r *http.Request, path []string) []any {
	all, err := e.store.Domains(r.Context())
	e.check(err)
	var items []any
	for _, d := range all {
		switch {
		case len(path) == 0:
			items = append(items, d.Name)
		case path[0] == d.Name.DomainName:
			for _, m := range d.Mappings {
				m.DomainName = "" // which the answer does not say
				items = append(items, m)
			}
		}
	}
	return items
}

// below are the members of an API that a path names.
func below(t *store.Tree, path []string) []any {
	switch {
	case len(path) == 3 && path[2] == "routeresponses":
		return of(t.RouteResponses, func(r *apigw.RouteResponse) *string { return &r.RouteID }, path[1])
	case len(path) == 3:
		return of(t.IntegrationResponses, func(r *apigw.IntegrationResponse) *string { return &r.IntegrationID }, path[1])
	}
	return map[string][]any{
		"routes": anys(t.Routes), "integrations": anys(t.Integrations), "authorizers": anys(t.Authorizers), "models": anys(t.Models),
		"deployments": anys(t.Deployments), "stages": anys(t.Stages),
	}[path[0]]
}

// of are the members of one parent, whose answers do not name it.
func of[T any](all []T, parent func(*T) *string, id string) []any {
	var out []any
	for _, v := range all {
		if p := parent(&v); *p == id {
			*p = ""
			out = append(out, v)
		}
	}
	return out
}

func anys[T any](all []T) []any {
	var out []any
	for _, v := range all {
		out = append(out, v)
	}
	return out
}

func page(r *http.Request, items []any, v2 bool) any {
	token, list := "position", "item"
	if v2 {
		token, list = "nextToken", "items"
	}
	from, _ := strconv.Atoi(r.URL.Query().Get(token))
	to := min(from+2, len(items))
	out := map[string]any{list: items[from:to]}
	if to < len(items) {
		out[token] = strconv.Itoa(to)
	}
	return out
}

// world is a store, and a client of an endpoint that serves it.
type world struct {
	t        *testing.T
	store    *store.Store
	control  *control.Control
	endpoint *endpoint
	client   *awsclient.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s := store.New(memory.New())
	e := &endpoint{t: t, store: s}
	server := httptest.NewServer(e)
	c, err := awsclient.New(awsclient.Options{Endpoint: server.URL, Service: "apigateway"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		server.Close()
	})
	return &world{t, s, control.New(s, control.Options{}), e, c}
}

func (w *world) apply(name string, text []byte) {
	w.t.Helper()
	v, err := cfn.Parse("t.yaml", text)
	if err != nil {
		w.t.Fatalf("%v\n%s", err, text)
	}
	if _, err := stacks.New(w.store, stacks.Options{}).Apply(w.t.Context(), stacks.Stack{Name: name, Template: v, Region: "eu-west-1"}); err != nil {
		w.t.Fatalf("%v\n%s", err, text)
	}
}

// read reads the only API.
func (w *world) read(o export.Options) *export.API {
	w.t.Helper()
	all, err := export.List(w.t.Context(), w.client)
	if err != nil || len(all) != 1 {
		w.t.Fatalf("APIs %+v, %v", all, err)
	}
	a, err := export.Read(w.t.Context(), w.client, string(all[0].APIID), o)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func yaml(t *testing.T, a *export.API) []byte {
	t.Helper()
	b, err := a.CloudFormation().YAML()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// An API that goes out and in again is the same, and so is what is written of it: for each template of testdata, whose export
// stands beside it.
func TestRoundTrip(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("files %v, %v", files, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, ".export.yaml") {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			from, to := newWorld(t), newWorld(t)
			from.apply("one", source)
			a := from.read(export.Options{KeyValues: true})
			first := yaml(t, a)
			golden := strings.TrimSuffix(file, ".yaml") + ".export.yaml"
			if os.Getenv("CLEAT_UPDATE") != "" {
				if err := os.WriteFile(golden, first, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(golden); err != nil || string(want) != string(first) {
				t.Errorf("%v: got\n%s\nwant\n%s", err, first, want)
			}
			to.apply("another", first)
			b := to.read(export.Options{KeyValues: true})
			if second := yaml(t, b); string(second) != string(first) {
				t.Errorf("first\n%s\nsecond\n%s", first, second)
			}
			if one, two := a.Behaviour(), b.Behaviour(); string(one) != string(two) {
				t.Errorf("behaves as\n%s\nrather than\n%s", two, one)
			}
			for _, id := range []string{string(a.API.APIID), a.Routes[0].RouteID} {
				if strings.Contains(string(first), id) {
					t.Errorf("the identifier %s is in it:\n%s", id, first)
				}
			}
			sameServing(t, from.store, to.store)
		})
	}
}

// sameServing compares what the data plane is given, but for identifiers and dates.
func sameServing(t *testing.T, x, y *store.Store) {
	t.Helper()
	var texts [2]string
	for i, s := range []*store.Store{x, y} {
		serving, err := s.Serving(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range serving.Stages {
			tree := &store.Tree{API: *p.API, Stages: []apigw.Stage{*p.Stage}}
			def, err := p.Frozen.Definition()
			if err != nil {
				t.Fatal(err)
			}
			tree.Routes, tree.RouteResponses, tree.Integrations = def.Routes, def.RouteResponses, def.Integrations
			tree.IntegrationResponses, tree.Authorizers, tree.Models = def.IntegrationResponses, def.Authorizers, def.Models
			texts[i] += string(export.Of(tree, serving.Mappings).Behaviour()) + "\n"
		}
		texts[i] += fmt.Sprint(len(serving.APIKeys), len(serving.UsagePlans), len(serving.UsagePlanKeys))
		var secrets []string
		for _, k := range serving.APIKeys {
			secrets = append(secrets, k.Value)
		}
		slices.Sort(secrets)
		texts[i] += strings.Join(secrets, " ")
	}
	if texts[0] != texts[1] {
		t.Errorf("served\n%s\nrather than\n%s", texts[1], texts[0])
	}
}

func source(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Values of API keys are read only where they are asked for.
func TestKeyValues(t *testing.T) {
	w := newWorld(t)
	w.apply("keys", source(t, "keys.yaml"))
	a := w.read(export.Options{})
	if text := yaml(t, a); strings.Contains(string(text), "a-secret-of-the-partner") || !strings.Contains(strings.Join(a.Notes(), "\n"), "API key partner is written without its value") {
		t.Errorf("%s\n%v", text, a.Notes())
	}
}

func TestNotes(t *testing.T) {
	w := newWorld(t)
	w.apply("all", source(t, "all.yaml"))
	notes := strings.Join(w.read(export.Options{}).Notes(), "\n")
	for _, want := range []string{
		"arn:aws:lambda:eu-west-1:123456789012:function:chat", "remoteFunctions", "VPC link main", "changes that were not deployed yet included", "The custom domain name chat.example.com",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("no %q in\n%s", want, notes)
		}
	}
}

func TestUnknownAPI(t *testing.T) {
	w := newWorld(t)
	if _, err := export.Read(t.Context(), w.client, "nothing", export.Options{}); err == nil || !strings.Contains(err.Error(), "404 NotFoundException: Invalid API identifier specified") {
		t.Errorf("got %v", err)
	}
	if slices.Contains(w.endpoint.calls, "/v2/apis/nothing/routes") {
		t.Error("it went on reading")
	}
}
