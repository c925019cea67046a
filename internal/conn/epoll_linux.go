package conn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"cleat/internal/socket"
)

// epollSet is one epoll set with the loop that serves it. Who leads the loop waits in a system call (wait_linux.go), or, where
// Go has one processor, in Go's poller, which watches the set then.
//
// A descriptor is closed only with its slot's mutex held, and used only after a look at the slot's generation under that
// mutex. The generation travels in the epoll event, so an event of a former tenant, or of a descriptor whose number was
// used again, is recognised.
type epollSet struct {
	hub   *Hub
	index uint8
	epfd  int
	file  *os.File // epfd, in Go's poller; nil: the loop blocks
	bell  int      // of a loop that blocks: an eventfd in the set, which ends its wait for good

	loop
	ended chan error // takes what the loop ended with; holds one

	// The rest is whoever's who leads the loop.
	ctx    context.Context // ends the loop
	raw    syscall.RawConn // of file
	bufs   *buffers
	ask    func(fd uintptr) bool // take
	polled [2]unix.PollFd        // by await
	turned int64                 // when others were last let run: see block
	events []unix.EpollEvent     // those that have come,
	seen   int                   // and how many of them have been acted on
	now    int64                 // when they came
	err    error                 // of asking for them
}

// epollEngine spreads connections over several sets.
type epollEngine struct {
	hub  *Hub
	sets []*epollSet

	trimOnce sync.Once // tried out when the first TLS connection comes
	trim     tlsTrim
}

func (g *epollEngine) tlsTrim() *tlsTrim {
	g.trimOnce.Do(func() {
		var err error
		if g.trim, err = newTLSTrim(); err != nil {
			g.hub.log.Warn("idle TLS connections will keep their buffers", "err", err)
		}
	})
	return &g.trim
}

const (
	epollBatch   = 128      // events taken at a time
	readSize     = 64 << 10 // bytes read at a time
	tlsPlainSize = 16 << 10 // the longest plaintext of a TLS record: a Read into this empties the record
)

// buffers are what reading needs, shared by all connections of a loop.
type buffers struct {
	plain [readSize]byte
	raw   [readSize]byte // TLS records as they came
}

// spareBuffers serve those who read outside the loops.
var spareBuffers = sync.Pool{New: func() any { return new(buffers) }}

func newEpoll(h *Hub, n int) (engine, error) {
	eng := &epollEngine{hub: h}
	for range n {
		s := &epollSet{hub: h, index: uint8(len(h.transports)), ended: make(chan error, 1)} //nolint:gosec // G115: a handful
		s.crew.lead = s.lead
		if err := s.open(runtime.GOMAXPROCS(0) > 1); err != nil {
			eng.close()
			return nil, err
		}
		eng.sets = append(eng.sets, s)
		h.transports = append(h.transports, &epollTransport{s})
	}
	return eng, nil
}

func (s *epollSet) open(blocks bool) error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("create an epoll set: %w", err)
	}
	if blocks {
		s.epfd = fd
		return s.openBell()
	}
	if err := unix.SetNonblock(fd, true); err != nil { // tells os.NewFile to use the poller
		return errors.Join(fmt.Errorf("create an epoll set: %w", err), unix.Close(fd))
	}
	s.epfd, s.file = fd, os.NewFile(uintptr(fd), "epoll")
	return nil
}

func (g *epollEngine) close() {
	for _, s := range g.sets {
		s.crew.end()
		if err := s.letGo(); err != nil {
			g.hub.log.Warn("closing an epoll set", "err", err)
		}
	}
}

func (g *epollEngine) loops() []func(context.Context) error {
	var all []func(context.Context) error
	for _, s := range g.sets {
		all = append(all, s.run)
	}
	return all
}

// adopt takes the descriptor out of c, so that nothing of net and net/http stays behind.
func (g *epollEngine) adopt(e entry, c net.Conn) (uint8, bool, error) {
	under, link := c, (*tlsLink)(nil)
	if t, ok := c.(*tls.Conn); ok {
		w, ok := t.NetConn().(*tlsConn)
		if !ok {
			return 0, false, nil
		}
		under, link = w.Conn, &tlsLink{conn: t, wire: w, trim: g.tlsTrim()}
	}
	sys, ok := descriptor(under)
	if !ok {
		return 0, false, nil
	}
	fd, err := takeOut(sys, under)
	if err != nil {
		return 0, false, err
	}
	if peer, ok := sys.(interface{ RemoteAddr() net.Addr }); ok {
		g.hub.setKeepAlive(fd, peer.RemoteAddr())
	}
	set := g.sets[int(e.n)%len(g.sets)]
	e.s.fd = int32(fd) //nolint:gosec // G115: descriptors are small
	e.s.flags |= flagDetached
	if link != nil {
		link.wire.handOver(g.hub, e)
		e.extra().tls = link
	}
	return set.index, true, nil
}

