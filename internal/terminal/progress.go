package terminal

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Progress shows how far an upload is: on a terminal as it goes, elsewhere in one line. It may be used concurrently.
type Progress struct {
	w     io.Writer
	what  string
	total int
	live  bool

	mu   sync.Mutex
	last time.Time // guarded by mu: when it was shown
}

// showEvery is the time between two looks at an upload.
const showEvery = 200 * time.Millisecond

// NewProgress begins to show that total bytes are sent, and what they are.
func NewProgress(w io.Writer, what string, total int) *Progress {
	p := &Progress{w: w, what: what, total: total, live: Is(w)}
	if !p.live {
		_, _ = fmt.Fprintf(w, "%s, %s\n", what, megabytes(total))
	}
	return p
}

// Sent is told how many bytes have gone.
func (p *Progress) Sent(n int) {
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

// End finishes the line.
func (p *Progress) End() {
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
