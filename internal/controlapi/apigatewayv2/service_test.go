package apigatewayv2_test

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/control"
	"cleat/internal/controlapi"
	"cleat/internal/controlapi/apigatewayv2"
	"cleat/internal/store"
	"cleat/internal/store/memory"
	"cleat/internal/vtl"
)

// world is the service over a store of its own.
type world struct {
	tb      testing.TB
	driver  store.Driver
	control *control.Control
	handler *controlapi.Handler
	audit   []controlapi.Entry
	access  []controlapi.Access
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	d := memory.New()
	w := &world{tb: tb, driver: d, control: control.New(store.New(d), control.Options{})}
	w.handler = controlapi.New(controlapi.Options{
		Log: slog.New(slog.DiscardHandler), Region: "eu-west-1", Services: []controlapi.Service{apigatewayv2.Service(w.control)},
		Audit: func(e controlapi.Entry) { w.audit = append(w.audit, e) },
		Authorize: func(_ *http.Request, _ func() ([]byte, error), a controlapi.Access) (controlapi.Caller, error) {
			w.access = append(w.access, a)
			return controlapi.Caller{}, nil
		},
	})
	return w
}

// send gives the handler one request.
func (w *world) send(method, path, body string) *httptest.ResponseRecorder {
	w.tb.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1"+path, strings.NewReader(body))
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec
}

// must sends a request that must succeed, and returns the members of its answer.
func (w *world) must(method, path, body string) map[string]any {
	w.tb.Helper()
	rec := w.send(method, path, body)
	if rec.Code >= 300 {
		w.tb.Fatalf("%s %s %s: %d %s", method, path, body, rec.Code, rec.Body)
	}
	all := map[string]any{}
	if rec.Body.Len() > 0 {
		if err := json.Unmarshal(rec.Body.Bytes(), &all); err != nil {
			w.tb.Fatalf("%s %s: %v in %s", method, path, err, rec.Body)
		}
	}
	return all
}

// api makes an API and returns its path.
func (w *world) api() string {
	w.tb.Helper()
	return "/v2/apis/" + w.must("POST", "/v2/apis", `{"name":"chat","protocolType":"WEBSOCKET","routeSelectionExpression":"$request.body.action"}`)["apiId"].(string)
}

func (w *world) revision() store.Revision {
	w.tb.Helper()
	_, r, err := w.driver.List(w.tb.Context(), "")
	if err != nil {
		w.tb.Fatal(err)
	}
	return r
}

// TestCalls plays the files of testdata. A line is a request, "POST /v2/apis {json}"; the one below it what must be
// answered, "201 {json}", member by member and no other. In an answer "<name:pattern>" stands for a text that fits the
// pattern, which $name means from then on; <time> is a time in whole seconds. Further lines are comments (#) or empty.
func TestCalls(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { play(t, file) })
	}
}

func play(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	names := map[string]string{}
	lines := strings.Split(string(text), "\n")
	for i := 0; i < len(lines); i++ {
		if lines[i] == "" || lines[i][0] == '#' {
			continue
		}
		request, want := fill(lines[i], names), ""
		place := file + ":" + strconv.Itoa(i+1)
		if i++; i < len(lines) {
			want = fill(lines[i], names)
		}
		parts := strings.SplitN(request, " ", 3)
		before := w.revision()
		rec := w.send(parts[0], parts[1], strings.Join(parts[2:], ""))
		status, body, _ := strings.Cut(want, " ")
		if got := strconv.Itoa(rec.Code); got != status {
			t.Fatalf("%s: %s\ngot  %s %s\nwant %s", place, request, got, rec.Body, want)
		}
		if !fits(rec.Body.String(), body, names) {
			t.Fatalf("%s: %s\ngot  %s %s\nwant %s", place, request, status, rec.Body, want)
		}
		if rec.Code >= 400 && w.revision() != before {
			t.Errorf("%s: a refused request changed the store", place)
		}
		checkHeader(t, place, rec)
	}
}

var errorTypes = map[int]string{400: "BadRequestException", 403: "AccessDeniedException", 404: "NotFoundException", 409: "ConflictException", 429: "ConflictException"}

