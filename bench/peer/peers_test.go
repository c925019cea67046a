//go:build peers

package peer_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"cleat/bench/peer"
)

var folder = flag.String("folder", os.TempDir()+"/cleat-bench", "where peers are built and installed")

// backend answers the routes of a server, as the bench's own backend does.
func backend(t *testing.T, s peer.Server) (addr string) {
	t.Helper()
	var routes []peer.Route
	if r, ok := s.(peer.Router); ok {
		routes = r.Routes()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		for _, route := range routes {
			if r.URL.Path == route.Path || strings.HasSuffix(route.Path, "/") && strings.HasPrefix(r.URL.Path, route.Path) {
				status, lines, answer := route.Answer(r.URL.Path, r.Header.Get, body)
				for _, line := range lines {
					name, value, _ := strings.Cut(line, ": ")
					w.Header().Set(name, value)
				}
				w.WriteHeader(status)
				w.Write(answer)
				return
			}
		}
		t.Errorf("%s asks the backend for %s", s.Name(), r.URL)
		w.WriteHeader(http.StatusNotFound)
	})}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return l.Addr().String()
}

type client struct {
	peer.Client
	t    *testing.T
	conn *websocket.Conn
	id   string
	seq  uint64
}

func connect(t *testing.T, i peer.Instance, n int) *client {
	t.Helper()
	c := &client{Client: i.Client(n), t: t}
	header := http.Header{}
	for _, line := range c.Header {
		name, value, _ := strings.Cut(line, ": ")
		header.Add(name, value)
	}
	var err error
	if c.conn, _, err = websocket.DefaultDialer.Dial("ws://"+i.Addr()+c.Path, header); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.conn.Close() })
	if len(c.Hello) > 0 {
		c.write(c.Hello)
	}
	for done := c.Identify == nil; !done; {
		c.id, done = c.Identify(c.read())
	}
	return c
}

func (c *client) write(b []byte) {
	c.t.Helper()
	if err := c.conn.WriteMessage(websocket.TextMessage, b); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) read() []byte {
	c.t.Helper()
	c.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	_, b, err := c.conn.ReadMessage()
	if err != nil {
		c.t.Fatal(err)
	}
	return b
}

func (c *client) reply() string {
	c.t.Helper()
	for {
		b := c.read()
		if c.Reply == nil {
			return string(b)
		}
		reply, answer := c.Reply(b)
		if reply {
			return string(b)
		}
		if len(answer) > 0 {
			c.write(answer)
		}
	}
}

// exchange sends a message and wants its answer to carry it.
func (c *client) exchange(payload string) {
	c.t.Helper()
	c.seq++
	c.write(c.Message(nil, c.seq, []byte(payload)))
	if got := c.reply(); !strings.Contains(got, payload) {
		c.t.Errorf("the answer to %s is %s", payload, got)
	}
}

func push(t *testing.T, i peer.Instance, n int, c *client, text string) {
	t.Helper()
	addr, request := i.Push(n, c.id, []byte(text))
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode/100 != 2 {
		t.Errorf("the push is answered by %s %s", resp.Status, body)
	}
	if got := c.reply(); !strings.Contains(got, text) {
		t.Errorf("the client got %s for the push of %s", got, text)
	}
}

// TestPeers has each peer do each scenario that it says it can: two clients, a message of each, and pushes.
func TestPeers(t *testing.T) {
	if err := os.MkdirAll(*folder, 0o755); err != nil {
		t.Fatal(err)
	}
	scenarios := []peer.Scenario{
		peer.ScenarioMessage, peer.ScenarioPush, peer.ScenarioFunction, peer.ScenarioMock,
		peer.ScenarioConnect, peer.ScenarioConnectHTTP, peer.ScenarioIdle,
	}
	for _, s := range peer.Peers() {
		t.Run(s.Name(), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
			defer cancel()
			version, err := s.Install(ctx, *folder)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(version)
			for _, scenario := range scenarios {
				t.Run(string(scenario), func(t *testing.T) { exercise(ctx, t, s, scenario) })
			}
		})
	}
}

func exercise(ctx context.Context, t *testing.T, s peer.Server, scenario peer.Scenario) {
	t.Helper()
	if why, ok := s.Can(scenario); !ok {
		if why == "" {
			t.Error("a scenario that cannot be done has no reason")
		}
		return
	}
	dir, err := os.MkdirTemp("", "peer")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	i, err := s.Start(ctx, peer.Setup{Scenario: scenario, Dir: dir, Backend: backend(t, s), Connections: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Stop() // where a client gives up; stopping twice does nothing
	clients := []*client{connect(t, i, 0), connect(t, i, 1)}
	for n, c := range clients {
		switch scenario {
		case peer.ScenarioMessage, peer.ScenarioFunction, peer.ScenarioIdle:
			for seq := range 3 {
				c.exchange(fmt.Sprintf("message %d of client %d", seq, n))
			}
			if scenario == peer.ScenarioMessage {
				c.exchange(strings.Repeat("b", 4000))
			}
		case peer.ScenarioPush:
			for seq := range 3 {
				push(t, i, n, c, fmt.Sprintf("push %d to client %d", seq, n))
			}
		case peer.ScenarioMock, peer.ScenarioConnect, peer.ScenarioConnectHTTP: // that they connect is all
		}
	}
	ids := i.Processes()
	if len(ids) == 0 {
		t.Error("no process")
	}
	if err := i.Stop(); err != nil {
		t.Error(err)
	}
	for _, id := range ids {
		if _, err := os.Stat("/proc/" + strconv.Itoa(id)); err == nil {
			t.Errorf("process %d is left", id)
		}
	}
}
