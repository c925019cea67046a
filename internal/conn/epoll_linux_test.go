package conn_test

import (
	"crypto/tls"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cleat/internal/apigw"
	"cleat/internal/conn"
	"cleat/internal/frame"
)

// When this fails with a new version of Go, idle TLS connections keep several kilobytes each: look at what has changed in
// tls.Conn.
func TestTLSTrim(t *testing.T) {
	if err := conn.TryTLSTrim(); err != nil {
		t.Error(err)
	}
}

// TLS works all the same where crypto/tls cannot be trimmed.
func TestTLSKeepsBuffers(t *testing.T) {
	h := newTestHandler()
	hub := newTestHub(t, h, conn.Options{Engine: conn.EngineEpoll})
	conn.KeepTLSBuffers(hub)
	h.onMessage = func(id apigw.ConnectionID, _ any, m conn.Message) { _ = hub.Send(id, m.Data) }
	_, c := connect(t, hub, transport{pair: tlsPair}, nil)
	for _, n := range []int{1, 1000, 32 << 10} {
		s := strings.Repeat("x", n)
		c.text(s)
		c.wantText(s)
	}
	c.close(1000, "")
	c.wantClose(1000, "")
	c.wantEOF()
}

// A TLS client that dribbles its records byte by byte: records, frames and messages all come in part.
func TestTLSDribble(t *testing.T) {
	h := newTestHandler()
	got := make(chan string, 1)
	h.onMessage = func(_ apigw.ConnectionID, _ any, m conn.Message) { got <- string(m.Data) }
	hub := newTestHub(t, h, conn.Options{Engine: conn.EngineEpoll})
	rawClient, rawServer := tcpPair(t)
	if err := rawClient.(*net.TCPConn).SetNoDelay(true); err != nil {
		t.Fatal(err)
	}
	slow := &dribble{Conn: rawClient}
	client, server := tls.Client(slow, &tls.Config{InsecureSkipVerify: true}), conn.ServerTLS(rawServer, testTLS())
	go func() { _ = server.Handshake() }()
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	eventually(t, "the server's handshake", func() bool { return server.ConnectionState().HandshakeComplete })
	id, err := hub.Reserve(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := hub.Open(id, server, conn.Handshake{}); err != nil {
		t.Fatal(err)
	}
	slow.on = true
	for _, want := range []string{"", "hello", strings.Repeat("x", 300)} {
		if _, err := client.Write(frame.AppendMasked(nil, frame.OpText, true, testKey, []byte(want))); err != nil {
			t.Fatal(err)
		}
		if s := <-got; s != want {
			t.Errorf("got %q, want %q", s, want)
		}
	}
}

// Keep-alive finds half-open connections, whoever listens: "cleat dev" leaves it to the hub. On the loopback it would end
// connections that are well, whose probes the kernel drops when a thousand and more fall due at once.
func TestKeepAlive(t *testing.T) {
	for name, test := range map[string]struct {
		keepAlive time.Duration
		far       bool
		want      [4]int // on, idle, interval, count
	}{
		"a minute by itself":                {0, true, [4]int{1, 60, 5, 12}},
		"two seconds":                       {2 * time.Second, true, [4]int{1, 2, 1, 12}},
		"as the listener has":               {-1, true, [4]int{1, 33, 44, 5}},
		"the loopback, by itself":           {0, false, [4]int{0, 33, 44, 5}},
		"the loopback, as the listener has": {-1, false, [4]int{0, 33, 44, 5}},
	} {
		for _, engine := range []string{conn.EngineEpoll, conn.EnginePortable} {
			for transport, secure := range map[string]func(net.Conn) net.Conn{
				"plain": func(c net.Conn) net.Conn { return c },
				"TLS":   func(c net.Conn) net.Conn { return conn.ServerTLS(c, testTLS()) },
			} {
				t.Run(name+"/"+engine+"/"+transport, func(t *testing.T) {
					hub := newTestHub(t, newTestHandler(), conn.Options{Engine: engine, KeepAlive: test.keepAlive})
					if test.far {
						hub.SetFar()
					}
					client, server := tcpPair(t)
					defer client.Close()
					tcp, _ := server.(*net.TCPConn)
					if err := tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 33 * time.Second, Interval: 44 * time.Second, Count: 5}); err != nil {
						t.Fatal(err)
					}
					socket, err := tcp.File()
					if err != nil {
						t.Fatal(err)
					}
					defer socket.Close()
					id, err := hub.Reserve(nil)
					if err != nil {
						t.Fatal(err)
					}
					if err := hub.Open(id, secure(server), conn.Handshake{}); err != nil {
						t.Fatal(err)
					}
					if got := keepAliveOf(t, socket); got != test.want {
						t.Errorf("got %v, want %v", got, test.want)
					}
				})
			}
		}
	}
}

func keepAliveOf(t *testing.T, socket *os.File) (got [4]int) {
	t.Helper()
	for i, option := range [4][2]int{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
	} {
		v, err := unix.GetsockoptInt(int(socket.Fd()), option[0], option[1])
		if err != nil {
			t.Fatal(err)
		}
		got[i] = v
	}
	return got
}

type dribble struct {
	net.Conn
	on bool
}

