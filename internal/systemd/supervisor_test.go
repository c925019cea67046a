//go:build unix

package systemd_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"cleat/internal/systemd"
)

// socket is one at which a test hears what systemd would.
func socket(t *testing.T) (name string, next func() string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "s")
	c, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "unixgram", name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return name, func() string {
		t.Helper()
		b := make([]byte, 1024)
		if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		n, _, err := c.ReadFrom(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
}

// What is told is one datagram of lines (sd_notify(3)).
func TestNotify(t *testing.T) {
	t.Parallel()
	name, next := socket(t)
	if err := systemd.New([]string{"NOTIFY_SOCKET=" + name}, 1).Notify(t.Context(), "READY=1", "STATUS=x"); err != nil {
		t.Fatal(err)
	}
	if got := next(); got != "READY=1\nSTATUS=x" {
		t.Errorf("got %q", got)
	}
	if err := systemd.New(nil, 1).Notify(t.Context(), "READY=1"); err != nil {
		t.Errorf("without a socket: %v", err)
	}
	if err := systemd.New([]string{"NOTIFY_SOCKET=" + filepath.Join(t.TempDir(), "none")}, 1).Notify(t.Context(), "READY=1"); err == nil {
		t.Error("a socket that is not there: no error")
	}
}

// The watchdog is kept quiet for whom it is meant (sd_watchdog_enabled(3)), for as long as the process is alive.
func TestWatch(t *testing.T) {
	t.Parallel()
	name, next := socket(t)
	env := []string{"NOTIFY_SOCKET=" + name, "WATCHDOG_USEC=20000", "WATCHDOG_PID=7"}
	if err := systemd.New(env, 8).Watch(t.Context(), func() { t.Error("asked, but the watchdog is another's") }); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan struct{}, 1000)
	done := make(chan error, 1)
	go func() { done <- systemd.New(env, 7).Watch(ctx, func() { asked <- struct{}{} }) }()
	<-asked
	if got := next(); got != "WATCHDOG=1" {
		t.Errorf("got %q", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
