//go:build linux

// Package evloop is a single-threaded event loop over epoll, for the bench's own programs: the load generator, the HTTP
// backend and the bare echo. A message through it costs one read and one write and nothing of Go's scheduler, so that
// these programs disturb what they measure as little as can be. It knows no protocol. It needs Linux 5.11.
package evloop

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Handler is told what happens. All its methods run on the goroutine that calls Poll.
type Handler interface {
	// Opened is called once a connection is there: one that was accepted, or one that was dialed, with the error if it
	// was not to be had. After an error the Conn is gone.
	Opened(c *Conn, err error)
	// Data takes bytes that have come and returns how many of them it has used up. The rest is shown again, with more
	// behind it. b is valid during the call only.
	Data(c *Conn, b []byte) (used int)
	// Closed tells that the other side ended the connection, or that it broke; io.EOF is an orderly end. It is not called
	// after Conn.Close.
	Closed(c *Conn, err error)
}

// Conn is one TCP connection of a Loop.
type Conn struct {
	Owner any // the handler's

	loop    *Loop
	fd      int
	in      []byte // read and not used up
	out     []byte // not yet written
	dialing bool
}

// Loop holds connections. It is not safe for concurrent use.
type Loop struct {
	handler  Handler
	epfd     int
	conns    []*Conn // by descriptor
	listener int     // -1: none
	buf      []byte
	events   [256]unix.EpollEvent
}

// New returns a Loop without connections. Close ends it.
func New(h Handler) (*Loop, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return &Loop{handler: h, epfd: epfd, listener: -1, buf: make([]byte, 64<<10)}, nil
}

// Pin keeps the calling goroutine on its thread, and has the kernel wake that one as punctually as it can. It is for the
// goroutine that calls Poll.
func Pin() error {
	runtime.LockOSThread()
	const nanosecond = 1 // zero would mean the default, 50 us
	return unix.Prctl(unix.PR_SET_TIMERSLACK, nanosecond, 0, 0, 0)
}

// Close closes all connections, without a word to the handler.
func (l *Loop) Close() error {
	for _, c := range l.conns {
		if c != nil {
			c.Close()
		}
	}
	var err error
	if l.listener >= 0 {
		err = unix.Close(l.listener)
	}
	return errors.Join(err, unix.Close(l.epfd))
}

// Listen accepts connections at an address, whose port may be 0, and returns the address.
func (l *Loop) Listen(addr string) (netip.AddrPort, error) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return at, err
	}
	fd, err := socket()
	if err != nil {
		return at, err
	}
	l.listener = fd
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return at, err
	}
	if err := unix.Bind(fd, sockaddr(at)); err != nil {
		return at, fmt.Errorf("listen at %s: %w", addr, err)
	}
	const backlog = 4096
	if err := unix.Listen(fd, backlog); err != nil {
		return at, err
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return at, err
	}
	in4, ok := bound.(*unix.SockaddrInet4)
	if !ok {
		return at, fmt.Errorf("listen at %s: not an IPv4 address", addr)
	}
	at = netip.AddrPortFrom(netip.AddrFrom4(in4.Addr), uint16(in4.Port)) //nolint:gosec // G115: a port
	return at, l.watch(fd, unix.EPOLL_CTL_ADD, unix.EPOLLIN)
}

// Dial begins to connect from a local address, whose port the kernel chooses, to an address. Handler.Opened tells how it went.
func (l *Loop) Dial(from netip.Addr, to netip.AddrPort, owner any) (*Conn, error) {
	fd, err := socket()
	if err != nil {
		return nil, err
	}
	c := &Conn{Owner: owner, loop: l, fd: fd, dialing: true}
	err = func() error {
		// The port is chosen by connect, which knows the other end: 28,000 for each pair of addresses, not 28,000 in all.
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
			return err
		}
		if err := unix.Bind(fd, sockaddr(netip.AddrPortFrom(from, 0))); err != nil {
			return err
		}
		if err := unix.Connect(fd, sockaddr(to)); err != nil && !errors.Is(err, unix.EINPROGRESS) {
			return err
		}
		return l.watch(fd, unix.EPOLL_CTL_ADD, unix.EPOLLOUT)
	}()
	if err != nil {
		_ = unix.Close(fd) // the other error says more
		return nil, fmt.Errorf("dial %s from %s: %w", to, from, err)
	}
	l.keep(c)
	return c, nil
}

func socket() (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		_ = unix.Close(fd) // the other error says more
		return -1, err
	}
	return fd, nil
}

func sockaddr(a netip.AddrPort) *unix.SockaddrInet4 {
	return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
}

func (l *Loop) keep(c *Conn) {
	for c.fd >= len(l.conns) {
		l.conns = append(l.conns, make([]*Conn, len(l.conns)+64)...)
	}
	l.conns[c.fd] = c
}

