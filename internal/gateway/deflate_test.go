package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"cleat/internal/apigw"
)

const deflateAnswer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// Compression is agreed on where the limits say so, and only there: AWS never does (spec data-plane §2.2).
func TestCompression(t *testing.T) {
	a := api{routes: map[string]string{"ask": "ask"}, twoWay: []string{"ask"}}
	long := strings.Repeat("all work and no play ", 200)
	for name, tc := range map[string]struct {
		on   bool
		want string
	}{"off": {false, ""}, "on": {true, deflateAnswer}} {
		t.Run(name, func(t *testing.T) {
			limits := apigw.LimitsAWS()
			limits.Compression = tc.on
			n := newTestNode(t, a, limits)
			n.functions.returns("ask", `{"statusCode":200,"body":"`+long+`"}`)
			d := websocket.Dialer{EnableCompression: true}
			ws, res, err := d.DialContext(t.Context(), "ws://"+n.addr+"/prod", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer ws.Close()
			if got := res.Header.Get("Sec-WebSocket-Extensions"); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			say(t, ws, `{"action":"ask","text":"`+long+`"}`)
			if got := hear(t, ws); got != long {
				t.Errorf("got %d bytes, want %d", len(got), len(long))
			}
			if got, _ := n.functions.await(t, "ask")["body"].(string); !strings.Contains(got, long) {
				t.Errorf("the function got %d bytes", len(got))
			}
		})
	}
}

// A header that is no list of extensions fails the handshake where compression is on (RFC 6455 §9.1); where it is off
// nobody looks at it, as on AWS.
func TestCompressionMalformedOffer(t *testing.T) {
	offer := http.Header{"Sec-WebSocket-Extensions": {"permessage-deflate; %%%;"}}
	for on, want := range map[bool]int{false: 101, true: 400} {
		limits := apigw.LimitsAWS()
		limits.Compression = on
		n := newTestNode(t, api{}, limits)
		_, res, err := n.dial(t, "/prod", offer)
		if res == nil || res.StatusCode != want {
			t.Errorf("compression %v: got %v, %v, want status %d", on, res, err, want)
		}
	}
}
