package peer

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// Floors returns what servers are held against: each does one thing that a server has to do as well, and no more. The
// libraries' echoes are what one would write a server with.
func Floors() []Server {
	return []Server{direct{}, &echoFloor{}, &libraryFloor{name: "gorilla"}, &libraryFloor{name: "coder"}, nodeFloor{}}
}

// caller is an Instance that is called by HTTP.
type caller struct {
	instance
	head []byte // of a request, up to the value of Content-Length
}

func newCaller(dir, addr, path string) *caller {
	return &caller{
		instance: newInstance(dir, addr),
		head:     fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: ", path, addr),
	}
}

func (*caller) Client(int) Client { panic("a floor without WebSocket") }

func (*caller) Push(int, string, []byte) (string, []byte) { panic("a floor without pushes") }

func (c *caller) Request(dst, payload []byte) []byte {
	dst = strconv.AppendInt(append(dst, c.head...), int64(len(payload)), 10)
	return append(append(dst, "\r\n\r\n"...), payload...)
}

// direct has clients call the backend themselves. It has no process of its own.
type direct struct{}

func (direct) Name() string { return "direct" }

func (direct) Install(context.Context, string) (string, error) { return "-", nil }

func (direct) Notes() string {
	return "The load generator calls the backend itself, over HTTP connections that are kept: what is left when there is no server between."
}

func (direct) Can(s Scenario) (string, bool) { return only(s, ScenarioMessage) }

func (direct) Start(_ context.Context, s Setup) (Instance, error) {
	return newCaller(s.Dir, s.Backend, "/echo"), nil
}

// only tells that a floor does one scenario, or several.
func only(s Scenario, can ...Scenario) (string, bool) {
	if slices.Contains(can, s) {
		return "", true
	}
	return "a floor of other scenarios", false
}

// echoFloor is bench/floor/echo.
type echoFloor struct{ program string }

func (*echoFloor) Name() string { return "echo" }

func (e *echoFloor) Install(ctx context.Context, dir string) (string, error) {
	e.program = filepath.Join(dir, "echo")
	_, err := run(ctx, "", "go", "build", "-o", e.program, "cleat/bench/floor/echo")
	return "-", err
}

func (*echoFloor) Notes() string {
	return "A bare epoll loop on one thread that unmasks frames and sends them back: no checks, no limits, no time-outs, no TLS."
}

func (*echoFloor) Can(s Scenario) (string, bool) {
	return only(s, ScenarioMock, ScenarioConnect, ScenarioIdle)
}

func (e *echoFloor) Start(ctx context.Context, s Setup) (Instance, error) {
	if s.CertFile != "" {
		return nil, fmt.Errorf("the echo: %w", ErrNoTLS)
	}
	addrs, err := freeAddrs(ctx, 1)
	if err != nil {
		return nil, err
	}
	i := &echoInstance{newInstance(s.Dir, addrs[0])}
	if err := i.start("echo", nil, e.program, i.addr); err != nil {
		return nil, err
	}
	return i, i.ready(ctx, i.addr)
}

type echoInstance struct{ instance }

func (*echoInstance) Client(int) Client {
	return Client{Path: "/", Message: func(dst []byte, _ uint64, payload []byte) []byte { return append(dst, payload...) }}
}

func (*echoInstance) Push(int, string, []byte) (string, []byte) { panic("a floor without pushes") }

// libraryFloor is bench/floor/library with one of its libraries.
type libraryFloor struct{ name, program string }

func (l *libraryFloor) Name() string { return l.name }

func (l *libraryFloor) Install(ctx context.Context, dir string) (string, error) {
	l.program = filepath.Join(dir, "library")
	if _, err := run(ctx, "", "go", "build", "-o", l.program, "cleat/bench/floor/library"); err != nil {
		return "", err
	}
	return run(ctx, "", "go", "list", "-m", "-f", "{{.Version}}", "github.com/"+l.name+"/websocket")
}

func (l *libraryFloor) Notes() string {
	return "An echo with the library " + l.name + "/websocket and its defaults, behind net/http's server: a goroutine for each connection."
}

func (*libraryFloor) Can(s Scenario) (string, bool) {
	return only(s, ScenarioMock, ScenarioConnect, ScenarioIdle)
}

func (l *libraryFloor) Start(ctx context.Context, s Setup) (Instance, error) {
	addrs, err := freeAddrs(ctx, 1)
	if err != nil {
		return nil, err
	}
	i := &echoInstance{newInstance(s.Dir, addrs[0])}
	args := []string{l.name, i.addr}
	if s.CertFile != "" {
		args = append(args, s.CertFile, s.KeyFile)
	}
	if err := i.start(l.name, nil, l.program, args...); err != nil {
		return nil, err
	}
	return i, i.ready(ctx, i.addr)
}

// nodeFloor is an HTTP server of Node, the same kind of process that runs functions.
type nodeFloor struct{}

func (nodeFloor) Name() string { return "node" }

func (nodeFloor) Install(ctx context.Context, _ string) (string, error) {
	return run(ctx, "", "node", "--version")
}

func (nodeFloor) Notes() string {
	return "The load generator calls an HTTP server of one Node process, which does what the function does."
}

func (nodeFloor) Can(s Scenario) (string, bool) { return only(s, ScenarioFunction) }

const nodeProgram = `
const handler = async (event) => ({ statusCode: 200, body: event.body });
require("http").createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8");
  request.on("data", (part) => { body += part; });
  request.on("end", async () => {
    const answer = await handler({ body });
    response.writeHead(answer.statusCode, { "content-type": "application/json", "content-length": Buffer.byteLength(answer.body) });
    response.end(answer.body);
  });
}).listen(Number(process.argv[2]), "127.0.0.1");
`

func (nodeFloor) Start(ctx context.Context, s Setup) (Instance, error) {
	addrs, err := freeAddrs(ctx, 1)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(s.Dir, "server.js")
	if err := os.WriteFile(file, []byte(nodeProgram), 0o600); err != nil {
		return nil, err
	}
	c := newCaller(s.Dir, addrs[0], "/")
	if err := c.start("node", nil, "node", file, port(c.addr)); err != nil {
		return nil, err
	}
	return c, c.ready(ctx, c.addr)
}