func (d *dribble) Write(p []byte) (int, error) {
	if !d.on {
		return d.Conn.Write(p)
	}
	for i := range p {
		if _, err := d.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
		if i%16 == 0 {
			time.Sleep(50 * time.Microsecond)
		}
	}
	return len(p), nil
}

// TLS records that came with the last bytes of the handshake are in nobody's sight but crypto/tls's.
func TestTLSBuffered(t *testing.T) {
	h := newTestHandler()
	got := make(chan string, 10)
	h.onMessage = func(_ apigw.ConnectionID, _ any, m conn.Message) { got <- string(m.Data) }
	hub := newTestHub(t, h, conn.Options{Engine: conn.EngineEpoll})
	client, server := tlsPair(t)
	defer client.Close()
	for _, s := range []string{"GET / HTTP/1.1\r\n\r\n", string(frame.AppendMasked(nil, frame.OpText, true, testKey, []byte("early"))), string(frame.AppendMasked(nil, frame.OpText, true, testKey, []byte("bird")))} {
		if _, err := client.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(20 * time.Millisecond) // for all three records to come with one read
	b := make([]byte, 18)
	if n, err := server.Read(b); err != nil || n != len(b) {
		t.Fatalf("%d, %v", n, err)
	}
	id, err := hub.Reserve(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := hub.Open(id, server, conn.Handshake{}); err != nil {
		t.Fatal(err)
	}
	words := map[string]bool{<-got: true, <-got: true}
	if !words["early"] || !words["bird"] {
		t.Errorf("got %v", words)
	}
}

// An idle connection has no goroutine, and every descriptor is closed in the end.
func TestNothingLeft(t *testing.T) {
	for name, pair := range map[string]func(testing.TB) (net.Conn, net.Conn){"tcp": tcpPair, "tls": tlsPair} {
		t.Run(name, func(t *testing.T) {
			h := newTestHandler()
			hub := newTestHub(t, h, conn.Options{Engine: conn.EngineEpoll})
			goroutines, files := atRest(t, hub, h), openFiles(t)
			const n = 50
			var clients []*testClient
			for range n {
				_, c := connect(t, hub, transport{pair: pair}, nil)
				clients = append(clients, c)
			}
			eventually(t, "no goroutine for an idle connection", func() bool { return runtime.NumGoroutine() <= goroutines })
			if got := openFiles(t) - files; got != 2*n {
				t.Errorf("%d descriptors for %d connections and their clients", got, n)
			}
			for i, c := range clients {
				if i%2 == 0 {
					c.close(1000, "")
				} else {
					c.c.Close()
				}
			}
			for range n {
				h.waitClosed(t)
			}
			for _, c := range clients {
				c.c.Close()
			}
			eventually(t, "no descriptor left", func() bool { return openFiles(t) <= files })
		})
	}
}

// atRest returns how many goroutines there are when nothing happens, all of the Hub's own included.
func atRest(t *testing.T, hub *conn.Hub, h *testHandler) int {
	t.Helper()
	_, c := connect(t, hub, transport{pair: tcpPair}, nil)
	c.close(1000, "")
	c.wantClose(1000, "")
	c.c.Close()
	h.waitClosed(t)
	n, same := 0, 0
	eventually(t, "rest", func() bool {
		if now := runtime.NumGoroutine(); now != n {
			n, same = now, 0
		}
		same++
		return same > 20
	})
	return n
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// Unix sockets and wrappers with NetConn go to the event loops too; keep-alive is set.
func TestAdopts(t *testing.T) {
	h := newTestHandler()
	hub := newTestHub(t, h, conn.Options{Engine: conn.EngineEpoll})
	for name, tc := range map[string]struct {
		wrap       func(net.Conn) net.Conn
		goroutines int
	}{
		"tcp":         {func(c net.Conn) net.Conn { return c }, 0},
		"wrapped":     {func(c net.Conn) net.Conn { return wrapper{wrapper{c}} }, 0},
		"plain TLS":   {func(c net.Conn) net.Conn { return tls.Server(c, testTLS()) }, 1},
		"unknown":     {func(c net.Conn) net.Conn { return struct{ net.Conn }{c} }, 1},
		"wrapped TLS": {func(c net.Conn) net.Conn { return wrapper{conn.ServerTLS(c, testTLS())} }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			before := atRest(t, hub, h)
			_, c := connect(t, hub, transport{pair: func(tb testing.TB) (net.Conn, net.Conn) {
				tb.Helper()
				client, server := tcpPair(tb)
				return client, tc.wrap(server)
			}}, nil)
			eventually(t, "the goroutines", func() bool { return runtime.NumGoroutine() == before+tc.goroutines })
			c.c.Close()
			eventually(t, "the end", func() bool { return hub.Len() == 0 && runtime.NumGoroutine() == before })
		})
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ends := make([]net.Conn, 2)
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socket")
		if ends[i], err = net.FileConn(f); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	before := atRest(t, hub, h)
	id, c := connect(t, hub, transport{pair: func(testing.TB) (net.Conn, net.Conn) { return ends[0], ends[1] }}, nil)
	if err := hub.Send(id, []byte("x")); err != nil {
		t.Fatal(err)
	}
	c.wantText("x")
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines more", n-before)
	}
}

type wrapper struct{ net.Conn }

func (w wrapper) NetConn() net.Conn { return w.Conn }
