package controlapi_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"cleat/internal/controlapi"
)

// The largest bodies are held in memory two at a time, however many senders there are, and one of each address; small ones wait
// for nobody. The sender of none of them is known by then.
func TestUploadsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most := 0, 0
		do := func(c *controlapi.Call) (controlapi.Answer, error) {
			mu.Lock()
			defer mu.Unlock()
			now--
			return controlapi.OK(nil), nil
		}
		source := func(r *http.Request) string { return r.Header.Get("Source") }
		h := controlapi.New(controlapi.Options{Log: slog.New(slog.DiscardHandler), SourceIP: source, Services: []controlapi.Service{{Name: "s", Operations: []controlapi.Operation{
			{Name: "Large", Method: "PUT", Path: "/large", Resource: func(*controlapi.Call) string { return "*" }, MaxBody: 70 << 20, Do: do},
			{Name: "Small", Method: "PUT", Path: "/small", Resource: func(*controlapi.Call) string { return "*" }, Do: do},
		}}}})
		release := make(chan struct{})
		var wg sync.WaitGroup
		send := func(path, source string, length int64) {
			wg.Go(func() {
				w := httptest.NewRecorder()
				r := httptest.NewRequestWithContext(t.Context(), "PUT", path, &gate{func() {
					mu.Lock()
					now++
					most = max(most, now)
					mu.Unlock()
					<-release
				}, strings.NewReader("x")})
				r.Header.Set("Source", source)
				r.ContentLength = length
				h.ServeHTTP(w, r)
				if w.Code != 200 {
					t.Errorf("%s: got %d %s", path, w.Code, w.Body)
				}
			})
		}
		wants := func(what string, want int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if most != want {
				t.Errorf("%s: %d bodies are read at a time, want %d", what, most, want)
			}
		}
		for range 3 {
			send("/large", "192.0.2.1", 60<<20)
		}
		wants("of one address", 1)
		for range 3 {
			send("/large", "192.0.2.2", -1)
		}
		wants("of two", 2)
		send("/large", "192.0.2.3", 1)
		send("/small", "192.0.2.1", 1)
		wants("small ones beside them", 4)
		close(release)
		wg.Wait()
	})
}

// Who says beforehand that a body is too large, or has waited long enough for its turn, is told so, and nothing is read.
func TestUploadsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := controlapi.New(controlapi.Options{Log: slog.New(slog.DiscardHandler), Services: []controlapi.Service{{Name: "s", Operations: []controlapi.Operation{{
			Name: "Large", Method: "PUT", Path: "/large", Resource: func(*controlapi.Call) string { return "*" }, MaxBody: 70 << 20,
			Do: func(*controlapi.Call) (controlapi.Answer, error) { return controlapi.OK(nil), nil },
		}}}}})
		send := func(length int64, wait func()) int {
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), "PUT", "/large", &gate{wait, strings.NewReader("x")})
			r.ContentLength = length
			h.ServeHTTP(w, r)
			return w.Code
		}
		unread := func() { t.Error("the body was read") }
		if got := send(70<<20+1, unread); got != http.StatusRequestEntityTooLarge {
			t.Errorf("got %d", got)
		}
		first := send(50<<20, func() {
			if got := send(50<<20, unread); got != http.StatusTooManyRequests {
				t.Errorf("got %d", got)
			}
		})
		if again := send(50<<20, func() {}); first != http.StatusOK || again != http.StatusOK {
			t.Errorf("got %d, then %d", first, again)
		}
	})
}

// gate is a body whose first read waits.
type gate struct {
	wait func()
	io.Reader
}

func (g *gate) Read(b []byte) (int, error) {
	if g.wait != nil {
		g.wait()
		g.wait = nil
	}
	return g.Reader.Read(b)
}
