package integration_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/backend"
	"cleat/internal/integration"
	"cleat/internal/testkit"
)

// fakeHTTP is an HTTP that remembers its last request.
type fakeHTTP struct {
	last   *backend.Request
	answer backend.Response
	err    error
}

func (f *fakeHTTP) Do(_ context.Context, r *backend.Request) (*backend.Response, error) {
	f.last = r
	if f.err != nil {
		return nil, f.err
	}
	answer := f.answer
	return &answer, nil
}

func httpIntegration(kind apigw.IntegrationType, method, uri string, parameters map[string]string) apigw.Integration {
	return apigw.Integration{IntegrationType: kind, IntegrationMethod: method, IntegrationURI: uri, RequestParameters: parameters}
}

// TestHTTPRequest compares what a backend receives with spec events-and-integrations §6.3, to the last
// header.
func TestHTTPRequest(t *testing.T) {
	var got http.Header
	var body, method string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, body, method = r.Header.Clone(), string(b), r.Method
		if got.Get("Content-Length") == "" {
			got.Set("Content-Length", "absent")
			if r.ContentLength >= 0 {
				got.Set("Content-Length", "0")
			}
		}
		got.Set("Host", r.Host)
	}))
	t.Cleanup(s.Close)
	h := backend.NewHTTP(backend.HTTPOptions{})
	t.Cleanup(h.Close)
	p := compile(t, httpIntegration(apigw.IntegrationHTTPProxy, "POST", s.URL, nil), nil, integration.Dependencies{HTTP: h, GatewayAddress: "198.51.100.1"})
	host := strings.TrimPrefix(s.URL, "http://")
	common := map[string]string{"Host": host, "User-Agent": "AmazonAPIGateway_a1b2c3d4e5", "X-Amzn-Apigateway-Api-Id": "a1b2c3d4e5"}
	tests := map[apigw.EventType]map[string]string{
		apigw.EventConnect: {
			"Content-Length": "0", "X-Amzn-Trace-Id": "Root=1-65f0c1d2-0123456789abcdef01234567",
			"X-Forwarded-For": "192.0.2.7, 198.51.100.1", "X-Forwarded-Port": "443", "X-Forwarded-Proto": "https, https",
			"Sec-Websocket-Key": "Q0FGRUJBQkVERUFEQkVFRg==", "Sec-Websocket-Version": "13",
		},
		apigw.EventMessage: {
			"Content-Length": "28", "Content-Type": "application/json; charset=UTF-8", "X-Forwarded-For": "198.51.100.1", "X-Forwarded-Proto": "https",
		},
		apigw.EventDisconnect: {
			"Content-Length": "0", "X-Forwarded-For": ", 198.51.100.1", "X-Forwarded-Proto": "https", "X-Api-Key": "", "X-Restapi": "",
		},
	}
	for kind, want := range tests {
		t.Run(string(kind), func(t *testing.T) {
			ev := testEvent(kind)
			if _, err := p.Do(t.Context(), ev, new(integration.Room)); err != nil {
				t.Fatal(err)
			}
			maps.Copy(want, common)
			have := map[string]string{}
			for name, values := range got {
				have[name] = strings.Join(values, "|")
			}
			if !reflect.DeepEqual(have, want) {
				t.Errorf("got\n%v\nwant\n%v", have, want)
			}
			if body != string(ev.Body) || method != "POST" {
				t.Errorf("got %s %q", method, body)
			}
		})
	}
}

// lines are a request's headers as a map, in lower case.
func lines(r *backend.Request) map[string]string {
	out := map[string]string{}
	for _, f := range r.Header {
		name := strings.ToLower(f.Name)
		if v, ok := out[name]; ok {
			out[name] = v + "|" + f.Value
		} else {
			out[name] = f.Value
		}
	}
	return out
}

