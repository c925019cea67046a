package listen

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"

	"cleat/internal/socket"
)

// kept reads and writes the socket of a connection that has proven to be a kept one, in place of its net.Conn: those of
// package socket, of which Go's scheduler is not told. Waiting is the runtime's poller's, as before, and so are deadlines. The two directions may be used at once, and each by several goroutines.
type kept struct {
	of      net.Conn
	in, out direction
}

// direction is one half of a kept connection.
type direction struct {
	op   string
	raw  func(func(fd uintptr) (done bool)) error // of a syscall.RawConn
	step func(fd uintptr) (done bool)             // made once, so that a call allocates nothing

	mu   sync.Mutex
	rest []byte // guarded by mu, as all below: of the call under way
	n    int
	err  syscall.Errno
}

// newKept returns nil for a connection that has no socket of its own.
func newKept(c net.Conn) *kept {
	of, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := of.SyscallConn()
	if err != nil {
		return nil // it is closed, which the next call finds out
	}
	k := &kept{of: c}
	k.in.op, k.in.raw, k.in.step = "read", raw.Read, k.in.read
	k.out.op, k.out.raw, k.out.step = "write", raw.Write, k.out.write
	return k
}

// Read implements io.Reader.
func (k *kept) Read(p []byte) (int, error) {
	n, err := k.in.move(k.of, p)
	if n == 0 && err == nil && len(p) > 0 {
		err = io.EOF
	}
	return n, err
}

// Write implements io.Writer.
func (k *kept) Write(p []byte) (int, error) { return k.out.move(k.of, p) }

// move makes one call.
func (d *direction) move(of net.Conn, p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rest, d.n, d.err = p, 0, 0
	err := d.raw(d.step)
	d.rest = nil
	if op, ok := err.(*net.OpError); ok { //nolint:errorlint // that is what RawConn makes; its Op is "raw-read"
		op.Op = d.op
	}
	if err == nil && d.err != 0 {
		err = &net.OpError{Op: d.op, Net: of.LocalAddr().Network(), Source: of.LocalAddr(), Addr: of.RemoteAddr(), Err: os.NewSyscallError(d.op, d.err)}
	}
	return d.n, err
}

// read reads once; false when there is nothing to read yet.
func (d *direction) read(fd uintptr) (done bool) {
	d.n, d.err = socket.Read(fd, d.rest)
	return !d.again()
}

// write writes all that is left; false when the socket takes no more for now.
func (d *direction) write(fd uintptr) (done bool) {
	for len(d.rest) > 0 {
		n, err := socket.Write(fd, d.rest)
		d.n, d.rest, d.err = d.n+n, d.rest[n:], err
		if err != 0 {
			return !d.again()
		}
	}
	return true
}

func (d *direction) again() bool {
	if d.err != syscall.EAGAIN {
		return false
	}
	d.err = 0
	return true
}
