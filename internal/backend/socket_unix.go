//go:build unix

package backend

import (
	"io"
	"net"
	"os"
	"syscall"
	"time"

	sock "cleat/internal/socket"
)

// socket makes the first turn of a call, from the request to the first bytes of its answer, on the descriptor itself, and
// as one read for Go's poller: a read that began before the request was written misses no answer, so that the first
// attempt is made when there is something to read. None of it allocates.
type socket struct {
	raw  syscall.RawConn // nil: the connection is no socket, or a wrapped one
	step func(fd uintptr) (done bool)
	now  func(fd uintptr) // a step that is not repeated

	// Of the turn under way.
	out, in     []byte
	silent      bool // the peer has said nothing yet that nobody asked for
	asked       bool // all of out was written
	fd          int
	over        bool // after now: the step is done
	wrote, read int
	call        string // that failed
	err         syscall.Errno
}

// at readies it for a connection.
func (s *socket) at(c net.Conn) {
	var of syscall.Conn
	switch c.(type) {
	case *sock.Conn, *net.TCPConn, *net.UnixConn:
		of, _ = c.(syscall.Conn) // but on systems without sock.Conn
	}
	if of == nil {
		return
	}
	if raw, err := of.SyscallConn(); err == nil { // else it is closed, which the first call finds out
		s.raw, s.step = raw, s.move
		s.now = func(fd uintptr) { s.fd, s.over = int(fd), s.move(fd) }
	}
}

// turn writes out and reads once into in, which may be the same memory, until the connection's read deadline. Unless it is
// fresh, the connection is looked at first. Nothing was read if wrote is less than out, without an error too: the socket
// takes no more for now. It fails with errStale, before it writes, when the peer has ended the connection, or has said what
// nobody asked for. Unless await is nil, it gets to wait until by, before Go's poller does.
func (s *socket) turn(c net.Conn, out, in []byte, fresh bool, await func(int, time.Time) bool, by time.Time) (wrote, read int, err error) {
	s.out, s.in, s.silent = out, in, fresh
	if await != nil && sock.Unpoll(c) {
		err = s.awaited(await, by)
	} else {
		err = s.raw.Read(s.step)
	}
	wrote, read = s.wrote, s.read
	switch {
	case err != nil:
		if op, ok := err.(*net.OpError); ok { //nolint:errorlint // that is what RawConn makes, and how a read would put it
			op.Op = "read"
		}
	case !s.silent:
		err = errStale
	case s.err != 0:
		err = &net.OpError{Op: s.call, Net: c.RemoteAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError(s.call, s.err)}
	case s.asked && read == 0:
		err = io.EOF
	}
	s.out, s.in, s.asked, s.wrote, s.read, s.err = nil, nil, false, 0, 0, 0
	return wrote, read, err
}

// awaited goes through a turn without Go's poller, as long as await reports that there is something to read. The call has the
// connection to itself, so that nobody closes the descriptor meanwhile.
func (s *socket) awaited(await func(int, time.Time) bool, by time.Time) error {
	if err := s.raw.Control(s.now); err != nil || !s.asked {
		return err
	}
	if await(s.fd, by) {
		if err := s.raw.Control(s.now); err != nil || s.over {
			return err
		}
	}
	return s.raw.Read(s.step)
}

// move goes on with a turn; where it reports false, it is called again once there is something to read.
func (s *socket) move(fd uintptr) (done bool) {
	if !s.asked {
		if !s.silent {
			_, err := sock.Read(fd, s.in)
			if s.silent = err == syscall.EAGAIN; !s.silent {
				return true
			}
		}
		s.call = "write"
		s.wrote, s.err = sock.Write(fd, s.out)
		if s.err == syscall.EAGAIN {
			s.err = 0
		}
		s.asked = s.err == 0 && s.wrote == len(s.out)
		return !s.asked
	}
	s.call = "read"
	s.read, s.err = sock.Read(fd, s.in)
	if s.err == syscall.EAGAIN {
		s.err = 0
		return false
	}
	return true
}
