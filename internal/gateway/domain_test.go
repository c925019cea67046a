package gateway_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"cleat/internal/apigw"
	"cleat/internal/store"
)

const customHost = "chat.example.test"

// domainsOf serves an API under custom domain names: the root and "v1/chat" of one, any name below another.
func domainsOf(s store.Serving) store.Serving {
	s.Domains = []apigw.DomainName{{DomainName: customHost}, {DomainName: "*.wild.test"}, {DomainName: "empty.wild.test"}}
	s.Mappings = []apigw.APIMapping{
		{APIMappingID: "m1", DomainName: customHost, APIID: apiID, Stage: "prod"},
		{APIMappingID: "m2", DomainName: customHost, APIID: apiID, Stage: "prod", APIMappingKey: "v1/chat"},
		{APIMappingID: "m3", DomainName: "*.wild.test", APIID: apiID, Stage: "prod", APIMappingKey: "ws"},
	}
	return s
}

// under makes one request to a host of the node and returns the answer with its body.
func (n *node) under(t *testing.T, host, method, path, body string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, "http://"+n.addr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Host, r.Close = host, true
	return do(t, r)
}

// do sends a request and returns the answer with its body.
func do(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(answer)
}

func (n *node) openUnder(t *testing.T, host, path string) *websocket.Conn {
	t.Helper()
	ws, res, err := n.dial(t, path, http.Header{"Host": {host}})
	if err != nil {
		t.Fatalf("%s%s: %v, %+v", host, path, err, res)
	}
	return ws
}

// Events name the custom host and the real stage, and the way back leads by the mapping key (spec data-plane §1.1).
func TestCustomDomain(t *testing.T) {
	a := api{routes: map[string]string{"$connect": "hello", "$default": "any", "$disconnect": "bye"}, twoWay: []string{"$default"}}
	n := newTestNode(t, a, apigw.LimitsAWS())
	if err := n.Swap(domainsOf(a.serving(2))); err != nil {
		t.Fatal(err)
	}
	n.functions.returns("any", `{"statusCode":200,"body":"back"}`)
	host := customHost + ":3001"
	ws := n.openUnder(t, host, "/v1/chat")
	id := ""
	for _, function := range []string{"hello", "any", "bye"} {
		switch function {
		case "any":
			say(t, ws, "x")
			if got := hear(t, ws); got != "back" {
				t.Errorf("got %q", got)
			}
		case "bye":
			_ = ws.Close()
		}
		rc := requestContext(t, n.functions.await(t, function))
		if rc["domainName"] != host || rc["stage"] != "prod" || rc["apiId"] != apiID {
			t.Errorf("%s: domainName %v, stage %v, apiId %v", function, rc["domainName"], rc["stage"], rc["apiId"])
		}
		if function == "hello" {
			id, _ = rc["connectionId"].(string)
			for _, way := range []struct{ host, path string }{
				{customHost, "/v1/chat/@connections/" + url.PathEscape(id)},
				{customHost, "/v1/chat/%40connections/" + id},
				{customHost, "/@connections/" + id},
				{"any.wild.test", "/ws/@connections/" + id},
				{"localhost", "/prod/@connections/" + id},
			} {
				if res, body := n.under(t, way.host, "POST", way.path, "hi"); res.StatusCode != 200 || body != "" {
					t.Errorf("push by %v: %d %s", way, res.StatusCode, body)
				}
				if got := hear(t, ws); got != "hi" {
					t.Errorf("push by %v: the client got %q", way, got)
				}
			}
		}
	}
	if res, body := n.under(t, customHost, "GET", "/v1/chat/@connections/"+id, ""); res.StatusCode != 410 || body != "" {
		t.Errorf("after the end: %d %s", res.StatusCode, body)
	}
}