// descriptor looks below wrappers for a socket.
func descriptor(c net.Conn) (syscall.Conn, bool) {
	for range maxWrappers {
		switch under := c.(type) {
		case *net.TCPConn:
			return under, true
		case *net.UnixConn:
			return under, true
		case *socket.Conn:
			return under, true
		case *tls.Conn:
			return nil, false // TLS inside a wrapper cannot be looked into
		case interface{ NetConn() net.Conn }:
			c = under.NetConn()
		default:
			return nil, false
		}
	}
	return nil, false
}

// takeOut takes the descriptor out of a socket, and closes c, which is it or a wrapper of it.
func takeOut(sys syscall.Conn, c net.Conn) (int, error) {
	if s, ok := sys.(*socket.Conn); ok {
		if fd, ok := s.Detach(); ok {
			return fd, nil
		}
	}
	fd, err := duplicate(sys)
	if err != nil {
		return -1, fmt.Errorf("take over the descriptor: %w", err)
	}
	if err := closeError(c.Close()); err != nil {
		return -1, errors.Join(fmt.Errorf("let go of the connection: %w", err), unix.Close(fd))
	}
	return fd, nil
}

func duplicate(c syscall.Conn) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd, dupErr := -1, error(nil)
	err = raw.Control(func(old uintptr) {
		fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	})
	return fd, errors.Join(err, dupErr)
}

// setKeepAlive has the kernel look after a peer that is silent, unless it is on this machine (onThisMachine). A socket that
// refuses is served all the same: the idle timer finds its end too, later. Switched on last, for the kernel sets its timer
// anew with every change after that.
func (h *Hub) setKeepAlive(fd int, peer net.Addr) {
	if _, tcp := peer.(*net.TCPAddr); !tcp {
		return
	}
	var err error
	switch {
	case h.near(peer):
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0)
	case h.keepAlive > 0:
		err = errors.Join(
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, max(int(h.keepAlive/time.Second), 1)),
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(h.probeEvery()/time.Second)),
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepAliveProbes),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1),
		)
	}
	if err != nil {
		h.log.Debug("setting keep-alive", "err", err)
	}
}

// run has the set's events served until ctx ends.
func (s *epollSet) run(ctx context.Context) error {
	if s.file != nil {
		var err error
		if s.raw, err = s.file.SyscallConn(); err != nil {
			return fmt.Errorf("run an epoll set: %w", err)
		}
	}
	stopped := make(chan struct{}) // closed once the leader has been woken for good
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		if err := s.ring(); err != nil {
			s.hub.log.Error("stopping an epoll set", "err", err)
		}
	})
	defer func() {
		if !stop() {
			<-stopped
		}
	}()
	s.ctx, s.ask = ctx, s.take
	s.bufs, s.events = new(buffers), make([]unix.EpollEvent, 0, epollBatch)
	s.crew.promote()
	tidy := time.NewTicker(crewRest)
	defer tidy.Stop()
	for {
		select {
		case err := <-s.ended:
			return err
		case <-tidy.C:
			s.crew.trim()
		}
	}
}

// crewRest is for how long, twice at most, a goroutine of a loop's crew rests before it ends.
const crewRest = 2 * time.Second

// lead serves the set's events until another goroutine leads, or the loop ends.
func (s *epollSet) lead() {
	for {
		if !s.handle() {
			return
		}
		if s.seen < len(s.events) {
			s.seen++
			s.act(&s.events[s.seen-1], s.bufs, s.now)
			continue
		}
		if ended, err := s.wait(); ended {
			s.ended <- err
			return
		}
	}
}

// wait waits for events. It reports that the loop has ended, and with what.
func (s *epollSet) wait() (ended bool, err error) {
	if s.file != nil {
		err = s.raw.Read(s.ask)
	} else {
		s.block()
	}
	switch {
	case s.ctx.Err() != nil:
		return true, nil
	case err != nil:
		return true, fmt.Errorf("wait for an epoll set: %w", err)
	case s.err != nil:
		return true, fmt.Errorf("wait on an epoll set: %w", s.err)
	}
	s.seen, s.now = 0, s.hub.now()
	return false, nil
}

// take asks for events without waiting, and reports whether wait has something to do.
func (s *epollSet) take(fd uintptr) bool {
	return s.taken(unix.EpollWait(int(fd), s.events[:epollBatch], 0))
}

// taken notes what asking for events has answered, and reports whether wait has something to do.
func (s *epollSet) taken(n int, err error) bool {
	if errors.Is(err, unix.EINTR) {
		err = nil
	}
	s.events, s.err = s.events[:max(n, 0)], err
	return n > 0 || err != nil
}

// act acts on one event. Messages that came are left for handle.
func (s *epollSet) act(ev *unix.EpollEvent, bufs *buffers, now int64) {
	if ev.Fd == bellSlot {
		return // wait says what it is for
	}
	e := s.hub.table.at(uint32(ev.Fd)) //nolint:gosec // G115: the slot's number, put there by control
	e.s.mu.Lock()
	defer e.s.mu.Unlock()
	if e.s.generation != uint32(ev.Pad) || e.s.flags&flagDetached != 0 { //nolint:gosec // G115: a bit pattern
		return
	}
	if ev.Events&unix.EPOLLOUT != 0 {
		s.hub.flush(e, now)
		if e.s.state == stateFree {
			return
		}
	}
	gone := ev.Events&(unix.EPOLLHUP|unix.EPOLLERR) != 0
	switch {
	case e.s.flags&flagPaused == 0:
		if gone || ev.Events&unix.EPOLLIN != 0 {
			s.readable(e, bufs, now)
		}
	case gone:
		// The peer is gone while reading is paused. That would be reported again and again, so the descriptor is taken
		// out of the set; reading finds the end once it goes on.
		s.detach(e)
	}
}

