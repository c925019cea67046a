package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progress shows how far an upload is: on a terminal as it goes, elsewhere in one line.
type progress struct {
	w     io.Writer
	what  string
	total int
	live  bool

	mu   sync.Mutex
	last time.Time // guarded by mu: when it was shown
}

// showEvery is the time between two looks at an upload.
const showEvery = 200 * time.Millisecond

func newProgress(w io.Writer, what string, total int) *progress {
	p := &progress{w: w, what: what, total: total, live: isTerminal(w)}
	if !p.live {
		_, _ = fmt.Fprintf(w, "%s, %s\n", what, megabytes(total))
	}
	return p
}

// sent is told how many bytes have gone.
func (p *progress) sent(n int) {
	if !p.live {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); n < p.total && now.Sub(p.last) < showEvery {
		return
	}
	p.last = time.Now()
	_, _ = fmt.Fprintf(p.w, "\r%s, %s of %s", p.what, megabytes(n), megabytes(p.total))
}

// end finishes the line.
func (p *progress) end() {
	if p.live {
		_, _ = fmt.Fprintln(p.w)
	}
}

func megabytes(n int) string {
	if n < 1e6 {
		return fmt.Sprintf("%d KB", (n+999)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
