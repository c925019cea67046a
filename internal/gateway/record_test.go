package gateway_test

import (
	"net/url"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/gateway"
)

// Records say whether something went to the client, and whose connection a push was for, so that it can be metered (spec
// pricing, data-plane §9.1).
func TestRecords(t *testing.T) {
	n := newTestNode(t, api{routes: map[string]string{"$connect": "hello", "one": "any", "two": "any", "$disconnect": "bye"}, twoWay: []string{"two"}}, apigw.LimitsAWS())
	n.functions.returns("any", `{"body":""}`)
	next := func(operation string) *apigw.Record { return n.record(t, operation) }
	ws := n.open(t)
	id, _ := requestContext(t, n.functions.await(t, "hello"))["connectionId"].(string)
	for _, m := range []struct {
		text, route string
		sent        bool
	}{{`{"action":"one"}`, "one", false}, {`{"action":"two"}`, "two", true}, {`{"action":"three"}`, "", true}} {
		say(t, ws, m.text)
		if rec := next("message"); rec.RouteKey != m.route || rec.Sent != m.sent || rec.APIID != apiID || rec.Stage != "prod" {
			t.Errorf("%s: route %q, sent %v, of %s/%s", m.text, rec.RouteKey, rec.Sent, rec.APIID, rec.Stage)
		}
		if m.sent {
			hear(t, ws)
		}
	}
	for path, known := range map[string]bool{
		"/prod/@connections/" + url.PathEscape(id):            true,
		"/@connections/" + id:                                 true,
		"/" + apiID + "/prod/@connections/" + id:              true,
		"/@connections/" + url.PathEscape("Qyi07eCbtjMCJKw="): false,
		"/@connections/short":                                 false,
	} {
		n.manage(t, "POST", path, "")
		rec := next("post")
		if rec.Sent != known || rec.APIID != apiID || rec.Stage != "prod" { // there is no other API that could be meant
			t.Errorf("push to %s: sent %v, of %s/%s, want %v", path, rec.Sent, rec.APIID, rec.Stage, known)
		}
		if known {
			hear(t, ws)
		}
	}
	n.manage(t, "GET", "/@connections/"+id, "")
	if rec := next("get"); rec.Sent || rec.APIID != apiID {
		t.Errorf("get: %+v", rec)
	}
	// The API of a connection that the request ends is known, too.
	n.manage(t, "DELETE", "/@connections/"+id, "")
	if rec := next("delete"); rec.Sent || rec.APIID != apiID || rec.Stage != "prod" {
		t.Errorf("delete: %+v", rec)
	}
}

// Each open connection has a session, which lives as long: 64 bytes are one of the allocator's sizes, the next is 80.
func TestSessionSize(t *testing.T) {
	if got, want := gateway.SessionSize, uintptr(64); got > want {
		t.Errorf("a session has %d bytes, want %d at most", got, want)
	}
}
