package server

import (
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/listen"
)

// broadcast hands every event record to whoever listens at GET /_cleat/events, as one JSON object a line. A listener
// that reads too slowly misses events rather than holding anything up, and is told how many.
type broadcast struct {
	mu        sync.Mutex
	listeners map[*listener]bool // guarded by mu
}

func newBroadcast() *broadcast {
	return &broadcast{listeners: map[*listener]bool{}}
}

// listener is one open stream.
type listener struct {
	records chan Event   // never closed
	missed  atomic.Int64 // records that did not fit
}

const (
	eventQueue   = 1024 // records a listener may lag behind
	maxListeners = 32
	streamWrite  = 10 * time.Second // for a listener to take one record
)

func (b *broadcast) send(r *apigw.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.listeners) == 0 {
		return
	}
	e := EventOf(r)
	for l := range b.listeners {
		select {
		case l.records <- e:
		default:
			l.missed.Add(1)
		}
	}
}

func (b *broadcast) join() *listener {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.listeners) >= maxListeners {
		return nil
	}
	l := &listener{records: make(chan Event, eventQueue)}
	b.listeners[l] = true
	return l
}

func (b *broadcast) leave(l *listener) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.listeners, l)
}

// serve streams records to one listener until it leaves or the server begins to end.
func (b *broadcast) serve(w http.ResponseWriter, r *http.Request) {
	l := b.join()
	if l == nil {
		http.Error(w, "too many listeners", http.StatusServiceUnavailable)
		return
	}
	defer b.leave(l)
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	enc := json.NewEncoder(w)
	write := func(v any) bool {
		return out.SetWriteDeadline(time.Now().Add(streamWrite)) == nil && enc.Encode(v) == nil && out.Flush() == nil
	}
	if out.Flush() != nil {
		return
	}
	for {
		select {
		case <-r.Context().Done():
			return
		case <-listen.Draining(r):
			return
		case rec := <-l.records:
			if n := l.missed.Swap(0); n > 0 && !write(map[string]int64{"missed": n}) {
				return
			}
			if !write(rec) {
				return
			}
		}
	}
}

// serveEvents streams events to who may list the connections that they tell of.
func (n *node) serveEvents(w http.ResponseWriter, r *http.Request) {
	if err := n.gateway.AuthorizeEvents(r); err != nil {
		awsapi.WriteError(w, err, apigw.NewRequestID())
		return
	}
	n.events.serve(w, r)
}
