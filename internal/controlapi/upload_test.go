package controlapi_test

import (
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"cleat/internal/controlapi"
)

// Large bodies are held in memory two at a time, however many senders there are; small ones wait for nobody.
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
		h := controlapi.New(controlapi.Options{Log: slog.New(slog.DiscardHandler), Services: []controlapi.Service{{Name: "s", Operations: []controlapi.Operation{
			{Name: "Large", Method: "PUT", Path: "/large", Resource: func(*controlapi.Call) string { return "*" }, MaxBody: 20 << 20, Do: do},
			{Name: "Small", Method: "PUT", Path: "/small", Resource: func(*controlapi.Call) string { return "*" }, Do: do},
		}}}})
		release := make(chan struct{})
		var wg sync.WaitGroup
		send := func(path string) {
			wg.Go(func() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "PUT", path, &gate{func() {
					mu.Lock()
					now++
					most = max(most, now)
					mu.Unlock()
					<-release
				}, strings.NewReader("x")}))
				if w.Code != 200 {
					t.Errorf("%s: got %d %s", path, w.Code, w.Body)
				}
			})
		}
		for range 5 {
			send("/large")
		}
		synctest.Wait()
		if most != 2 {
			t.Errorf("%d large bodies were read at a time, want 2", most)
		}
		send("/small")
		synctest.Wait()
		if most != 3 {
			t.Error("a small body waited for large ones")
		}
		close(release)
		wg.Wait()
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
