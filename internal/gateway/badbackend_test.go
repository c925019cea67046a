package gateway_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/backend"
)

// abuse is a backend that misbehaves as the path says.
func abuse(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // net/http notices that the caller has left only behind the body
	out := http.NewResponseController(w)
	send := func(s string) {
		_, _ = io.WriteString(w, s)
		_ = out.Flush()
	}
	raw := func(s string) {
		c, _, err := out.Hijack()
		if err == nil {
			_, _ = io.WriteString(c, s)
			_ = c.Close()
		}
	}
	switch strings.TrimPrefix(r.URL.Path, "/") {
	case "hangs":
		<-r.Context().Done()
	case "stalls":
		w.Header().Set("Content-Length", "10")
		send("half")
		<-r.Context().Done()
	case "drips":
		for r.Context().Err() == nil {
			send("x")
			time.Sleep(5 * time.Millisecond)
		}
	case "closes":
		raw("")
	case "short":
		raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
	case "garbage":
		raw("220 smtp.example ESMTP\r\n")
	case "endless":
		for r.Context().Err() == nil {
			send(strings.Repeat("x", 64<<10))
		}
	case "headers":
		w.Header().Set("X-Long", strings.Repeat("x", 128<<10))
	case "redirects":
		w.Header().Set("Location", "/fine")
		w.WriteHeader(http.StatusFound)
		send("moved")
	case "gzip":
		w.Header().Set("Content-Encoding", "gzip")
		send("not gzip")
	case "bytes":
		send("\xff\xfe")
	default:
		send("fine")
	}
}

// TestBadBackends: what a client sees when a backend misbehaves, at its connect and when it sends a message (spec
// events-and-integrations §6.2, data-plane §2 and §6).
func TestBadBackends(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(abuse))
	t.Cleanup(s.Close)
	h := backend.NewHTTP(backend.HTTPOptions{})
	t.Cleanup(h.Close)
	const failed, late = `{"message": "Internal server error", `, `{"message": "Endpoint request timed out", `
	for name, want := range map[string]struct {
		status int
		reply  string // the beginning of the frame
	}{
		"hangs": {504, late}, "stalls": {504, late}, "drips": {504, late},
		"closes": {502, failed}, "short": {502, failed}, "garbage": {502, failed}, "headers": {502, failed},
		"endless": {101, failed}, "bytes": {101, failed}, // bodies do not matter at $connect
		"redirects": {302, "moved"}, "gzip": {101, "not gzip"}, "fine": {101, "fine"},
	} {
		t.Run(name, func(t *testing.T) {
			to, timeout := s.URL+"/"+name, 29_000
			if want.reply == late {
				timeout = 100
			}
			n := newTestNode(t, api{routes: map[string]string{apigw.RouteConnect: to}, timeout: timeout, http: h}, apigw.LimitsAWS())
			_, resp, err := n.dial(t, "/prod", nil)
			if resp == nil || resp.StatusCode != want.status {
				t.Errorf("connect: got %+v, %v, want %d", resp, err, want.status)
			}
			n = newTestNode(t, api{routes: map[string]string{apigw.RouteDefault: to}, twoWay: []string{apigw.RouteDefault}, timeout: timeout, http: h}, apigw.LimitsAWS())
			ws := n.open(t)
			say(t, ws, "hello")
			if got := hear(t, ws); !strings.HasPrefix(got, want.reply) {
				t.Errorf("message: got %.200s, want %s…", got, want.reply)
			}
		})
	}
}
