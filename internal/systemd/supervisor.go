// Package systemd tells systemd how a service is (sd_notify(3)) and keeps its watchdog quiet. The caller is package server.
package systemd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Supervisor is told how the process is: a datagram of NAME=value lines to the socket that the environment names. The zero value
// tells nobody. It may be used concurrently.
type Supervisor struct {
	socket   string
	watchdog time.Duration // within which systemd wants to hear from us; zero: it does not
}

// New returns the supervisor that an environment, as os.Environ returns it, names to the process of that ID.
func New(env []string, pid int) Supervisor {
	var s Supervisor
	var owner string
	for _, kv := range env {
		switch k, v, _ := strings.Cut(kv, "="); k {
		case "NOTIFY_SOCKET":
			s.socket = v
		case "WATCHDOG_USEC":
			if n, err := strconv.ParseInt(v, 10, 64); err == nil && n > 0 {
				s.watchdog = time.Duration(n) * time.Microsecond
			}
		case "WATCHDOG_PID":
			owner = v
		}
	}
	if s.socket == "" || owner != "" && owner != strconv.Itoa(pid) {
		s.watchdog = 0
	}
	return s
}

const notifyTime = time.Second

// Notify sends lines, such as "READY=1". It waits a second at most.
func (s Supervisor) Notify(ctx context.Context, lines ...string) error {
	if s.socket == "" {
		return nil
	}
	name := s.socket
	if strings.HasPrefix(name, "@") {
		name = "\x00" + name[1:] // an abstract socket
	}
	d := net.Dialer{Timeout: notifyTime}
	c, err := d.DialContext(ctx, "unixgram", name)
	if err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	err = c.SetWriteDeadline(time.Now().Add(notifyTime))
	if err == nil {
		_, err = c.Write([]byte(strings.Join(lines, "\n")))
	}
	if err = errors.Join(err, c.Close()); err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	return nil
}

// Watch keeps systemd's watchdog quiet until ctx ends, for as long as alive returns.
func (s Supervisor) Watch(ctx context.Context, alive func()) error {
	if s.watchdog == 0 {
		return nil
	}
	tick := time.NewTicker(s.watchdog / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		alive()
		if err := s.Notify(ctx, "WATCHDOG=1"); err != nil && ctx.Err() == nil {
			return err
		}
	}
}
