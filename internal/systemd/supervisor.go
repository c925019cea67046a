package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// supervisor tells systemd how the node is (sd_notify(3)): a datagram of NAME=value lines to the socket that the
// environment names. The zero value tells nobody.
type supervisor struct {
	socket   string
	watchdog time.Duration // within which systemd wants to hear from us; zero: it does not
}

func newSupervisor(env []string, pid int) supervisor {
	var s supervisor
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

// notify sends lines, such as "READY=1".
func (s supervisor) notify(ctx context.Context, lines ...string) error {
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

// watch keeps systemd's watchdog quiet until ctx ends, for as long as alive returns.
func (s supervisor) watch(ctx context.Context, alive func()) error {
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
		if err := s.notify(ctx, "WATCHDOG=1"); err != nil && ctx.Err() == nil {
			return err
		}
	}
}