func checkHeader(t *testing.T, place string, rec *httptest.ResponseRecorder) {
	t.Helper()
	h := map[string][]string(rec.Result().Header) // AWS's spelling is not Go's
	id := h["x-amzn-RequestId"]
	if len(id) != 1 || len(id[0]) != 36 || len(h["x-amz-apigw-id"]) != 1 {
		t.Errorf("%s: header %v", place, h)
	}
	if kind := h["x-amzn-ErrorType"]; rec.Code >= 400 && (len(kind) != 1 || kind[0] != errorTypes[rec.Code]) {
		t.Errorf("%s: error type %v", place, kind)
	}
	if rec.Code == http.StatusNoContent && rec.Body.Len() > 0 {
		t.Errorf("%s: 204 with a body", place)
	}
}

var (
	named       = regexp.MustCompile(`\$[a-z]+[0-9]\b`)
	placeholder = regexp.MustCompile(`<([a-z]+[0-9]?)(?::([^>]*))?>`)
)

// fill puts in what names stand for. A name ends in a digit, which keeps it apart from $request and the like.
func fill(line string, names map[string]string) string {
	return named.ReplaceAllStringFunc(line, func(name string) string {
		if v, ok := names[name[1:]]; ok {
			return v
		}
		return name
	})
}

const timePattern = `[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z`

// fits compares two JSON texts, the second of which has placeholders, and notes what those stand for.
func fits(got, want string, names map[string]string) bool {
	normal := func(text string) string {
		var v any
		if text == "" {
			return ""
		}
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&v); err != nil || d.Decode(new(any)) != io.EOF {
			return "no JSON: " + text
		}
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			return err.Error()
		}
		return strings.TrimSpace(b.String())
	}
	want = normal(want)
	var pattern strings.Builder
	var order []string
	last := 0
	for _, m := range placeholder.FindAllStringSubmatchIndex(want, -1) {
		pattern.WriteString(regexp.QuoteMeta(want[last:m[0]]))
		name, p := want[m[2]:m[3]], timePattern
		if m[4] >= 0 {
			p = want[m[4]:m[5]]
		}
		pattern.WriteString("(" + p + ")")
		order, last = append(order, name), m[1]
	}
	pattern.WriteString(regexp.QuoteMeta(want[last:]))
	m := regexp.MustCompile("^" + pattern.String() + "$").FindStringSubmatch(normal(got))
	for i, name := range order {
		if m != nil && name != "time" {
			names[name] = m[i+1]
		}
	}
	return m != nil
}

// TestPages: lists come in pages that neither repeat nor leave out anything (spec control-plane §1.2).
func TestPages(t *testing.T) {
	w := newWorld(t)
	api := w.api()
	const n = 7
	for i := range n {
		w.must("POST", api+"/routes", `{"routeKey":"k`+strconv.Itoa(i)+`"}`)
	}
	all := w.must("GET", api+"/routes", "")["items"].([]any)
	if len(all) != n {
		t.Fatalf("%d routes without paging, want %d", len(all), n)
	}
	path, got := api+"/routes?maxResults=3", []any{}
	for pages := 1; ; pages++ {
		page := w.must("GET", path, "")
		got = append(got, page["items"].([]any)...)
		token, more := page["nextToken"].(string)
		if !more {
			if pages != 3 {
				t.Errorf("%d pages, want 3", pages)
			}
			break
		}
		if pages == 1 { // what a page has shown may go: the next is none the shorter
			w.must("DELETE", api+"/routes/"+got[2].(map[string]any)["routeId"].(string), "")
		}
		path = api + "/routes?maxResults=3&nextToken=" + token
	}
	if !reflect.DeepEqual(got, all) {
		t.Errorf("got %v, want %v", got, all)
	}

	token := w.must("GET", api+"/routes?maxResults=1", "")["nextToken"].(string)
	for _, query := range []string{"maxResults=0", "maxResults=-1", "maxResults=501", "maxResults=x", "nextToken=x", "nextToken=" + token[1:]} {
		if rec := w.send("GET", api+"/routes?"+query, ""); rec.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", query, rec.Code, rec.Body)
		}
	}
	if rec := w.send("GET", api+"/stages?nextToken="+token, ""); rec.Code != http.StatusBadRequest {
		t.Errorf("the token of another list: %d %s", rec.Code, rec.Body)
	}
	for _, list := range []string{"/v2/apis", "/v2/domainnames", api + "/integrations", api + "/authorizers", api + "/models", api + "/deployments", api + "/stages"} {
		if rec := w.send("GET", list+"?maxResults=0", ""); rec.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", list, rec.Code)
		}
	}
}

