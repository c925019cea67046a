package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/gjson"

	"cleat/test/compat/scenario"
)

// Backends is one server that plays the backends of all running scenarios: their Lambda functions, behind the Invoke
// API, and their HTTP backends. A scenario's part lies below /{scenario}.
type Backends struct {
	url    string
	server *http.Server
	ended  chan error

	mu     sync.Mutex
	stages map[string]*stage // by scenario name
}

// NewBackends serves on an address. public is the URL under which targets reach it; empty: the address itself.
func NewBackends(ctx context.Context, address, public string) (*Backends, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for calls of backends: %w", err)
	}
	b := &Backends{url: strings.TrimSuffix(public, "/"), ended: make(chan error, 1), stages: map[string]*stage{}}
	if b.url == "" {
		b.url = "http://" + ln.Addr().String()
	}
	b.server = &http.Server{Handler: b, ReadHeaderTimeout: 10 * time.Second}
	go func() { b.ended <- b.server.Serve(ln) }()
	return b, nil
}

// Close ends the server and all calls that it is answering.
func (b *Backends) Close() error {
	err := b.server.Close()
	if served := <-b.ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// stage is the backends of one scenario while it runs.
type stage struct {
	s    *scenario.Scenario
	done chan struct{} // closed when the scenario ends: whoever hangs lets go
	vars func(text string) (string, error)

	mu    sync.Mutex
	calls map[string][]*call // by function or path, that the script has not read yet
	count map[string]int     // of calls, to choose the answer
	holds map[string]chan struct{}
	news  chan struct{} // one value when a call came; capacity 1
}

// call is what a backend was sent.
type call struct {
	method, query string
	header        http.Header
	body          []byte
}

// open begins to answer for a scenario. expand fills placeholders of answers.
func (b *Backends) open(s *scenario.Scenario, expand func(string) (string, error)) *stage {
	st := &stage{
		s: s, done: make(chan struct{}), vars: expand,
		calls: map[string][]*call{}, count: map[string]int{}, holds: map[string]chan struct{}{}, news: make(chan struct{}, 1),
	}
	for i := range s.Backends {
		for _, a := range s.Backends[i].Answers {
			if a.Hold != "" && st.holds[a.Hold] == nil {
				st.holds[a.Hold] = make(chan struct{})
			}
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stages[s.Name] = st
	return st
}

func (b *Backends) close(st *stage) {
	close(st.done)
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.stages, st.s.Name)
}

// URL is where a scenario's backends are.
func (b *Backends) URL(s *scenario.Scenario) string { return b.url + "/" + s.Name }

var invokePath = regexp.MustCompile(`^/2015-03-31/functions/([^/]+)/invocations$`)

// ServeHTTP answers a call of a backend.
func (b *Backends) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.SplitN(r.URL.EscapedPath(), "/", 4)
	if len(parts) < 3 {
		http.NotFound(w, r)
		return
	}
	name, rest := parts[1]+"/"+parts[2], "/"
	if len(parts) == 4 {
		rest += parts[3]
	}
	b.mu.Lock()
	st := b.stages[name]
	b.mu.Unlock()
	if st == nil {
		http.Error(w, "no scenario "+name+" is running", http.StatusServiceUnavailable)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller is gone
	}
	c := &call{r.Method, r.URL.RawQuery, r.Header.Clone(), body}
	c.header.Set("Host", r.Host)
	if m := invokePath.FindStringSubmatch(rest); m != nil {
		function, err := url.PathUnescape(m[1])
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		st.answer(w, r, c, function, true)
		return
	}
	st.answer(w, r, c, rest, false)
}

// answer notes a call and answers it as the scenario says.
func (st *stage) answer(w http.ResponseWriter, r *http.Request, c *call, name string, function bool) {
	a := scenario.Answer{Kind: scenario.AnswerReturn, Text: `{"statusCode":200}`}
	if !function {
		a = scenario.Answer{Kind: scenario.AnswerStatus, Status: http.StatusOK}
	}
	st.mu.Lock()
	st.calls[name] = append(st.calls[name], c)
	n := st.count[name]
	st.count[name]++
	st.mu.Unlock()
	select {
	case st.news <- struct{}{}:
	default:
	}
	for i := range st.s.Backends {
		if be := &st.s.Backends[i]; be.Function == name && function || be.Path == name && !function {
			a = be.Answers[min(n, len(be.Answers)-1)]
		}
	}
	if !st.pause(r.Context(), &a) {
		return
	}
	st.write(w, r, c, &a)
}

// pause does what an answer waits for. It is false when nobody waits for the answer any more.
func (st *stage) pause(ctx context.Context, a *scenario.Answer) bool {
	if a.Hold != "" {
		select {
		case <-st.holds[a.Hold]:
		case <-st.done:
		case <-ctx.Done():
			return false
		}
	}
	if a.Wait > 0 {
		select {
		case <-time.After(a.Wait):
		case <-st.done:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (st *stage) write(w http.ResponseWriter, r *http.Request, c *call, a *scenario.Answer) {
	text, body := a.Text, a.Body
	if !a.Bytes {
		var err error
		if text, err = st.fill(c, a.Text); err == nil {
			body, err = st.fill(c, a.Body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	switch a.Kind {
	case scenario.AnswerReturn, scenario.AnswerError:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Amzn-RequestId", "6f0d7a0e-8f4b-4a5c-9d53-0c1f2a3b4c5d")
		if c.header.Get("X-Amz-Invocation-Type") == "Event" {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		if a.Kind == scenario.AnswerError {
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
		}
		_, _ = io.WriteString(w, text)
	case scenario.AnswerRefuse:
		w.Header().Set("X-Amzn-ErrorType", text)
		w.WriteHeader(a.Status)
		_, _ = io.WriteString(w, `{"Type":"User","message":"refused by the scenario"}`)
	case scenario.AnswerStatus:
		st.writeStatus(w, a, body)
	case scenario.AnswerHang:
		select {
		case <-st.done:
		case <-r.Context().Done():
		}
	case scenario.AnswerEndless:
		st.writeEndless(w, r, text)
	case scenario.AnswerReset, scenario.AnswerRaw:
		writeRaw(w, text, a.Kind == scenario.AnswerReset)
	}
}

func (st *stage) writeStatus(w http.ResponseWriter, a *scenario.Answer, body string) {
	h := w.Header()
	h["Date"], h["Content-Type"] = nil, nil
	for _, f := range a.Headers {
		value, err := st.vars(f.Value)
		if err != nil {
			value = err.Error()
		}
		h[f.Name] = append(h[f.Name], value)
	}
	w.WriteHeader(a.Status)
	if a.Status >= 200 && a.Status != http.StatusNoContent && a.Status != http.StatusNotModified {
		_, _ = io.WriteString(w, body)
	}
}

// writeEndless writes until the other side has had enough.
func (st *stage) writeEndless(w http.ResponseWriter, r *http.Request, piece string) {
	flush := http.NewResponseController(w)
	w.WriteHeader(http.StatusOK)
	for {
		_, err := io.WriteString(w, piece)
		if err = errors.Join(err, flush.Flush()); err != nil {
			return
		}
		select {
		case <-st.done:
			return
		case <-r.Context().Done():
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// writeRaw takes the connection, writes bytes and closes it, with a reset if wanted.
func writeRaw(w http.ResponseWriter, text string, reset bool) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if reset {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // the close below resets
		}
	}
	_, _ = io.WriteString(c, text)
	_ = c.Close()
}

// eventValue is a value of the call's body in an answer: <event PATH>.
var eventValue = regexp.MustCompile(`<event ([A-Za-z0-9_.$@-]+)>`)

func (st *stage) fill(c *call, text string) (string, error) {
	if strings.Contains(text, "<event ") {
		text = eventValue.ReplaceAllStringFunc(text, func(m string) string {
			return gjson.GetBytes(c.body, eventValue.FindStringSubmatch(m)[1]).Raw
		})
	}
	return st.vars(text)
}

// release lets go of the answers that are held under a name.
func (st *stage) release(name string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	select {
	case <-st.holds[name]:
	default:
		close(st.holds[name])
	}
}

// next takes the oldest unread call of a function or path, waiting for it for so long.
func (st *stage) next(name string, within time.Duration) (*call, bool) {
	deadline := time.After(within)
	for {
		st.mu.Lock()
		if calls := st.calls[name]; len(calls) > 0 {
			st.calls[name] = calls[1:]
			st.mu.Unlock()
			return calls[0], true
		}
		st.mu.Unlock()
		select {
		case <-st.news:
		case <-deadline:
			return nil, false
		}
	}
}

// unread are the calls of a function or path that the script has not read.
func (st *stage) unread(name string) []*call {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.calls[name]
}

// text is a call for messages and expectations: its body, or its method and path.
func (c *call) text() string { return string(bytes.TrimSpace(c.body)) }
