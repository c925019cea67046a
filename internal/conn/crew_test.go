package conn_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"cleat/internal/apigw"
	"cleat/internal/conn"
)

// A crew grows with those who are busy, and those who were not needed for a while end.
func TestCrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := make(chan struct{})
		promote, trim, end, resting := conn.NewCrew(func() { <-busy })
		check := func(when string, want int) {
			t.Helper()
			synctest.Wait()
			if got := resting(); got != want {
				t.Errorf("%s: %d rest, want %d", when, got, want)
			}
		}
		const many = 5
		for range many {
			promote()
		}
		check("while all are busy", 0)
		for range many {
			busy <- struct{}{}
		}
		check("after their work", many)
		trim()
		check("at once", many)
		promote()
		promote()
		busy <- struct{}{}
		busy <- struct{}{}
		check("after two were needed", many)
		trim()
		check("when three were not", 2)
		trim()
		check("when nobody was", 0)
		promote()
		check("of one that is busy", 0)
		busy <- struct{}{}
		end()
		if got := resting(); got != 0 {
			t.Errorf("at the end %d rest", got)
		}
	})
}

// A crew keeps a bounded number of those who have nothing to do.
func TestCrewIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := make(chan struct{})
		promote, _, end, resting := conn.NewCrew(func() { <-busy })
		for range 300 {
			promote()
		}
		close(busy)
		synctest.Wait()
		if got := resting(); got != 256 {
			t.Errorf("%d rest, want 256", got)
		}
		end()
	})
}

// A message whose Handler waits holds up nobody: without Yields from the start, with it once the Handler has yielded.
func TestWaitingHandlers(t *testing.T) {
	for _, tr := range transports() {
		for _, yields := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, yields %v", tr.name, yields), func(t *testing.T) {
				h := newTestHandler()
				release, others := make(chan struct{}), make(chan string, 100)
				h.onMessage = func(_ apigw.ConnectionID, _ any, m conn.Message) {
					if yields && m.Yield != nil {
						m.Yield()
						m.Yield() // to no effect
					}
					if string(m.Data) == "wait" {
						<-release
					}
					others <- string(m.Data)
				}
				hub := newTestHub(t, h, conn.Options{Engine: tr.engine, Yields: yields})
				const waiting, quick = 20, 20
				var clients []*testClient
				for range waiting {
					_, c := connect(t, hub, tr, nil)
					c.text("wait")
					clients = append(clients, c)
				}
				for _, c := range clients[:quick] {
					c.text("quick")
				}
				count := func(n int, want string) {
					t.Helper()
					for range n {
						if got := <-others; got != want {
							t.Fatalf("%q was done, want %q", got, want)
						}
					}
				}
				count(quick, "quick")
				close(release)
				count(waiting, "wait")
			})
		}
	}
}

// A connection whose end the Handler waits over holds up nobody either.
func TestWaitingClosed(t *testing.T) {
	for _, tr := range transports() {
		for _, yields := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, yields %v", tr.name, yields), func(t *testing.T) {
				h := newTestHandler()
				release, said := make(chan struct{}), make(chan string, 1)
				h.onClosed = func(_ apigw.ConnectionID, yield func()) {
					if yields {
						yield()
						yield() // to no effect
					}
					<-release
				}
				h.onMessage = func(_ apigw.ConnectionID, _ any, m conn.Message) { said <- string(m.Data) }
				hub := newTestHub(t, h, conn.Options{Engine: tr.engine, Yields: yields})
				_, other := connect(t, hub, tr, nil)
				const waiting = 20
				for range waiting {
					_, c := connect(t, hub, tr, nil)
					_ = c.c.Close() // without a close frame
					other.text("still there")
					if got := <-said; got != "still there" {
						t.Fatalf("%q was said", got)
					}
				}
				close(release)
				for range waiting {
					if got := h.waitClosed(t); got.reason.Code != 1006 {
						t.Errorf("closed with %v, want 1006", got.reason)
					}
				}
			})
		}
	}
}

// A Handler that panics, or ends its goroutine, takes nothing with it but its connection, whether it has yielded or not.
func TestFailingHandlersThatYield(t *testing.T) {
	for _, tr := range transports() {
		for name, fails := range map[string]func(){
			"panic":  func() { panic("planted") },
			"goexit": runtime.Goexit,
		} {
			for _, before := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, after yielding %v", tr.name, name, before), func(t *testing.T) {
					h := newTestHandler()
					done := make(chan string, 100)
					h.onMessage = func(_ apigw.ConnectionID, _ any, m conn.Message) {
						done <- string(m.Data)
						if strings.HasPrefix(string(m.Data), "fail") {
							if before && m.Yield != nil {
								m.Yield()
							}
							fails()
						}
					}
					hub := newTestHub(t, h, conn.Options{Engine: tr.engine, Yields: true})
					for range 5 {
						_, bad := connect(t, hub, tr, nil)
						_, good := connect(t, hub, tr, nil)
						bad.text("fail")
						<-done
						if name == "panic" {
							if got := h.waitClosed(t); got.reason.Code != 1011 {
								t.Errorf("closed with %v, want 1011", got.reason)
							}
						}
						good.text("good")
						if got := <-done; got != "good" {
							t.Errorf("%q was handled", got)
						}
					}
				})
			}
		}
	}
}