// TestClientHeaders: hop-by-hop headers, the gateway's own and any spelling of Cleat's stay behind.
func TestClientHeaders(t *testing.T) {
	f := &fakeHTTP{answer: backend.Response{Status: 200}}
	for _, own := range []bool{true, false} {
		p := compile(t, httpIntegration(apigw.IntegrationHTTPProxy, "POST", "http://b.example", nil), nil, integration.Dependencies{HTTP: f, ConnectionHeaders: own})
		ev := testEvent(apigw.EventConnect)
		ev.Headers = nil
		stay := []string{
			"Connection", "Content-Length", "Content-MD5", "Expect", "Max-Forwards", "Proxy-Authenticate", "Server", "TE", "Transfer-Encoding", "Trailer",
			"Upgrade", "WWW-Authenticate", "Host", "Content-Encoding", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization",
			"x-cleat-connection-id", "X-CLEAT-ANYTHING", "X_Cleat_Connection_Id", "x-cleat_route-key",
			"x-amzn-apigateway-api-id", "User-Agent", "x-amzn-trace-id", "x_forwarded_for",
		}
		for _, name := range stay {
			ev.Headers = append(ev.Headers, apigw.Field{Name: name, Value: "evil"})
		}
		ev.Headers = append(ev.Headers, apigw.Field{Name: "Cookie", Value: "a=1"}, apigw.Field{Name: "X-Two", Value: "1"}, apigw.Field{Name: "x-two", Value: "2"}, apigw.Field{Name: "X-Cleated", Value: "fine"})
		if _, err := p.Do(t.Context(), ev, new(integration.Room)); err != nil {
			t.Fatal(err)
		}
		got := lines(f.last)
		for name, value := range got {
			if strings.Contains(value, "evil") {
				t.Errorf("%s reached the backend", name)
			}
		}
		if got["cookie"] != "a=1" || got["x-two"] != "1|2" || got["x-cleated"] != "fine" {
			t.Errorf("got %v", got)
		}
		if _, ok := got["x-cleat-connection-id"]; ok != own {
			t.Errorf("own headers on: %t, sent: %t", own, ok)
		}
	}
}

// TestConnectionHeaders holds docs/http-backends.md.
func TestConnectionHeaders(t *testing.T) {
	f := &fakeHTTP{answer: backend.Response{Status: 200}}
	p := compile(t, httpIntegration(apigw.IntegrationHTTPProxy, "POST", "http://b.example", nil), nil, integration.Dependencies{HTTP: f, ConnectionHeaders: true})
	common := map[string]string{
		"x-cleat-connection-id": "Qyi07eCbtjMCJKw=", "x-cleat-stage": "prod", "x-cleat-domain-name": "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com",
		"x-cleat-request-id": "Qyi3UG41tjMFlUg=", "x-cleat-connected-at": "1710277042123",
	}
	tests := map[apigw.EventType]map[string]string{
		apigw.EventConnect:    {"x-cleat-route-key": "$connect", "x-cleat-event-type": "CONNECT"},
		apigw.EventMessage:    {"x-cleat-route-key": "say %25 %C3%A9%0A", "x-cleat-event-type": "MESSAGE"},
		apigw.EventDisconnect: {"x-cleat-route-key": "$disconnect", "x-cleat-event-type": "DISCONNECT", "x-cleat-disconnect-code": "1005", "x-cleat-disconnect-reason": "bye%0D%0AX-Evil: 1"},
	}
	for kind, want := range tests {
		ev := testEvent(kind)
		if kind == apigw.EventMessage {
			ev.Context.RouteKey = "say % é\n"
		}
		if kind == apigw.EventDisconnect {
			ev.Context.DisconnectReason = "bye\r\nX-Evil: 1"
		}
		if _, err := p.Do(t.Context(), ev, new(integration.Room)); err != nil {
			t.Fatal(err)
		}
		maps.Copy(want, common)
		got := lines(f.last)
		maps.DeleteFunc(got, func(name, _ string) bool { return !strings.HasPrefix(name, "x-cleat-") })
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got\n%v\nwant\n%v", kind, got, want)
		}
	}
}

