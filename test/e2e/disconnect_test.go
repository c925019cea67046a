//go:build e2e

package e2e_test

import (
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// What $disconnect is told about each way to leave (spec data-plane §3.3), with the ws library and the AWS SDK's call.
func TestDisconnectCodes(t *testing.T) {
	d := startDev(t, "recorder", options{})
	cases := map[string]struct {
		leave  []string
		code   int
		reason string
	}{
		"code and reason": {leave: []string{"close", "4002", "bye now"}, code: 4002, reason: "bye now"},
		"code alone":      {leave: []string{"close", "1000"}, code: 1000, reason: ""},
		"no status":       {leave: []string{"close"}, code: 1005, reason: "Client-side close frame status not set"},
		"connection lost": {leave: []string{"terminate"}, code: 1006, reason: "Connection Closed Abnormally"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			id := strings.TrimSpace(mustCommand(t, nil, "", "node", append([]string{"clients/leave.mjs", d.ws()}, tc.leave...)...))
			d.in(t).checkDisconnect(id, tc.code, tc.reason)
		})
	}
	t.Run("DELETE", func(t *testing.T) {
		d := d.in(t)
		c, id := d.connect()
		mustCommand(t, nil, "", "node", "clients/sdk3.mjs", d.endpoint(), "delete", id)
		if code, reason := c.receiveClose(); code != 1000 || reason != "Connection Closed Normally" {
			t.Errorf("the client was told %d %q", code, reason)
		}
		d.checkDisconnect(id, 1000, "Connection Closed Normally")
	})
	t.Run("binary message", func(t *testing.T) {
		d := d.in(t)
		c, id := d.connect()
		if err := c.conn.Write(t.Context(), websocket.MessageBinary, []byte("binary")); err != nil {
			t.Fatal(err)
		}
		if code, _ := c.receiveClose(); code != websocket.StatusUnsupportedData {
			t.Errorf("the client was told %d, want 1003", code)
		}
		d.checkDisconnectCode(id, 1003)
	})
	t.Run("frame over 32 KB", func(t *testing.T) {
		d := d.in(t)
		c, id := d.connect()
		c.send(strings.Repeat("x", 32*1024+1))
		if code, _ := c.receiveClose(); code != websocket.StatusMessageTooBig {
			t.Errorf("the client was told %d, want 1009", code)
		}
		d.checkDisconnectCode(id, 1009)
	})
}

func (d *dev) checkDisconnect(id string, code int, reason string) {
	d.t.Helper()
	d.checkDisconnectCode(id, code)
	if got := d.awaitEvent("DISCONNECT", id).Context.Reason; got != reason {
		d.t.Errorf("$disconnect got the reason %q, want %q", got, reason)
	}
}

// checkDisconnectCode is for causes whose reason nobody has confirmed (spec open-questions).
func (d *dev) checkDisconnectCode(id string, code int) {
	d.t.Helper()
	if got := d.awaitEvent("DISCONNECT", id).Context.Code; got == nil || *got != code {
		d.t.Errorf("$disconnect got the code %v, want %d", got, code)
	}
}
