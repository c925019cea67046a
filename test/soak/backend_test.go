//go:build soak

package soak_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// backend is the HTTP service behind the gateway: it decides who may connect, answers messages, and keeps the books.
type backend struct {
	srv  *http.Server
	addr string

	mu       sync.Mutex
	ids      map[int]string // connection ID by the number that a client gives itself
	ended    map[string][]int
	messages int
}

func startBackend() (*backend, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &backend{addr: ln.Addr().String(), ids: map[int]string{}, ended: map[string][]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/connect", b.connect)
	mux.HandleFunc("/message", b.message)
	mux.HandleFunc("/disconnect", b.disconnect)
	b.srv = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = b.srv.Serve(ln) }() // ends with the process
	return b, nil
}

func (b *backend) connect(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil {
		http.Error(w, "who are you?", http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	b.ids[n] = r.Header.Get("X-Cleat-Connection-Id")
	b.mu.Unlock()
	switch r.URL.Query().Get("as") {
	case "refused":
		w.WriteHeader(http.StatusForbidden)
	case "impatient":
		time.Sleep(50 * time.Millisecond)
	}
}

// reply is the answer to a message.
type reply struct {
	ID   string `json:"id"`
	Echo string `json:"echo"`
	Pad  string `json:"pad"`
}

// message answers with the message, the connection's ID, and as many bytes as the message asks for in its first word.
func (b *backend) message(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	b.messages++
	b.mu.Unlock()
	first, _, _ := strings.Cut(string(body), " ")
	n, _ := strconv.Atoi(first) // no number: no padding
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(reply{r.Header.Get("X-Cleat-Connection-Id"), string(body), strings.Repeat("x", min(n, 100_000))})
}

func (b *backend) disconnect(_ http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("X-Cleat-Connection-Id")
	code, err := strconv.Atoi(r.Header.Get("X-Cleat-Disconnect-Code"))
	if err != nil {
		code = -1
	}
	b.mu.Lock()
	b.ended[id] = append(b.ended[id], code)
	b.mu.Unlock()
}

// hangUp closes the idle connections that the gateway keeps to the backend.
func (b *backend) hangUp() {
	b.srv.SetKeepAlivesEnabled(false)
	time.Sleep(100 * time.Millisecond)
	b.srv.SetKeepAlivesEnabled(true)
}

// audit holds what the clients saw against what the backend was told, and forgets both. A $disconnect is waited for as long
// as it may take.
func (b *backend) audit(seen []outcome, patience time.Duration) (faults []string, disconnects int) {
	deadline := time.Now().Add(patience)
	for b.owed(seen) > 0 && time.Now().Before(deadline) {
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(500 * time.Millisecond) // for those that nobody is owed
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range seen {
		id := b.ids[o.n]
		codes := b.ended[id]
		disconnects += len(codes)
		delete(b.ended, id)
		if id == "" {
			if o.state != unclear || o.reached {
				faults = append(faults, fmt.Sprintf("client %d, %s: its $connect never came", o.n, o.kind))
			}
			continue
		}
		switch {
		case o.state == refused && len(codes) != 0:
			faults = append(faults, fmt.Sprintf("client %d, %s: refused, and yet $disconnect with %v", o.n, o.kind, codes))
		case o.state == unclear && (len(codes) > 1 || len(codes) == 1 && codes[0] != 1006):
			faults = append(faults, fmt.Sprintf("client %d, %s: $disconnect with %v", o.n, o.kind, codes))
		case o.state == accepted && (len(codes) != 1 || !o.allows(codes[0])):
			faults = append(faults, fmt.Sprintf("client %d, %s: $disconnect with %v, want once %v", o.n, o.kind, codes, o.codes))
		}
	}
	for id, codes := range b.ended {
		faults = append(faults, fmt.Sprintf("connection %s is nobody's: $disconnect with %v", id, codes))
	}
	clear(b.ids)
	clear(b.ended)
	return faults, disconnects
}

// owed is how many $disconnect events are still to come.
func (b *backend) owed(seen []outcome) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, o := range seen {
		if o.state == accepted && len(b.ended[b.ids[o.n]]) == 0 {
			n++
		}
	}
	return n
}

func (b *backend) takeMessages() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.messages
	b.messages = 0
	return n
}
