package conn_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/conn"
)

// Handlers that yield, at once, late, twice or never, that wait, panic and end their goroutines, all of them side by side:
// each connection's messages are handled one after the other and in order, where no more are let in at a time, nothing of
// one message is ever seen in another, whoever yields keeps its own, and no loop is left without a leader.
func TestYieldStress(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		t.Helper()
		const clients, messages = 12, 150
		limits := apigw.LimitsAWS()
		limits.InFlight = 1
		h := newTestHandler()
		hub := newTestHub(t, h, conn.Options{Engine: tr.engine, Limits: limits, MaxInFlight: 6, Yields: true})
		h.onMessage = func(id apigw.ConnectionID, _ any, m conn.Message) {
			text := string(m.Data)
			yield := func() {
				if m.Yield != nil {
					m.Yield()
				}
			}
			kind, _, _ := strings.Cut(text, " ")
			switch kind {
			case "yields":
				yield()
			case "yields-late":
				runtime.Gosched()
				yield()
				yield()
			case "waits":
				yield()
				time.Sleep(100 * time.Microsecond)
			case "panics":
				panic("planted")
			case "panics-later":
				yield()
				panic("planted")
			case "exits":
				runtime.Goexit()
			case "exits-later":
				yield()
				runtime.Goexit()
			}
			if string(m.Data) != text {
				t.Errorf("%q has become %q", text, m.Data)
			}
			if err := hub.Send(id, m.Data); err != nil {
				t.Errorf("Send: %v", err)
			}
		}
		kinds := []string{"quick", "yields", "yields-late", "waits", "quick"}
		var all sync.WaitGroup
		for n := range clients {
			_, c := connect(t, hub, tr, nil)
			if err := c.c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			text := func(i int) string {
				return fmt.Sprintf("%s %d %d %s", kinds[(i*7+n)%len(kinds)], n, i, strings.Repeat(string(rune('a'+n)), i*n%300))
			}
			all.Go(func() {
				for i := range messages {
					c.text(text(i))
				}
			})
			all.Go(func() {
				for i := range messages {
					c.wantText(text(i))
				}
			})
		}
		all.Go(func() {
			for i := range 20 {
				_, c := connect(t, hub, tr, nil)
				c.text([]string{"panics", "panics-later", "exits", "exits-later"}[i%4])
			}
		})
		all.Wait()
	})
}

// A burst of messages that all wait costs a goroutine for each as long as it waits, and nothing afterwards.
func TestBurstOfWaiting(t *testing.T) {
	for _, tr := range transports() {
		if tr.name != "epoll/tcp" {
			continue
		}
		const clients, each = 100, 20
		h := newTestHandler()
		limits := apigw.LimitsAWS()
		limits.InFlight = each
		release := make(chan struct{})
		var waiting, done sync.WaitGroup
		waiting.Add(clients * each)
		done.Add(clients * each)
		h.onMessage = func(_ apigw.ConnectionID, _ any, m conn.Message) {
			defer done.Done()
			m.Yield()
			waiting.Done()
			<-release
		}
		hub := newTestHub(t, h, conn.Options{Engine: tr.engine, Limits: limits, MaxInFlight: clients * each, Yields: true})
		before := runtime.NumGoroutine()
		for range clients {
			_, c := connect(t, hub, tr, nil)
			for range each {
				c.text("wait")
			}
		}
		waiting.Wait()
		if n := runtime.NumGoroutine() - before; n > clients*each+100 {
			t.Errorf("%d goroutines for %d messages", n, clients*each)
		}
		close(release)
		done.Wait()
		eventually(t, "those who rest have ended", func() bool { return runtime.NumGoroutine() < before+50 })
	}
}
