package eventstream

import (
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/listen"
)

// Stream hands every event record to whoever listens at GET /_cleat/events, as one JSON object a line. A listener
// that reads too slowly misses events rather than holding anything up, and is told how many. It may be used concurrently.
type Stream struct {
	mu        sync.Mutex
	listeners map[*listener]bool // guarded by mu
}

// New returns a stream that nobody listens to.
func New() *Stream {
	return &Stream{listeners: map[*listener]bool{}}
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

// Send hands a record on, without waiting for anybody.
func (s *Stream) Send(r *apigw.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.listeners) == 0 {
		return
	}
	e := Of(r)
	for l := range s.listeners {
		select {
		case l.records <- e:
		default:
			l.missed.Add(1)
		}
	}
}

func (s *Stream) join() *listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.listeners) >= maxListeners {
		return nil
	}
	l := &listener{records: make(chan Event, eventQueue)}
	s.listeners[l] = true
	return l
}

func (s *Stream) leave(l *listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

// ServeHTTP streams records to one listener until it leaves or the server begins to end.
func (s *Stream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l := s.join()
	if l == nil {
		http.Error(w, "too many listeners", http.StatusServiceUnavailable)
		return
	}
	defer s.leave(l)
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
