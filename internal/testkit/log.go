package testkit

import (
	"bytes"
	"sync"
)

// Log is a log that several goroutines write and the test reads meanwhile. The zero value is empty.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

// Write adds to the log and never fails.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is all that was written so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
