// Package peer is what the bench needs of a server that it measures: Cleat, those that do a similar job, and floors. It
// knows how each is installed, started, spoken to and pushed to; what is measured is not its concern.
package peer

import (
	"context"
	"errors"
	"time"
)

// ErrNoTLS is Start's where a server does the scenario, but not over TLS.
var ErrNoTLS = errors.New("does not speak TLS")

// Server is one program that can be measured. Its methods are called one after the other.
type Server interface {
	// Name is the row's name in tables, in lower case: "nchan".
	Name() string
	// Install brings the program onto this machine, from the package registries alone, unless it is there, and returns its
	// version. dir is the bench's folder for builds and packages; it outlives a run.
	Install(ctx context.Context, dir string) (version string, err error)
	// Notes tell, in Markdown, how the program is configured and why that is the best that can honestly be had.
	Notes() string
	// Can tells whether the program can do a scenario, and when not, why not.
	Can(s Scenario) (why string, ok bool)
	// Start runs the program for one scenario and returns once it answers. Its processes end with Instance.Stop, and with
	// the bench's own process.
	Start(ctx context.Context, s Setup) (Instance, error)
}

// Scenario is a kind of measurement.
type Scenario string

// The scenarios. Their letters are those of docs/benchmarks.md.
const (
	ScenarioMessage     Scenario = "message"      // (a) message -> HTTP backend -> reply to the client
	ScenarioPush        Scenario = "push"         // (b) POST push to one connection, and to each
	ScenarioFunction    Scenario = "function"     // (c) message -> local Node function -> reply
	ScenarioMock        Scenario = "mock"         // (d) two-way answer without any backend, with a mapping template
	ScenarioConnect     Scenario = "connect"      // (e) connects per second, let in without a backend
	ScenarioConnectHTTP Scenario = "connect-http" // (e) connects per second, let in by the HTTP backend
	ScenarioIdle        Scenario = "idle"         // (f) memory of idle connections, before and after each has talked once
)

// Setup is what a Server is started for.
type Setup struct {
	Scenario Scenario
	Dir      string // a folder for files of this start, empty, removed afterwards
	// Backend is host:port of the bench's HTTP backend, which answers Routes of the server. It runs throughout.
	Backend string
	// Connections is how many clients will connect at most.
	Connections int
	// IdleTimeout asks for connections that live as long without a message, where the server has a shorter time-out that
	// can be set. Zero: as it is installed.
	IdleTimeout time.Duration
	// TLS asks for TLS with this certificate and key, PEM files. Empty: plain.
	CertFile, KeyFile string
}

// Instance is a running Server. Its methods may be called from several goroutines at a time.
type Instance interface {
	// Addr is where clients connect, 127.0.0.1:port.
	Addr() string
	// Processes are the IDs of all processes whose processor time and memory count, as of now.
	Processes() []int
	// Client is how client number i speaks.
	Client(i int) Client
	// Push is the HTTP/1.1 request, whole, that pushes a text to a client, and where to send it, host:port. id is what the
	// client's Identify returned. The answer is waited for, and any 2xx status is success.
	Push(i int, id string, text []byte) (addr string, request []byte)
	// Stop ends the processes and waits for their ends.
	Stop() error
}

// Client is the dialect of one client: what goes over the WebSocket for the server to pass a message on.
type Client struct {
	Path   string   // of the upgrade request, with its query
	Header []string // further lines of the upgrade request, "Name: value"
	// Hello is sent once after the upgrade, and Identify looks at each text that then comes until it returns true. An empty
	// Hello sends nothing; a nil Identify waits for nothing. The ID that Identify returns is for Push.
	Hello    []byte
	Identify func(text []byte) (id string, ok bool)
	// Message appends the text that has the server pass payload on to the backend. seq counts the client's messages from 1.
	Message func(dst []byte, seq uint64, payload []byte) []byte
	// Reply tells the answer to a message, or a push, from other texts, such as pings of the dialect, which are passed over.
	// Nil: every text is one. Answer, when not empty, is the text to send back to one that was passed over.
	Reply func(text []byte) (reply bool, answer []byte)
	// Answers is what each answer holds where the server cannot give the payload back. Nil: the payload.
	Answers []byte
}

// Route is what the HTTP backend answers on one path. Servers that want a dialect there implement Router.
type Route struct {
	Path string // from the root, "/nchan/message": a prefix that ends in "/" stands for all below it
	// Answer makes the answer to a request, whose body is not kept; header looks a value up, its name in any spelling.
	// The lines are further header lines, "Name: value". It runs on many goroutines at a time.
	Answer func(path string, header func(name string) string, body []byte) (status int, lines []string, answer []byte)
}

// Router is a Server with routes of its own on the backend.
type Router interface{ Routes() []Route }

// Caller is an Instance whose clients speak plain HTTP/1.1 over kept connections, without WebSocket: a floor. Its Client
// is not asked for.
type Caller interface {
	Instance
	// Request appends the request that carries a payload, which the answer must carry back.
	Request(dst, payload []byte) []byte
}