// TestMappings holds the sources and targets of spec events-and-integrations §6.1.
func TestMappings(t *testing.T) {
	const to = "integration.request.header.X-To"
	tests := map[string]struct {
		source string
		event  apigw.EventType
		want   string // "-" means that the header is absent
	}{
		"header":                   {"route.request.header.Sec-WebSocket-Version", apigw.EventConnect, "13"},
		"header, other case":       {"route.request.header.sec-websocket-version", apigw.EventConnect, "-"},
		"header, last":             {"route.request.header.X-Multi", apigw.EventConnect, "2"},
		"header, missing":          {"route.request.header.X-None", apigw.EventConnect, "-"},
		"header of a message":      {"route.request.header.X-Multi", apigw.EventMessage, "-"},
		"multi header":             {"route.request.multivalueheader.X-Multi", apigw.EventConnect, "1|2"},
		"query":                    {"route.request.querystring.q", apigw.EventConnect, "b"},
		"multi query":              {"route.request.multivaluequerystring.q", apigw.EventConnect, "a|b"},
		"whole body":               {"route.request.body", apigw.EventMessage, `{"action":"say","n":1.50,"deep":{"list":["x",{"y":"é"}]},"null":null}`},
		"whole body of a connect":  {"route.request.body", apigw.EventConnect, "-"},
		"body member":              {"route.request.body.action", apigw.EventMessage, "say"},
		"body member, rooted":      {"route.request.body.$.action", apigw.EventMessage, "say"},
		"body number":              {"route.request.body.n", apigw.EventMessage, "1.5"}, // as Java prints a Double
		"body, all of a list":      {"route.request.body.deep.list[*].y", apigw.EventMessage, `["é"]`},
		"body, filtered":           {"route.request.body.deep.list[?(@.y == 'é')].y", apigw.EventMessage, `["é"]`},
		"body, length":             {"route.request.body.deep.list.length()", apigw.EventMessage, "2"},
		"body deep":                {"route.request.body.deep.list[1].y", apigw.EventMessage, "é"},
		"body object":              {"route.request.body.deep.list", apigw.EventMessage, `["x",{"y":"é"}]`},
		"body missing":             {"route.request.body.none", apigw.EventMessage, "-"},
		"body null":                {"route.request.body.null", apigw.EventMessage, "-"},
		"connection ID":            {"context.connectionId", apigw.EventDisconnect, "Qyi07eCbtjMCJKw="},
		"route key":                {"context.routeKey", apigw.EventMessage, "say"},
		"authorizer":               {"context.authorizer.principalId", apigw.EventMessage, "user1"},
		"authorizer, missing":      {"context.authorizer.none", apigw.EventMessage, "-"},
		"source address":           {"context.identity.sourceIp", apigw.EventConnect, "192.0.2.7"},
		"absent identity":          {"context.identity.caller", apigw.EventConnect, "-"},
		"message ID of a connect":  {"context.messageId", apigw.EventConnect, "-"},
		"stage variable":           {"stageVariables.env", apigw.EventMessage, "beta"},
		"stage variable, missing":  {"stageVariables.none", apigw.EventMessage, "-"},
		"literal":                  {"'some text'", apigw.EventMessage, "some text"},
		"literal, empty":           {"''", apigw.EventMessage, ""},
		"literal that looks like?": {"'context.stage'", apigw.EventMessage, "context.stage"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := &fakeHTTP{answer: backend.Response{Status: 200}}
			p := compile(t, httpIntegration(apigw.IntegrationHTTPProxy, "POST", "http://b.example", map[string]string{to: tt.source}), nil, integration.Dependencies{HTTP: f})
			ev := testEvent(tt.event)
			ev.StageVariables = map[string]string{"env": "beta"}
			ev.Context.Authorizer = apigw.Fields{{Name: "principalId", Value: "user1"}}
			switch tt.event {
			case apigw.EventConnect:
				ev.Headers = append(ev.Headers, apigw.Field{Name: "X-Multi", Value: "1"}, apigw.Field{Name: "X-Multi", Value: "2"})
				ev.Query = apigw.Fields{{Name: "q", Value: "a"}, {Name: "q", Value: "b"}}
			case apigw.EventMessage:
				ev.Body = []byte(`{"action":"say","n":1.50,"deep":{"list":["x",{"y":"é"}]},"null":null}`)
			case apigw.EventDisconnect:
			}
			if _, err := p.Do(t.Context(), ev, new(integration.Room)); err != nil {
				t.Fatal(err)
			}
			got, ok := lines(f.last)["x-to"]
			if !ok {
				got = "-"
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestMappedHeaderTakesPlace: a mapped header replaces the client's and the default, in whatever spelling.
func TestMappedHeaderTakesPlace(t *testing.T) {
	f := &fakeHTTP{answer: backend.Response{Status: 200}}
	p := compile(t, httpIntegration(apigw.IntegrationHTTPProxy, "POST", "http://b.example", map[string]string{
		"integration.request.header.content-type": "'text/plain'", "integration.request.header.connectionId": "context.connectionId",
		"integration.request.header.user-agent": "'mine'", "integration.request.header.Missing": "route.request.header.Missing",
	}), nil, integration.Dependencies{HTTP: f})
	if _, err := p.Do(t.Context(), testEvent(apigw.EventMessage), new(integration.Room)); err != nil {
		t.Fatal(err)
	}
	got := lines(f.last)
	if got["content-type"] != "text/plain" || got["connectionid"] != "Qyi07eCbtjMCJKw=" || got["user-agent"] != "mine" {
		t.Errorf("got %v", got)
	}
	if !slices.Contains(f.last.Header, apigw.Field{Name: "connectionId", Value: "Qyi07eCbtjMCJKw="}) {
		t.Errorf("the spelling is lost: %v", f.last.Header)
	}
}

func TestURLs(t *testing.T) {
	path := func(source string) map[string]string { return map[string]string{"integration.request.path.x": source} }
	query := apigw.Fields{{Name: "q", Value: "a b"}, {Name: "room", Value: "ü&="}, {Name: "q", Value: "c"}}
	tests := map[string]struct {
		kind       apigw.IntegrationType
		uri        string
		parameters map[string]string
		query      apigw.Fields
		want       string
		wantErr    apigw.Kind
	}{
		"as it is":                       {kind: apigw.IntegrationHTTPProxy, uri: "http://b.example/a%2Fb?x=1", want: "http://b.example/a%2Fb?x=1"},
		"fragment":                       {kind: apigw.IntegrationHTTPProxy, uri: "http://b.example/a#b", want: "http://b.example/a"},
		"stage variable":                 {kind: apigw.IntegrationHTTPProxy, uri: "${stageVariables.base}/x", want: "http://v.example:8080/x"},
		"missing stage variable":         {kind: apigw.IntegrationHTTPProxy, uri: "http://${stageVariables.none}/x", wantErr: apigw.KindIntegrationConfig},
		"placeholder":                    {kind: apigw.IntegrationHTTPProxy, uri: "http://b.example/c/{x}/d", parameters: path("context.connectionId"), want: "http://b.example/c/Qyi07eCbtjMCJKw%3D/d"},
		"placeholder stays in its place": {kind: apigw.IntegrationHTTPProxy, uri: "http://b.example/c/{x}/d", parameters: path("'../e?f=1#g'"), want: "http://b.example/c/..%2Fe%3Ff%3D1%23g/d"},
		"placeholder of dots":            {kind: apigw.IntegrationHTTPProxy, uri: "http://b.example/c/{x}/d", parameters: path("'..'"), wantErr: apigw.KindIntegrationConfig},
		"placeholder of one dot":         {kind: apigw.IntegrationHTTPProxy, uri: "http://b.example/c/.{x}/d", parameters: path("'.'"), wantErr: apigw.KindIntegrationConfig},
		"placeholder of three dots":      {kind: apigw.IntegrationHTTPProxy, uri: "http://b.example/c/{x}/d", parameters: path("'...'"), want: "http://b.example/c/.../d"},
		"placeholder without a value":    {kind: apigw.IntegrationHTTPProxy, uri: "http://b.example/{x}", parameters: path("route.request.header.None"), wantErr: apigw.KindIntegrationConfig},
		"placeholder as host":            {kind: apigw.IntegrationHTTPProxy, uri: "http://{x}/", parameters: path("'evil.example/@b'"), wantErr: apigw.KindIntegrationConfig},
		"mapped query":                   {kind: apigw.IntegrationHTTP, uri: "http://b.example/?k=v", parameters: map[string]string{"integration.request.querystring.c": "context.connectionId"}, query: query, want: "http://b.example/?k=v&c=Qyi07eCbtjMCJKw%3D"},
		"client's query, proxy":          {kind: apigw.IntegrationHTTPProxy, uri: "http://b.example", query: query, want: "http://b.example?q=a+b&room=%C3%BC%26%3D&q=c"},
		"client's query, not proxy":      {kind: apigw.IntegrationHTTP, uri: "http://b.example", query: query, want: "http://b.example"},
		"mapped before the client's":     {kind: apigw.IntegrationHTTPProxy, uri: "http://b.example", query: query, parameters: map[string]string{"integration.request.querystring.q": "'mine'"}, want: "http://b.example?q=mine&room=%C3%BC%26%3D"},
		"several values":                 {kind: apigw.IntegrationHTTP, uri: "http://b.example", query: query, parameters: map[string]string{"integration.request.querystring.z": "route.request.multivaluequerystring.q"}, want: "http://b.example?z=a+b&z=c"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := &fakeHTTP{answer: backend.Response{Status: 200}}
			p := compile(t, httpIntegration(tt.kind, "POST", tt.uri, tt.parameters), []apigw.IntegrationResponse{{IntegrationResponseKey: "$default"}}, integration.Dependencies{HTTP: f})
			ev := testEvent(apigw.EventConnect)
			ev.Query = tt.query
			ev.StageVariables = map[string]string{"base": "http://v.example:8080"}
			for range 2 { // the second time shows whether the first one changed the plan
				_, err := p.Do(t.Context(), ev, new(integration.Room))
				if tt.wantErr != 0 {
					if apigw.KindOf(err) != tt.wantErr {
						t.Errorf("got %v", err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if got := f.last.URL.String(); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
			}
		})
	}
}

func TestMethodsAndBodies(t *testing.T) {
	tests := map[string]struct {
		kind   apigw.IntegrationType
		method string
		event  apigw.EventType
		sent   string
		body   string
	}{
		"POST":             {apigw.IntegrationHTTPProxy, "POST", apigw.EventMessage, "POST", `{"action":"say","text":"hi"}`},
		"ANY":              {apigw.IntegrationHTTPProxy, "ANY", apigw.EventMessage, "POST", `{"action":"say","text":"hi"}`},
		"DELETE":           {apigw.IntegrationHTTPProxy, "DELETE", apigw.EventMessage, "DELETE", `{"action":"say","text":"hi"}`},
		"GET":              {apigw.IntegrationHTTPProxy, "GET", apigw.EventMessage, "GET", ""},
		"HEAD":             {apigw.IntegrationHTTP, "HEAD", apigw.EventMessage, "HEAD", ""},
		"OPTIONS":          {apigw.IntegrationHTTP, "OPTIONS", apigw.EventMessage, "OPTIONS", ""},
		"HTTP passes on":   {apigw.IntegrationHTTP, "PUT", apigw.EventMessage, "PUT", `{"action":"say","text":"hi"}`},
		"connect":          {apigw.IntegrationHTTPProxy, "POST", apigw.EventConnect, "POST", ""},
		"HTTP, disconnect": {apigw.IntegrationHTTP, "POST", apigw.EventDisconnect, "POST", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := &fakeHTTP{answer: backend.Response{Status: 200}}
			p := compile(t, httpIntegration(tt.kind, tt.method, "http://b.example", nil), nil, integration.Dependencies{HTTP: f})
			if _, err := p.Do(t.Context(), testEvent(tt.event), new(integration.Room)); err != nil {
				t.Fatal(err)
			}
			if f.last.Method != tt.sent || string(f.last.Body) != tt.body {
				t.Errorf("got %s %q", f.last.Method, f.last.Body)
			}
		})
	}
	t.Run("binary", func(t *testing.T) {
		f := &fakeHTTP{answer: backend.Response{Status: 200}}
		p := compile(t, httpIntegration(apigw.IntegrationHTTPProxy, "POST", "http://b.example", nil), nil, integration.Dependencies{HTTP: f})
		ev := testEvent(apigw.EventMessage)
		ev.Body, ev.Binary = []byte{0, 255}, true
		if _, err := p.Do(t.Context(), ev, new(integration.Room)); err != nil || string(f.last.Body) != "\x00\xff" || lines(f.last)["content-type"] != "application/octet-stream" {
			t.Errorf("got %q %v, %v", f.last.Body, lines(f.last), err)
		}
	})
	t.Run("HTTP defaults", func(t *testing.T) {
		f := &fakeHTTP{answer: backend.Response{Status: 200}}
		in := httpIntegration(apigw.IntegrationHTTP, "POST", "http://b.example", nil)
		in.RequestTemplates = map[string]string{"$default": "literal"}
		p := compile(t, in, []apigw.IntegrationResponse{{IntegrationResponseKey: "$default"}}, integration.Dependencies{HTTP: f})
		if _, err := p.Do(t.Context(), testEvent(apigw.EventConnect), new(integration.Room)); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"accept": "application/json", "content-type": "application/json", "user-agent": "AmazonAPIGateway_a1b2c3d4e5", "x-amzn-apigateway-api-id": "a1b2c3d4e5",
			"x-amzn-trace-id": "Root=1-65f0c1d2-0123456789abcdef01234567", "x-forwarded-for": "192.0.2.7, 127.0.0.1", "x-forwarded-proto": "https, https", "x-forwarded-port": "443",
		}
		if got := lines(f.last); !reflect.DeepEqual(got, want) || string(f.last.Body) != "literal" {
			t.Errorf("got %v %q", got, f.last.Body)
		}
	})
}

// TestHTTPResponses holds spec events-and-integrations §6.2 and §8.2.
func TestHTTPResponses(t *testing.T) {
	key := func(keys ...string) []apigw.IntegrationResponse {
		var out []apigw.IntegrationResponse
		for _, k := range keys {
			out = append(out, apigw.IntegrationResponse{IntegrationResponseKey: k, ResponseTemplates: map[string]string{"$default": "by " + strings.Trim(k, "/$")}})
		}
		return out
	}
	const proxy, plain = apigw.IntegrationHTTPProxy, apigw.IntegrationHTTP
	config := outcome{kind: apigw.KindIntegrationConfig, failed: true}
	tests := map[string]struct {
		kind      apigw.IntegrationType
		responses []apigw.IntegrationResponse
		selection string
		event     apigw.EventType
		status    int
		want      outcome
	}{
		"proxy, body":                {proxy, nil, "", apigw.EventMessage, 200, outcome{status: 200, hasBody: true, body: "raw", subprotocol: "v1"}},
		"proxy, error's body":        {proxy, nil, "", apigw.EventMessage, 500, outcome{status: 500, hasBody: true, body: "raw", subprotocol: "v1"}},
		"proxy, connect":             {proxy, nil, "", apigw.EventConnect, 403, outcome{status: 403, hasBody: true, body: "raw", subprotocol: "v1"}},
		"default":                    {plain, key("$default"), "", apigw.EventMessage, 500, outcome{status: 500, hasBody: true, body: "by default"}},
		"pattern":                    {plain, key("$default", `/2\d\d/`), "", apigw.EventMessage, 204, outcome{status: 204, hasBody: true, body: `by 2\d\d`}},
		"pattern matches all":        {plain, key("$default", `/20/`), "", apigw.EventMessage, 200, outcome{status: 200, hasBody: true, body: "by default"}},
		"exact before pattern":       {plain, key(`/2.*/`, "/200/"), "", apigw.EventMessage, 200, outcome{status: 200, hasBody: true, body: "by 200"}},
		"plain text key":             {plain, key("$default", "200"), "", apigw.EventMessage, 200, outcome{status: 200, hasBody: true, body: "by 200"}},
		"no match":                   {plain, key("/200/"), "", apigw.EventMessage, 404, config},
		"connect, key's status":      {plain, key("/200/", "/4.*/"), "", apigw.EventConnect, 200, outcome{status: 200, hasBody: true, body: "by 200"}},
		"connect, backend's status":  {plain, key("$default"), "", apigw.EventConnect, 401, outcome{status: 401, hasBody: true, body: "by default"}},
		"connect, mapped status":     {plain, key("403"), "${integration.response.header.X-Kind}", apigw.EventConnect, 200, outcome{status: 403, hasBody: true, body: "by 403"}},
		"connect, no match":          {plain, key("/200/"), "", apigw.EventConnect, 500, config},
		"connect, no responses":      {plain, nil, "", apigw.EventConnect, 200, config},
		"message, no responses":      {plain, nil, "", apigw.EventMessage, 500, outcome{status: 500}},
		"selection by a static text": {plain, key("x", "$default"), "x", apigw.EventMessage, 200, outcome{status: 200, hasBody: true, body: "by x"}},
		"raw body without templates": {plain, []apigw.IntegrationResponse{{IntegrationResponseKey: "$default"}}, "", apigw.EventMessage, 200, outcome{status: 200, hasBody: true, body: "raw"}},
		"template by status": {
			plain,
			[]apigw.IntegrationResponse{{IntegrationResponseKey: "$default", TemplateSelectionExpression: "${integration.response.statuscode}-${request.body.action}", ResponseTemplates: map[string]string{"200-say": "said"}}},
			"",
			apigw.EventMessage, 200,
			outcome{status: 200, hasBody: true, body: "said"},
		},
		"template not found": {
			plain,
			[]apigw.IntegrationResponse{{IntegrationResponseKey: "$default", TemplateSelectionExpression: "${integration.response.statuscode}", ResponseTemplates: map[string]string{"404": "gone"}}},
			"",
			apigw.EventMessage, 200,
			outcome{status: 200, hasBody: true, body: "raw"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := &fakeHTTP{answer: backend.Response{Status: tt.status, Body: []byte("raw"), Header: backend.Header("X-Kind: 403\r\nSec-Websocket-Protocol: v1\r\n")}}
			in := httpIntegration(tt.kind, "POST", "http://b.example", nil)
			in.IntegrationResponseSelectionExpression = tt.selection
			p := compile(t, in, tt.responses, integration.Dependencies{HTTP: f})
			res, err := p.Do(t.Context(), testEvent(tt.event), new(integration.Room))
			if got := outcomeOf(res, err); got != tt.want {
				t.Errorf("got %+v (%v), want %+v", got, err, tt.want)
			}
			if res.BackendStatus != tt.status {
				t.Errorf("backend status %d, want %d", res.BackendStatus, tt.status)
			}
		})
	}
	t.Run("no body", func(t *testing.T) {
		f := &fakeHTTP{answer: backend.Response{Status: 204}}
		p := compile(t, httpIntegration(proxy, "POST", "http://b.example", nil), nil, integration.Dependencies{HTTP: f})
		if res, err := p.Do(t.Context(), testEvent(apigw.EventMessage), new(integration.Room)); err != nil || res.HasBody {
			t.Errorf("got %+v, %v", res, err)
		}
	})
}

func TestHTTPFailures(t *testing.T) {
	refused := &fakeHTTP{err: &apigw.Error{Kind: apigw.KindIntegrationFailure, Err: errors.New("nothing listens there")}}
	in := httpIntegration(apigw.IntegrationHTTPProxy, "POST", "http://b.example", nil)
	res, err := compile(t, in, nil, integration.Dependencies{HTTP: refused}).Do(t.Context(), testEvent(apigw.EventConnect), new(integration.Room))
	if awsapi.Status(err) != 502 || !strings.Contains(res.Cause, "nothing listens there") {
		t.Errorf("got %+v, %v", res, err)
	}
	if _, err := compile(t, in, nil, integration.Dependencies{}).Do(t.Context(), testEvent(apigw.EventConnect), new(integration.Room)); apigw.KindOf(err) != apigw.KindIntegrationConfig {
		t.Errorf("without a caller: %v", err)
	}
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(func() { close(release); s.Close() })
	h := backend.NewHTTP(backend.HTTPOptions{})
	t.Cleanup(h.Close)
	in.IntegrationURI, in.TimeoutInMillis = s.URL, 50
	start := time.Now()
	_, err = compile(t, in, nil, integration.Dependencies{HTTP: h}).Do(t.Context(), testEvent(apigw.EventMessage), new(integration.Room))
	if awsapi.Status(err) != 504 || awsapi.Message(err) != "Endpoint request timed out" || time.Since(start) > 5*time.Second {
		t.Errorf("slow backend: %v", err)
	}
}

// newProxyCall is an HTTP_PROXY integration with Cleat's own headers at work on a message of 100 bytes, to a backend that costs
// nothing; nil: to none at all.
func newProxyCall(tb testing.TB, h integration.HTTP) (call func()) {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = testkit.ServeHTTP(ln, strings.Repeat("x", 100)) })
	tb.Cleanup(func() { _ = ln.Close(); serving.Wait() })
	in := httpIntegration(apigw.IntegrationHTTPProxy, "POST", "http://"+ln.Addr().String()+"/ws", nil)
	p, err := integration.Compile(&in, nil, integration.Dependencies{HTTP: h, ConnectionHeaders: true})
	if err != nil {
		tb.Fatal(err)
	}
	ev := testEvent(apigw.EventMessage)
	ev.Body = []byte(`{"action":"say","text":"` + strings.Repeat("x", 74) + `"}`)
	ctx, cancel := context.WithCancel(tb.Context()) // as the gateway's is
	tb.Cleanup(cancel)
	var room integration.Room
	return func() {
		if _, err := p.Do(ctx, ev, &room); err != nil {
			tb.Fatal(err)
		}
		room.Leave()
	}
}

// silent is an HTTP that calls nobody.
type silent struct{ answer *backend.Response }

func (s silent) Do(context.Context, *backend.Request) (*backend.Response, error) {
	return s.answer, nil
}

func BenchmarkHTTPProxy(b *testing.B) {
	plain := backend.NewHTTP(backend.HTTPOptions{})
	defer plain.Close()
	// An HTTP that may have to go through a proxy leaves all to net/http.
	netHTTP := backend.NewHTTP(backend.HTTPOptions{Proxy: func(*http.Request) (*url.URL, error) { return nil, nil }}) //nolint:nilnil // none
	defer netHTTP.Close()
	for name, h := range map[string]integration.HTTP{"loopback": plain, "loopback, net-http": netHTTP, "shaping": silent{&backend.Response{Status: 200}}} {
		b.Run(name, func(b *testing.B) {
			call := newProxyCall(b, h)
			b.ReportAllocs()
			for b.Loop() {
				call()
			}
		})
	}
}

// TestPrivateIntegration: the link's name goes with the request, for both types (spec events-and-integrations §5).
func TestPrivateIntegration(t *testing.T) {
	for _, kind := range []apigw.IntegrationType{apigw.IntegrationHTTP, apigw.IntegrationHTTPProxy} {
		for connectionType, want := range map[string]string{"VPC_LINK": "main", "INTERNET": ""} {
			f := &fakeHTTP{answer: backend.Response{Status: 200}}
			in := httpIntegration(kind, "POST", "http://app.internal/ws", nil)
			in.ConnectionType, in.ConnectionID = connectionType, "main"
			p := compile(t, in, nil, integration.Dependencies{HTTP: f})
			if _, err := p.Do(t.Context(), testEvent(apigw.EventMessage), new(integration.Room)); err != nil || f.last.Link != want || f.last.URL.Host != "app.internal" {
				t.Errorf("%s over %s: got %+v, %v", kind, connectionType, f.last, err)
			}
		}
	}
}
