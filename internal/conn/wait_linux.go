package conn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// A loop that blocks keeps a processor of Go's scheduler while it waits, which is what makes it cheap: DESIGN.md, "Waiting". So
// there is a loop less than there are processors, and the one that is left serves whatever waits in Go's own poller.

// bellSlot is what stands for the bell where events name slots. No slot has that number.
const bellSlot = -1

// openBell opens the bell of a loop that blocks. On error the set is closed.
func (s *epollSet) openBell() (err error) {
	if s.bell, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return errors.Join(fmt.Errorf("create an epoll set's bell: %w", err), unix.Close(s.epfd))
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: bellSlot}
	if err = unix.EpollCtl(s.epfd, unix.EPOLL_CTL_ADD, s.bell, &ev); err != nil {
		return errors.Join(fmt.Errorf("watch an epoll set's bell: %w", err), s.letGo())
	}
	s.waits, s.turned = s, s.hub.now()
	return nil
}

// ring ends the wait of who leads, and every one after it.
func (s *epollSet) ring() error {
	if s.file != nil {
		return s.file.SetReadDeadline(time.Unix(1, 0))
	}
	_, err := unix.Write(s.bell, binary.NativeEndian.AppendUint64(nil, 1))
	return err
}

// letGo closes the set.
func (s *epollSet) letGo() error {
	if s.file != nil {
		return closeError(s.file.Close())
	}
	return errors.Join(unix.Close(s.bell), unix.Close(s.epfd))
}

// longestTurn is for how long a loop may keep its processor and nobody else runs there. Go's monitor takes a processor away, and is
// wide awake for some milliseconds after, where the same goroutine has been on it for 10 ms, waiting or not.
const longestTurn = 5 * time.Millisecond

// block waits for events in a system call of which Go's scheduler knows.
func (s *epollSet) block() {
	if s.take(uintptr(s.epfd)) {
		return
	}
	// Others that are to run here come first: those who work on messages, and now and then whoever there is.
	if s.hub.flight.n.Load() > 0 || s.now-s.turned > int64(longestTurn) {
		s.turned = s.now
		runtime.Gosched()
		if s.take(uintptr(s.epfd)) {
			return
		}
	}
	s.taken(unix.EpollWait(s.epfd, s.events[:epollBatch], -1))
}

// mostAwaited bounds await: whoever waits for the descriptor for longer does so in Go's poller, which deadlines and the ends of
// contexts reach.
const mostAwaited = 5 * time.Millisecond

// idle implements waiter.
func (s *epollSet) idle() bool { return s.seen == len(s.events) }

// await implements waiter.
func (s *epollSet) await(fd int, until time.Time) bool {
	most := mostAwaited
	if !until.IsZero() {
		most = max(min(most, time.Until(until)), 0)
	}
	left := unix.NsecToTimespec(int64(most))
	s.polled = [2]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(s.epfd), Events: unix.POLLIN}} //nolint:gosec // G115: descriptors are small
	_, err := unix.Ppoll(s.polled[:], &left, nil)
	return err == nil && s.polled[0].Revents != 0 // after an error, which may be a signal, Go's poller finds out
}
