package conn_test

import (
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cleat/internal/apigw"
	"cleat/internal/conn"
	"cleat/internal/frame"
)

// awaiting returns a Hub whose loops can be waited in, with a client, and a descriptor that becomes readable with a write to w.
// What its Handler does with a message is up to the test.
func awaiting(t *testing.T, onMessage func(m conn.Message, fd int)) (hub *conn.Hub, c *testClient, w *os.File) {
	t.Helper()
	if before := runtime.GOMAXPROCS(0); before < 2 {
		runtime.GOMAXPROCS(2)
		t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	}
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	r, w := os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
	t.Cleanup(func() { _, _ = r.Close(), w.Close() }) // nothing was written that matters
	h := newTestHandler()
	h.onMessage = func(_ apigw.ConnectionID, _ any, m conn.Message) { onMessage(m, fds[0]) }
	hub = newTestHub(t, h, conn.Options{Engine: conn.EngineEpoll, Yields: true})
	_, c = connect(t, hub, epollTCP(t), nil)
	return hub, c, w
}

func epollTCP(t *testing.T) transport {
	t.Helper()
	for _, tr := range transports() {
		if tr.name == "epoll/tcp" {
			return tr
		}
	}
	t.Fatal("no transport epoll/tcp")
	return transport{}
}

// What a Handler waits for comes, and it still leads: it has not yielded, which a second wait shows. Messages go on behind it.
func TestAwait(t *testing.T) {
	said := make(chan bool, 10)
	var w *os.File
	var c *testClient
	_, c, w = awaiting(t, func(m conn.Message, fd int) {
		if string(m.Data) != "wait" {
			said <- true
			return
		}
		if m.Await == nil {
			t.Error("a loop with nothing else to do has no Await")
			said <- false
			return
		}
		if _, err := w.WriteString("x"); err != nil {
			t.Error(err)
		}
		said <- m.Await(fd, time.Time{}) && m.Await(fd, time.Now().Add(time.Minute))
	})
	c.text("wait")
	if !<-said {
		t.Error("it yielded, and what it waited for was there")
	}
	c.text("quick")
	<-said
}

// A Handler that waits for what does not come has yielded after a while, or at the time it gives, and may go on waiting
// otherwise: the loop has another leader.
func TestAwaitInVain(t *testing.T) {
	for name, until := range map[string]func() time.Time{
		"no time given": func() time.Time { return time.Time{} },
		"a late one":    func() time.Time { return time.Now().Add(time.Hour) },
		"a past one":    func() time.Time { return time.Unix(1, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			said, release := make(chan bool, 10), make(chan struct{})
			_, c, _ := awaiting(t, func(m conn.Message, fd int) {
				if string(m.Data) != "wait" {
					said <- true
					return
				}
				got := m.Await(fd, until())
				said <- got || m.Await(fd, time.Time{}) // at once, for it does not lead
				<-release
			})
			c.text("wait")
			if <-said {
				t.Error("what never came has come")
			}
			c.text("quick")
			<-said // the message before still waits
			close(release)
		})
	}
}

// Messages of clients come before what a Handler waits for, however long it would wait.
func TestAwaitHoldsUpNobody(t *testing.T) {
	said, release := make(chan string, 100), make(chan struct{})
	var waits atomic.Int64
	hub, c, _ := awaiting(t, func(m conn.Message, fd int) {
		if string(m.Data) == "wait" {
			if m.Await != nil && m.Await(fd, time.Time{}) {
				t.Error("what never came has come")
			}
			m.Yield() // to no effect after Await
			waits.Add(1)
			<-release
		}
		said <- string(m.Data)
	})
	const others = 20
	for range others {
		_, other := connect(t, hub, epollTCP(t), nil)
		c.text("wait")
		other.text("quick")
	}
	for range others {
		if got := <-said; got != "quick" {
			t.Errorf("%q was done, want quick", got)
		}
	}
	close(release)
	for range others {
		if got := <-said; got != "wait" {
			t.Errorf("%q was done, want wait", got)
		}
	}
	if got := waits.Load(); got != others {
		t.Errorf("%d waited, want %d", got, others)
	}
}

// Nobody is offered to wait in a loop that has other messages, nor outside of one.
func TestAwaitIsForQuietLoops(t *testing.T) {
	said := make(chan bool, 100)
	_, c, _ := awaiting(t, func(m conn.Message, _ int) { said <- m.Await != nil })
	const burst = 10
	var frames []byte
	for range burst {
		frames = frame.AppendMasked(frames, frame.OpText, true, testKey, []byte("x"))
	}
	c.bytes(frames)
	for i := range burst - 1 {
		if <-said {
			t.Errorf("message %d of %d that came at once may wait in the loop", i+1, burst)
		}
	}
	<-said

	h := newTestHandler()
	h.onMessage = func(_ apigw.ConnectionID, _ any, m conn.Message) { said <- m.Await != nil }
	for name, o := range map[string]conn.Options{
		"portable":                      {Engine: conn.EnginePortable, Yields: true},
		"a Handler that does not yield": {Engine: conn.EngineEpoll},
	} {
		_, other := connect(t, newTestHub(t, h, o), epollTCP(t), nil)
		other.text("x")
		if <-said {
			t.Errorf("%s: there is an Await", name)
		}
	}
}

// A Hub that ends waits for who waits in a loop, and is not held up for longer than that takes.
func TestEndWhileAwaiting(t *testing.T) {
	began := make(chan struct{})
	_, c, _ := awaiting(t, func(m conn.Message, fd int) {
		close(began)
		if m.Await(fd, time.Time{}) {
			t.Error("what never came has come")
		}
	})
	c.text("wait")
	<-began // the clean-up of newTestHub ends the Hub now
}
