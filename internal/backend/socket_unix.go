//go:build unix

package backend

import (
	"io"
	"net"
	"os"
	"syscall"

	sock "cleat/internal/socket"
)

// socket makes the first turn of a call, from the request to the first bytes of its answer, on the descriptor itself, and
// as one read for Go's poller: a read that began before the request was written misses no answer, so that the first
// attempt is made when there is something to read. None of it allocates.
type socket struct {
	raw  syscall.RawConn // nil: the connection is no socket, or a wrapped one
	step func(fd uintptr) (done bool)

	// Of the turn under way.
	out, in     []byte
	silent      bool // the peer has said nothing yet that nobody asked for
	asked       bool // all of out was written
	wrote, read int
	call        string // that failed
	err         syscall.Errno
}

// at readies it for a connection.
func (s *socket) at(c net.Conn) {
	var of syscall.Conn
	switch c := c.(type) {
	case *net.TCPConn:
		of = c
	case *net.UnixConn:
		of = c
	default:
		return
	}
	if raw, err := of.SyscallConn(); err == nil { // else it is closed, which the first call finds out
		s.raw, s.step = raw, s.move
	}
}

// turn writes out and reads once into in, which may be the same memory, until the connection's read deadline. Unless it is
// fresh, the connection is looked at first. Nothing was read if wrote is less than out, without an error too: the socket
// takes no more for now. It fails with errStale, before it writes, when the peer has ended the connection, or has said what
// nobody asked for.
func (s *socket) turn(c net.Conn, out, in []byte, fresh bool) (wrote, read int, err error) {
	s.out, s.in, s.silent = out, in, fresh
	err = s.raw.Read(s.step)
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
