package awsclient

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Bounds of the tries of one call. They sum up to about ten seconds of waiting.
const (
	maxTries  = 7
	firstWait = 200 * time.Millisecond
	maxWait   = 5 * time.Second
)

// retryAfter says how long to wait before a call is made again, and whether it is at all.
func retryAfter(err error, method string, try int) (time.Duration, bool) {
	failed, ok := errors.AsType[*Error](err)
	if !ok || try+1 >= maxTries || method == http.MethodPost || method == http.MethodPatch {
		return 0, false
	}
	// A quota that is used up has the status of a hurry, and waiting does not help.
	if failed.Status < 500 && (failed.Status != http.StatusTooManyRequests || failed.Type() == "LimitExceededException") {
		return 0, false
	}
	if s, err := strconv.Atoi(failed.Header.Get("Retry-After")); err == nil && s >= 0 {
		return min(time.Duration(s)*time.Second, maxWait), true
	}
	wait := min(firstWait<<try, maxWait)
	return wait/2 + rand.N(wait/2), true //nolint:gosec // G404: it only keeps callers apart
}

// pause waits, unless ctx ends first: then it returns why.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// pace lets calls through at even intervals.
type pace struct {
	rate float64 // a second; zero: at once

	mu   sync.Mutex
	next time.Time // guarded by mu: when the next call may begin
}

func (p *pace) wait(ctx context.Context) error {
	if p.rate <= 0 {
		return nil
	}
	p.mu.Lock()
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	d := p.next.Sub(now)
	p.next = p.next.Add(time.Duration(float64(time.Second) / p.rate))
	p.mu.Unlock()
	return pause(ctx, d)
}