// TestPolicies: what policies and the audit log call operations and resources (spec control-plane §1.1, §1.4).
func TestPolicies(t *testing.T) {
	w := newWorld(t)
	api := w.api()
	arn := "arn:aws:apigateway:eu-west-1::"
	id := strings.TrimPrefix(api, "/v2")
	if e := w.audit[0]; e.Operation != "CreateApi" || e.Resource != arn+id || e.Status != http.StatusCreated {
		t.Errorf("audited %+v", e)
	}
	if a := w.access[0]; a != (controlapi.Access{Service: "apigateway", Action: "apigateway:POST", Resource: arn + "/apis"}) {
		t.Errorf("asked for %+v", a)
	}
	for request, want := range map[string]string{
		"GET " + api: "apigateway:GET " + id,
		"PATCH " + api + "/routes/r1/routeresponses/x":                          "apigateway:PATCH " + id + "/routes/r1/routeresponses/x",
		"DELETE " + api + "/routes/r1/requestparameters/route.request.header.X": "apigateway:DELETE " + id + "/routes/r1/requestparameters/route.request.header.X",
		"DELETE " + api + "/stages/dev/routesettings/%24default":                "apigateway:DELETE " + id + "/stages/dev/routesettings/$default",
		"GET /v2/tags/arn%3Aaws%3Aapigateway%3Aeu-west-1%3A%3A%2Fapis%2Fx":      "apigateway:GET /tags/arn%3Aaws%3Aapigateway%3Aeu-west-1%3A%3A%2Fapis%2Fx",
		"POST /v2/domainnames/ws.example.com/apimappings":                       "apigateway:POST /domainnames/ws.example.com/apimappings",
		"PUT /v2/apis": "apigateway:PUT /apis",
	} {
		w.access, w.audit = nil, nil
		method, path, _ := strings.Cut(request, " ")
		rec := w.send(method, path, "{}")
		action, resource, _ := strings.Cut(want, " ")
		if len(w.access) != 1 || w.access[0] != (controlapi.Access{Service: "apigateway", Action: action, Resource: arn + resource}) {
			t.Errorf("%s: asked for %+v, want %s", request, w.access, want)
		}
		if audited := len(w.audit) == 1; audited != (method != "GET") || audited && (w.audit[0].Status != rec.Code || w.audit[0].Error == "") {
			t.Errorf("%s: audited %+v", request, w.audit)
		}
	}
}

