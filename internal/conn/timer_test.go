package conn_test

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/conn"
	"cleat/internal/frame"
)

// inBubble runs a test in virtual time, over a pipe.
func inBubble(t *testing.T, o conn.Options, test func(t *testing.T, hub *conn.Hub, h *testHandler, id apigw.ConnectionID, c *testClient)) {
	t.Helper()
	o.Engine = conn.EnginePortable
	synctest.Test(t, func(t *testing.T) {
		h := newTestHandler()
		hub := newTestHub(t, h, o)
		tr := transport{"pipe", conn.EnginePortable, func(testing.TB) (net.Conn, net.Conn) { return net.Pipe() }}
		id, c := connect(t, hub, tr, nil)
		if err := c.c.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		test(t, hub, h, id, c)
	})
}

// wantEnd expects a close frame after about d, and $disconnect with the same.
func wantEnd(t *testing.T, h *testHandler, c *testClient, begin time.Time, d time.Duration, label string) {
	t.Helper()
	c.wantClose(1001, "Going away")
	if got := time.Since(begin); got < d || got > d+5*time.Second {
		t.Errorf("ended after %v, want %v and up to 5 s (open-questions 20)", got, d)
	}
	c.close(1001, "")
	c.wantEOF()
	if got, want := (<-h.ended).reason, (conn.CloseReason{Code: 1001, Text: "Going away", Label: label}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// spec data-plane §3.1: ten minutes without a data frame.
func TestIdle(t *testing.T) {
	inBubble(t, conn.Options{}, func(t *testing.T, _ *conn.Hub, h *testHandler, _ apigw.ConnectionID, c *testClient) {
		t.Helper()
		wantEnd(t, h, c, time.Now(), 10*time.Minute, "idle")
	})
}

// A message, a push and a fragment count as activity; pings and pongs do not (open-questions 18).
func TestIdleReset(t *testing.T) {
	for name, act := range map[string]struct {
		act    func(c *testClient, hub *conn.Hub, id apigw.ConnectionID)
		resets bool
	}{
		"message":  {func(c *testClient, _ *conn.Hub, _ apigw.ConnectionID) { c.text("x") }, true},
		"fragment": {func(c *testClient, _ *conn.Hub, _ apigw.ConnectionID) { c.send(frame.OpText, false, "x") }, true},
		"push": {func(c *testClient, hub *conn.Hub, id apigw.ConnectionID) {
			if err := hub.Send(id, []byte("x")); err != nil {
				c.t.Error(err)
			}
			c.wantText("x")
		}, true},
		"ping": {func(c *testClient, _ *conn.Hub, _ apigw.ConnectionID) {
			c.send(frame.OpPing, true, "")
			c.frame()
		}, false},
		"pong": {func(c *testClient, _ *conn.Hub, _ apigw.ConnectionID) { c.send(frame.OpPong, true, "") }, false},
	} {
		for _, control := range []bool{false, true} {
			t.Run(name+map[bool]string{true: ", control is activity"}[control], func(t *testing.T) {
				limits := apigw.LimitsAWS()
				limits.ControlIsActivity = control
				inBubble(t, conn.Options{Limits: limits}, func(t *testing.T, hub *conn.Hub, h *testHandler, id apigw.ConnectionID, c *testClient) {
					t.Helper()
					begin := time.Now()
					time.Sleep(9 * time.Minute)
					act.act(c, hub, id)
					want := 10 * time.Minute
					if act.resets || control {
						want = 19 * time.Minute
					}
					wantEnd(t, h, c, begin, want, "idle")
				})
			})
		}
	}
}

// spec data-plane §3.1: two hours, however busy.
func TestMaxDuration(t *testing.T) {
	inBubble(t, conn.Options{}, func(t *testing.T, _ *conn.Hub, h *testHandler, _ apigw.ConnectionID, c *testClient) {
		t.Helper()
		begin := time.Now()
		for time.Since(begin) < 2*time.Hour-9*time.Minute {
			time.Sleep(9 * time.Minute)
			c.text("x")
		}
		wantEnd(t, h, c, begin, 2*time.Hour, "max_duration")
	})
}

// Profile open pings, and gives a peer up that leaves two pings unanswered.
func TestPings(t *testing.T) {
	limits := apigw.LimitsOpen()
	inBubble(t, conn.Options{Limits: limits}, func(t *testing.T, _ *conn.Hub, h *testHandler, _ apigw.ConnectionID, c *testClient) {
		t.Helper()
		begin := time.Now()
		ping := func(want time.Duration) {
			t.Helper()
			f := c.frame()
			if got := time.Since(begin); f.Header.OpCode != 0x9 || got < want || got > want+time.Second {
				t.Fatalf("got opcode %v after %v, want a ping after %v", f.Header.OpCode, got, want)
			}
		}
		for i := range 100 { // answered
			ping(time.Duration(i+1) * limits.PingInterval)
			begin = begin.Add(time.Since(begin) - time.Duration(i+1)*limits.PingInterval) // pongs restart the interval
			c.send(frame.OpPong, true, "")
		}
		last := time.Now()
		begin = last
		ping(limits.PingInterval)
		ping(2 * limits.PingInterval)
		c.wantEOF()
		if got, want := time.Since(last), 3*limits.PingInterval; got < want || got > want+time.Second {
			t.Errorf("given up after %v, want %v", got, want)
		}
		if got := (<-h.ended).reason; got.Code != 1006 || got.Label != "ping_timeout" {
			t.Errorf("got %+v", got)
		}
	})
}

// Bytes that a client leaves unread for WriteTimeout end its connection; one that reads on, however slowly, stays.
func TestWriteTimeout(t *testing.T) {
	inBubble(t, conn.Options{}, func(t *testing.T, hub *conn.Hub, h *testHandler, id apigw.ConnectionID, _ *testClient) {
		t.Helper()
		begin := time.Now()
		if err := hub.Send(id, []byte("x")); err != nil {
			t.Fatal(err)
		}
		got := <-h.ended
		if got.reason.Code != 1006 || got.reason.Label != "slow_reader" {
			t.Errorf("got %+v", got)
		}
		if d := time.Since(begin); d < 30*time.Second || d > 32*time.Second {
			t.Errorf("after %v, want 30 s", d)
		}
	})
	inBubble(t, conn.Options{}, func(t *testing.T, hub *conn.Hub, _ *testHandler, id apigw.ConnectionID, c *testClient) {
		t.Helper()
		for range 20 { // always something unread, nothing for longer than 20 s
			for range 2 {
				if err := hub.Send(id, []byte("x")); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Second)
			}
			c.wantText("x")
			c.wantText("x")
		}
	})
}

// Limits may change while connections are open.
func TestSetLimits(t *testing.T) {
	inBubble(t, conn.Options{}, func(t *testing.T, hub *conn.Hub, h *testHandler, _ apigw.ConnectionID, c *testClient) {
		t.Helper()
		begin := time.Now()
		time.Sleep(time.Minute)
		limits := apigw.LimitsAWS()
		limits.IdleTimeout = 2 * time.Minute
		if err := hub.SetLimits(limits); err != nil {
			t.Fatal(err)
		}
		wantEnd(t, h, c, begin, 2*time.Minute, "idle")
		limits.FrameSize = 0
		if err := hub.SetLimits(limits); err == nil {
			t.Error("limits that make no sense were taken")
		}
	})
}

// The wheel stands still while nothing is due, for as long as nothing is, and is woken by what is due sooner.
func TestWheelRests(t *testing.T) {
	inBubble(t, conn.Options{}, func(t *testing.T, hub *conn.Hub, h *testHandler, _ apigw.ConnectionID, c *testClient) {
		t.Helper()
		begin := time.Now()
		for range 10 {
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if rest := conn.WheelRest(hub); rest <= 0 || rest > time.Minute {
				t.Errorf("%s after the beginning it rests for %s", time.Since(begin), rest)
			}
		}
		// A minute began 40 seconds ago: the rest of it is longer than what is left to the connection by its new limit.
		limits := apigw.LimitsAWS()
		limits.IdleTimeout = 105 * time.Second
		if rest := conn.WheelRest(hub); rest < 10*time.Second {
			t.Fatalf("it rests for %s only: this test shows nothing", rest)
		}
		if err := hub.SetLimits(limits); err != nil {
			t.Fatal(err)
		}
		wantEnd(t, h, c, begin, 105*time.Second, "idle")
	})
}

// Timers are kept as precisely after a rest as without one.
func TestWheelIsPrecise(t *testing.T) {
	for _, idle := range []time.Duration{time.Second, 59 * time.Second, time.Minute, 61 * time.Second, 17 * time.Minute, 18 * time.Minute, 2 * time.Hour} {
		limits := apigw.LimitsAWS()
		limits.IdleTimeout, limits.MaxDuration = idle, 0
		inBubble(t, conn.Options{Limits: limits}, func(t *testing.T, _ *conn.Hub, h *testHandler, _ apigw.ConnectionID, c *testClient) {
			t.Helper()
			begin := time.Now()
			c.wantClose(1001, "Going away")
			if got := time.Since(begin); got < idle || got > idle+250*time.Millisecond {
				t.Errorf("ended after %s, want %s and a tick at most", got, idle)
			}
			c.close(1001, "")
			c.wantEOF()
			<-h.ended
		})
	}
}
