package listen_test

import (
	"testing"
	"time"

	"cleat/internal/listen"
)

// A server that nobody comes to any more is left with the goroutine that accepts, and accepts with it.
func TestIdleServerKeepsNobody(t *testing.T) {
	t.Parallel()
	s := start(t, listen.Options{Handler: text("ok")})
	ask := func() {
		t.Helper()
		c := s.dial(t)
		write(t, c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		if _, body := answerOn(t, c); body != "ok" {
			t.Fatalf("got %q", body)
		}
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(wait); !ok(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("not %s: %d goroutines wait", what, s.Waiting())
			}
		}
	}
	for range 3 {
		until("kept", func() bool { ask(); return s.Waiting() > 0 })
		until("ended", func() bool { s.Trim(); return s.Waiting() == 0 })
	}
	ask()
}