// What leads nowhere on a custom domain name: spec data-plane §1.1, management-api §4.
func TestCustomDomainRefusals(t *testing.T) {
	a := api{routes: map[string]string{"$default": "any"}}
	n := newTestNode(t, a, apigw.LimitsAWS())
	if err := n.Swap(domainsOf(a.serving(2))); err != nil {
		t.Fatal(err)
	}
	noMethod := func(route, method string) string {
		return `{"message":"No method found matching route ` + route + ` for http method ` + method + `."}`
	}
	for name, c := range map[string]struct {
		host, method, path string
		status             int
		kind, body         string
	}{
		"stage left in":              {customHost, "POST", "/prod/@connections/Qyi07eCbtjMCJKw%3D", 404, "NotFoundException", noMethod("prod/@connections/Qyi07eCbtjMCJKw=", "POST")},
		"stage left in, key":         {customHost, "DELETE", "/v1/chat/prod/@connections/Qyi07eCbtjMCJKw%3D", 404, "NotFoundException", noMethod("prod/@connections/Qyi07eCbtjMCJKw=", "DELETE")},
		"no mapping":                 {"any.wild.test", "POST", "/prod/@connections/Qyi07eCbtjMCJKw%3D", 403, "ForbiddenException", `{"message":"Forbidden"}`},
		"no mapping at all":          {"empty.wild.test", "GET", "/ws", 403, "ForbiddenException", `{"message":"Forbidden"}`},
		"two labels for the star":    {"a.b.wild.test", "GET", "/ws", 403, "ForbiddenException", `{"message":"Forbidden"}`},
		"connection that is no more": {customHost, "POST", "/@connections/Qyi07eCbtjMCJKw%3D", 410, "GoneException", ""},
		"health":                     {customHost, "GET", "/ping", 200, "", "healthy\n"},
		"the other health":           {"empty.wild.test", "GET", "/sping", 200, "", "healthy\n"},
	} {
		t.Run(name, func(t *testing.T) {
			res, body := n.under(t, c.host, c.method, c.path, "")
			if res.StatusCode != c.status || body != c.body || res.Header.Get("X-Amzn-Errortype") != c.kind {
				t.Errorf("got %d %s %s, want %d %s %s", res.StatusCode, res.Header.Get("X-Amzn-Errortype"), body, c.status, c.kind, c.body)
			}
		})
	}
}

// disableExecuteApiEndpoint closes the API's own addresses when it is deployed, and leaves open connections alone (spec
// data-plane §1).
func TestDisabledEndpoint(t *testing.T) {
	a := api{routes: map[string]string{"$default": "any"}, twoWay: []string{"$default"}}
	n := newTestNode(t, a, apigw.LimitsAWS())
	n.functions.returns("any", `{"body":"back"}`)
	ws := n.open(t)
	serving := domainsOf(a.serving(2))
	serving.Stages[0].API.DisableExecuteAPIEndpoint = true // changed, and not deployed yet
	if err := n.Swap(serving); err != nil {
		t.Fatal(err)
	}
	n.open(t)
	serving = domainsOf(a.serving(3))
	definition(serving).DisableExecuteAPIEndpoint = true
	if err := n.Swap(serving); err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"localhost", apiID + ".execute-api.eu-west-1.amazonaws.com", "elsewhere0.execute-api.eu-west-1.amazonaws.com"} {
		_, res, err := n.dial(t, "/prod", http.Header{"Host": {host}})
		if res == nil || res.StatusCode != 403 || res.Header.Get("X-Amzn-Errortype") != "ForbiddenException" {
			t.Errorf("%s: %+v, %v, want 403", host, res, err)
		}
	}
	if res, _ := n.under(t, apiID+".execute-api.eu-west-1.amazonaws.com", "POST", "/prod/@connections/Qyi07eCbtjMCJKw%3D", ""); res.StatusCode != 403 {
		t.Errorf("management under the closed endpoint: %d, want 403", res.StatusCode)
	}
	n.openUnder(t, customHost, "/")
	say(t, ws, "still here")
	if got := hear(t, ws); got != "back" {
		t.Errorf("an open connection got %q", got)
	}
}