// TestTagsOfVPCLinks: VPC links of this API have tags here, those of API Gateway's first API have them there (spec control-plane §13, §14).
func TestTagsOfVPCLinks(t *testing.T) {
	w := newWorld(t)
	link, err := w.control.CreateVPCLink(t.Context(), apigw.VPCLink{Version: apigw.LinkV2, Name: "own", SubnetIDs: []string{"subnet-1"}, Tags: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	other, err := w.control.CreateVPCLink(t.Context(), apigw.VPCLink{Version: apigw.LinkV1, Name: "other", TargetARNs: []string{"http://127.0.0.1:9001"}})
	if err != nil {
		t.Fatal(err)
	}
	path := func(id string) string {
		return "/v2/tags/" + url.QueryEscape("arn:aws:apigateway:eu-west-1::/vpclinks/"+id)
	}
	for _, step := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", path(link.ID), "", 200, `{"tags":{"a":"b"}}`},
		{"POST", path(link.ID), `{"tags":{"a":"c","d":"e"}}`, 201, `{}`},
		{"DELETE", path(link.ID) + "?tagKeys=a&tagKeys=none", "", 204, ""},
		{"GET", path(link.ID), "", 200, `{"tags":{"d":"e"}}`},
		{"POST", path(link.ID), `{"tags":{"aws:x":"y"}}`, 400, ""},
		{"GET", path(other.ID), "", 404, `{"message":"Invalid VpcLink identifier specified ` + other.ID + `"}`},
		{"POST", path(other.ID), `{"tags":{"a":"b"}}`, 404, ""},
		{"DELETE", path("none") + "?tagKeys=a", "", 404, ""},
	} {
		rec := w.send(step.method, step.path, step.body)
		if got := strings.TrimSpace(rec.Body.String()); rec.Code != step.status || step.want != "" && got != step.want {
			t.Errorf("%s %s %s: got %d %s, want %d %s", step.method, step.path, step.body, rec.Code, got, step.status, step.want)
		}
	}
}

// TestQuotas: what AWS raises on request holds where the node says so (spec data-plane §8).
func TestQuotas(t *testing.T) {
	w := newWorld(t)
	api := w.api()
	for i := range 10 {
		w.must("POST", api+"/stages", `{"stageName":"s`+strconv.Itoa(i)+`"}`)
	}
	rec := w.send("POST", api+"/stages", `{"stageName":"more"}`)
	want := `{"message":"Maximum number of Stages for this API has been reached.  Please contact AWS if you need additional Stages."}`
	if rec.Code != http.StatusTooManyRequests || rec.Body.String() != want || map[string][]string(rec.Result().Header)["x-amzn-ErrorType"][0] != "ConflictException" {
		t.Errorf("got %d %s, want 429 %s", rec.Code, rec.Body, want)
	}
	w.must("PATCH", api+"/stages/s1", `{"description":"changed"}`)

	w.handler = controlapi.New(controlapi.Options{
		Log: slog.New(slog.DiscardHandler), Services: []controlapi.Service{apigatewayv2.Service(control.New(store.New(w.driver), control.Options{Unlimited: true}))},
	})
	w.must("POST", api+"/stages", `{"stageName":"more"}`)
}

// TestTooLarge: what the store cannot hold is the client's fault, and changes nothing.
func TestTooLarge(t *testing.T) {
	w := newWorld(t)
	api := w.api()
	templates := make([]string, 50) // of what JSON spells out six times as long
	for i := range templates {
		templates[i] = `"t` + strconv.Itoa(i) + `":"` + strings.Repeat("<", 30<<10) + `"`
	}
	before := w.revision()
	rec := w.send("POST", api+"/integrations", `{"integrationType":"MOCK","requestTemplates":{`+strings.Join(templates, ",")+`}}`)
	if rec.Code != http.StatusBadRequest || w.revision() != before {
		t.Errorf("got %d %.200s", rec.Code, rec.Body)
	}
}

// TestModelTemplate: the skeleton renders to JSON (spec control-plane §9).
func TestModelTemplate(t *testing.T) {
	w := newWorld(t)
	api := w.api()
	w.must("PATCH", api, `{"disableSchemaValidation":true}`)
	for schema, tt := range map[string]struct{ body, want string }{
		`{"type":"object","properties":{"n":{"type":"integer"},"list":{"type":"array","items":{"type":"object","properties":{"a":{"type":"string"},"deep":{"type":"array","items":{"type":"number"}}}}},"on":{"type":"boolean"},"no":{"type":"null"},"b-c":{"type":"string"},"who":{"$ref":"x"}}}`: {
			`{"n":1,"list":[{"a":"x","deep":[1,2]},{"a":"y","deep":[]}],"on":true,"who":"me"}`,
			`{"list":[{"a":"x","deep":[1,2]},{"a":"y","deep":[]}],"n":1,"no":null,"on":true,"who":"me"}`,
		},
		`{"properties":{"a":{}}}`: {`{"a":"x"}`, `{"a":"x"}`},
		`{"type":"string"}`:       {`"x"`, `"x"`},
		`{"type":["string"]}`:     {`"x"`, `"x"`},
		`no schema`:               {`"x"`, `"x"`},
		`{"type":"array"}`:        {`["x"]`, `["x"]`},
	} {
		m := w.must("POST", api+"/models", `{"name":"M`+strconv.Itoa(len(schema))+`","schema":`+strconv.Quote(schema)+`}`)
		text := w.must("GET", api+"/models/"+m["modelId"].(string)+"/template", "")["value"].(string)
		template, err := vtl.Parse(text)
		if err != nil {
			t.Errorf("%s: %v in\n%s", schema, err, text)
			continue
		}
		got, err := template.Render(nil, &vtl.Input{Event: &apigw.Event{}, Payload: vtl.NewPayload([]byte(tt.body))})
		if err != nil {
			t.Errorf("%s: %v", schema, err)
			continue
		}
		var a, b any
		if err := errors.Join(json.Unmarshal(got, &a), json.Unmarshal([]byte(tt.want), &b)); err != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("%s: %v: got\n%s\nof\n%s", schema, err, got, text)
		}
	}
}