func (l *Loop) watch(fd, op int, events uint32) error {
	return unix.EpollCtl(l.epfd, op, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}) //nolint:gosec // G115: a descriptor
}

// Poll waits until something happens or the time is over, and has the Handler see to all that has. A negative time waits
// without an end, zero does not wait.
func (l *Loop) Poll(d time.Duration) error {
	n, err := l.wait(d)
	if err != nil {
		return err
	}
	for _, e := range l.events[:n] {
		fd := int(e.Fd)
		if fd == l.listener {
			if err := l.accept(); err != nil {
				return err
			}
			continue
		}
		// A connection that was closed a moment ago is nil here. Should its descriptor be another's already, that one finds
		// nothing to do.
		if c := l.conns[fd]; c != nil {
			c.happened(e.Events)
		}
	}
	return nil
}

func (l *Loop) wait(d time.Duration) (int, error) {
	var timeout *unix.Timespec
	if d >= 0 {
		ts := unix.NsecToTimespec(int64(d))
		timeout = &ts
	}
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(l.epfd), uintptr(unsafe.Pointer(&l.events[0])), //nolint:gosec // G103: system call
		uintptr(len(l.events)), uintptr(unsafe.Pointer(timeout)), 0, 0) //nolint:gosec // G103: system call
	switch {
	case errno == 0:
		return int(n), nil
	case errors.Is(errno, unix.EINTR):
		return 0, nil
	default:
		return 0, fmt.Errorf("epoll_pwait2: %w", errno)
	}
}

func (l *Loop) accept() error {
	for range 64 { // connections that are there already have their turn as well
		fd, _, err := unix.Accept4(l.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.ECONNABORTED), errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("accept: %w", err)
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			_ = unix.Close(fd) // it is gone already
			continue
		}
		c := &Conn{loop: l, fd: fd}
		l.keep(c)
		if err := l.watch(fd, unix.EPOLL_CTL_ADD, unix.EPOLLIN); err != nil {
			return err
		}
		l.handler.Opened(c, nil)
	}
	return nil
}

func (c *Conn) happened(events uint32) {
	if c.dialing {
		c.dialed()
		return
	}
	if events&unix.EPOLLOUT != 0 && !c.flush() {
		return
	}
	if events&^unix.EPOLLOUT != 0 {
		c.read()
	}
}

func (c *Conn) dialed() {
	c.dialing = false
	code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = unix.Errno(code)
	}
	if err == nil {
		err = c.loop.watch(c.fd, unix.EPOLL_CTL_MOD, unix.EPOLLIN)
	}
	if err != nil {
		c.Close()
	}
	c.loop.handler.Opened(c, err)
}

// read takes what there is, at most one buffer of it, so that none can keep the others waiting.
func (c *Conn) read() {
	n, err := unix.Read(c.fd, c.loop.buf)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return
	case err != nil:
		c.fail(err)
		return
	case n == 0:
		c.fail(io.EOF)
		return
	}
	b := c.loop.buf[:n]
	if len(c.in) > 0 {
		c.in = append(c.in, b...)
		b = c.in
	}
	used := c.loop.handler.Data(c, b)
	c.in = append(c.in[:0], b[used:]...) // within one array this moves bytes down
}

func (c *Conn) fail(err error) {
	c.Close()
	c.loop.handler.Closed(c, err)
}

// Write sends b, now as far as the socket takes it and the rest when it does. b may be reused. An error closes the
// connection, of which the Handler hears nothing more.
func (c *Conn) Write(b []byte) error {
	if c.fd < 0 {
		return unix.EBADF
	}
	if len(c.out) > 0 {
		c.out = append(c.out, b...)
		return nil
	}
	n, err := unix.Write(c.fd, b)
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		c.Close()
		return err
	}
	if n = max(n, 0); n == len(b) {
		return nil
	}
	c.out = append(c.out, b[n:]...)
	if err := c.loop.watch(c.fd, unix.EPOLL_CTL_MOD, unix.EPOLLIN|unix.EPOLLOUT); err != nil {
		c.Close()
		return err
	}
	return nil
}

// flush reports whether the connection is still there.
func (c *Conn) flush() bool {
	b := c.out
	c.out = nil
	if err := c.Write(b); err != nil {
		c.fail(err)
		return false
	}
	if len(c.out) > 0 {
		return true
	}
	if err := c.loop.watch(c.fd, unix.EPOLL_CTL_MOD, unix.EPOLLIN); err != nil {
		c.fail(err)
		return false
	}
	return true
}

// Close ends the connection. It may be called again, and within a Handler's methods.
func (c *Conn) Close() {
	if c.fd < 0 {
		return
	}
	c.loop.conns[c.fd] = nil
	_ = unix.Close(c.fd) // there is nothing that an error would change
	c.fd = -1
}

// Open tells whether the connection has not ended.
func (c *Conn) Open() bool { return c.fd >= 0 }