// readable reads once and takes in what came. The caller leads the loop.
func (s *epollSet) readable(e entry, bufs *buffers, now int64) {
	by := &s.loop
	if x := e.r.x; x != nil && x.tls != nil {
		s.readTLS(e, x.tls, bufs, now, by)
	} else {
		n, err := readFD(int(e.s.fd), bufs.plain[:])
		switch {
		case err == nil:
			s.hub.feed(e, bufs.plain[:n], now, by)
		case !errors.Is(err, errAgain):
			s.hub.readEnded(e, by)
		}
	}
	if e.s.state != stateFree && e.s.flags&flagPaused != 0 {
		s.control(e)
	}
}

// readFD reads without waiting; errAgain says that there is nothing, io.EOF that there will be nothing more.
func readFD(fd int, p []byte) (int, error) {
	switch n, err := socket.Read(uintptr(fd), p); {
	case err == unix.EAGAIN:
		return 0, errAgain
	case err != 0:
		return 0, err
	case n == 0:
		return 0, io.EOF
	default:
		return n, nil
	}
}

// writeFD writes without waiting, as much as the system takes.
func writeFD(fd int, p []byte) (int, error) {
	n, err := socket.Write(uintptr(fd), p)
	if err != 0 && err != unix.EAGAIN {
		return 0, err
	}
	return n, nil
}

// epollTransport is an epollSet as the Hub sees it.
type epollTransport struct{ *epollSet }

func (t *epollTransport) write(e entry, p []byte) (int, error) { return writeFD(int(e.s.fd), p) }

func (t *epollTransport) update(e entry) {
	if e.s.flags&flagDetached == 0 {
		t.control(e)
	}
}

func (t *epollTransport) resume(e entry) {
	if x := e.r.x; x != nil && x.tls != nil && e.s.flags&flagPaused == 0 {
		// TLS may hold complete records of which the set knows nothing.
		bufs, _ := spareBuffers.Get().(*buffers)
		t.readTLS(e, x.tls, bufs, t.hub.now(), nil)
		spareBuffers.Put(bufs)
		if e.s.state == stateFree {
			return
		}
	}
	t.control(e)
}

func (t *epollTransport) closeWrite(e entry) {
	if x := e.r.x; x != nil && x.tls != nil {
		// The alert is a few bytes behind an empty queue.
		if err := x.tls.conn.CloseWrite(); err != nil {
			t.hub.log.Debug("ending a TLS connection", "err", err)
		}
		if e.s.flags&flagQueued != 0 {
			e.s.flags |= flagHalfClose // again, once the alert is written
			return
		}
	}
	if err := unix.Shutdown(int(e.s.fd), unix.SHUT_WR); err != nil {
		t.hub.log.Debug("ending a connection's writing side", "err", err)
	}
}

func (t *epollTransport) close(e entry) {
	if x := e.r.x; x != nil && x.tls != nil {
		x.tls.goodbye()
	}
	// It also takes the descriptor out of the set. Not announced to Go's scheduler, for the reason that move gives: without
	// SO_LINGER, which nobody sets here, closing waits for nothing.
	if _, _, err := unix.RawSyscall(unix.SYS_CLOSE, uintptr(e.s.fd), 0, 0); err != 0 { //nolint:gosec // G115: a descriptor
		t.hub.log.Warn("closing a descriptor", "err", err)
	}
	e.s.fd = -1
}

// control tells the set what to watch a descriptor for, and puts it in when it is not. The slot's mutex is held. A
// descriptor that cannot be watched is as good as gone.
func (s *epollSet) control(e entry) {
	ev := unix.EpollEvent{Fd: int32(e.n), Pad: int32(e.s.generation)} //nolint:gosec // G115: bit patterns
	if e.s.flags&flagPaused == 0 {
		ev.Events |= unix.EPOLLIN
	}
	if e.s.flags&flagQueued != 0 {
		ev.Events |= unix.EPOLLOUT
	}
	op := unix.EPOLL_CTL_MOD
	if e.s.flags&flagDetached != 0 {
		op = unix.EPOLL_CTL_ADD
		e.s.flags &^= flagDetached
	}
	if err := unix.EpollCtl(s.epfd, op, int(e.s.fd), &ev); err != nil {
		s.hub.log.Error("watching a connection", "err", err)
		s.hub.doom(e, s.hub.now())
	}
}

func (s *epollSet) detach(e entry) {
	if err := unix.EpollCtl(s.epfd, unix.EPOLL_CTL_DEL, int(e.s.fd), nil); err != nil {
		s.hub.log.Error("unwatching a connection", "err", err)
	}
	e.s.flags |= flagDetached
}
