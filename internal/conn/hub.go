package conn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/frame"
)

// Handler is what a Hub tells the layer above. Its methods may block, those of a Handler that yields (see
// Options.Yields) once they have said so; a panic in one is caught, logged and counted.
type Handler interface {
	// Message is called for each complete message. Several run at a time for one connection, up to Limits.InFlight,
	// in no particular order (open-questions 36); past that the Hub stops reading from that client, so nothing is
	// dropped. A panic closes the connection with 1011.
	Message(id apigw.ConnectionID, attachment any, m Message)
	// Closed is called exactly once for each connection that Open accepted, after it has left the table: a Send
	// answers ErrGone by then. Messages received before may still be in the hands of Message. yield is as Message.Yield,
	// but never nil.
	Closed(id apigw.ConnectionID, attachment any, r CloseReason, yield func())
}

// Message is one complete message from a client. Data belongs to whoever receives it; it is valid UTF-8 unless Binary.
type Message struct {
	Data   []byte
	Binary bool
	// LargestFrame is the payload of its largest frame as it came over the wire, in bytes.
	LargestFrame int
	// Yield is what a Handler that yields calls before it waits; see Options.Yields. It may be called again, to no effect,
	// but only on the goroutine that called Message, and not after Message has returned. It is nil where nobody is held up.
	Yield func()
	// Await is how a Handler that yields may wait without yielding: until a descriptor can be read from, or until is over
	// (zero: never), or something else comes up in the event loop, a few milliseconds at most. It reports true in the first
	// case alone; in the others it has yielded. It may be called where Yield may be. It is nil where nothing is to be gained:
	// where nobody is held up, and where the loop has other things to do already.
	Await func(fd int, until time.Time) bool
}

// Info is what is known of an open connection.
type Info struct {
	ID           apigw.ConnectionID
	Attachment   any
	OpenedAt     time.Time
	LastActiveAt time.Time // the last data frame, either way
}

// Engines: how a Hub waits for bytes.
const (
	// EngineEpoll waits for all descriptors in a few epoll sets (Linux). Connections that have no descriptor, or TLS
	// that did not come from ServerTLS, are served as EnginePortable does.
	EngineEpoll = "epoll"
	// EnginePortable has a goroutine for each connection and works with any net.Conn.
	EnginePortable = "portable"
)

// Options set a Hub up.
type Options struct {
	// Limits bound each connection. The sizes, InFlight, WriteQueue, WriteTimeout and CloseTimeout must be positive.
	Limits apigw.Limits
	// Log takes what somebody should know. Nil: nothing is logged.
	Log *slog.Logger
	// Engine is EngineEpoll or EnginePortable. Empty: the best one of this system.
	Engine string
	// MaxConnections bounds the connections, pending and closing ones included. Zero: MaxConnections.
	MaxConnections int
	// MaxInFlight bounds the messages being handled at a time in all. Past it, connections are read from in turn as
	// messages are done. Zero: 16384.
	MaxInFlight int
	// Incarnation is the part of a connection ID that names this life of this node, at most MaxIncarnation. Zero: a
	// random one, which will do for a node alone.
	Incarnation uint32
	// CloseRate is how many connections Shutdown closes in a second. Zero: 10000.
	CloseRate int
	// Yields says that the Handler's Message and Closed call their yield before they wait for anybody, and before they work for longer
	// than a few hundred microseconds: they run in an event loop until then, and nothing else does there. Without, every call
	// has a goroutine to itself from the start, which costs a wake-up.
	Yields bool
	// KeepAlive is how long a TCP connection is silent before the kernel asks whether its peer is still there, so that
	// a half-open one is found. Zero: one minute. Negative: whatever the listener set. Peers at loopback addresses are
	// not asked in any case.
	KeepAlive time.Duration
}

const (
	defaultInFlight  = 1 << 14
	defaultCloseRate = 10_000
)

// Hub is the connections of this node. Its methods are safe for concurrent use. A Hub works from New on as far as
// connections can be reserved; bytes move and timers run once Run was called.
type Hub struct {
	handler     Handler
	log         *slog.Logger
	incarnation uint32
	closeRate   atomic.Int64
	keepAlive   time.Duration
	near        func(net.Addr) bool // onThisMachine
	yields      bool
	began       time.Time // times in slots count from here
	limits      atomic.Pointer[apigw.Limits]
	deflates    atomic.Bool // a connection was opened that takes compressed messages
	stats       stats

	table      table
	wheel      wheel
	flight     flight
	work       tracker // live slots, and goroutines that work for them
	jobs       jobPool
	departed   departed
	portable   *portable
	engine     engine // nil: portable only
	transports []transport

	// ending holds the reason for which new connections are refused and opened ones closed at once; nil for none.
	ending atomic.Pointer[CloseReason]
	run    atomic.Bool
}

// transport moves the bytes of connections. Its methods are called with the slot's mutex held and never block.
type transport interface {
	// write sends as much of p as the system takes at once; less than all of it is no error.
	write(e entry, p []byte) (int, error)
	// update looks at flagPaused and flagQueued, one of which has changed: whether to read and whether to flush.
	update(e entry)
	// resume begins to read, or goes on after flagPaused was taken away. It looks at both flags too.
	resume(e entry)
	// closeWrite ends the sending direction; the peer reads an end of file behind the last byte.
	closeWrite(e entry)
	// close ends the connection at once.
	close(e entry)
}

// engine is a set of transports with an event loop each.
type engine interface {
	// adopt takes a connection's descriptor over and closes c. It reports false when the connection is not of its
	// kind, and then has not touched it. Nothing is read before the transport's first resume.
	adopt(e entry, c net.Conn) (t uint8, ok bool, err error)
	// loops returns the event loops, which return once their context has ended.
	loops() []func(context.Context) error
	// close lets go of what the engine holds. The loops have returned.
	close()
}

// New returns a Hub that reports to h. It fails on limits that make no sense and when the engine asked for does not
// exist here. Run must be called for it to work, and to let go of what it holds.
func New(h Handler, o Options) (*Hub, error) {
	if err := checkLimits(o.Limits); err != nil {
		return nil, err
	}
	switch {
	case h == nil:
		return nil, errors.New("new hub: no handler")
	case o.Incarnation > MaxIncarnation:
		return nil, fmt.Errorf("new hub: incarnation %d is over %d", o.Incarnation, MaxIncarnation)
	case o.MaxConnections < 0 || o.MaxConnections > MaxConnections:
		return nil, fmt.Errorf("new hub: %d connections are not between 0 and %d", o.MaxConnections, MaxConnections)
	case o.MaxInFlight < 0 || o.CloseRate < 0:
		return nil, errors.New("new hub: a negative bound")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	hub := &Hub{
		handler:     h,
		log:         o.Log,
		incarnation: orDefault(o.Incarnation, 1+rand.Uint32N(MaxIncarnation)), //nolint:gosec // G404: a name, not a secret
		keepAlive:   orDefault(o.KeepAlive, defaultKeepAlive),
		near:        onThisMachine,
		yields:      o.Yields,
		began:       time.Now(),
	}
	hub.limits.Store(&o.Limits)
	hub.SetCloseRate(orDefault(o.CloseRate, defaultCloseRate))
	hub.table.limit = uint32(orDefault(o.MaxConnections, MaxConnections)) //nolint:gosec // G115: checked above
	hub.flight.most = int64(orDefault(o.MaxInFlight, defaultInFlight))
	hub.wheel.init(hub)
	hub.jobs.init(hub)
	hub.portable = &portable{hub}
	hub.transports = []transport{hub.portable}
	switch o.Engine {
	case EnginePortable:
	case EngineEpoll, "":
		var err error
		hub.engine, err = newEpoll(hub, min(max(runtime.GOMAXPROCS(0)-1, 1), 8))
		if err != nil && (o.Engine != "" || !errors.Is(err, errors.ErrUnsupported)) {
			return nil, fmt.Errorf("new hub: %w", err)
		}
	default:
		return nil, fmt.Errorf("new hub: engine %q: %w", o.Engine, errors.ErrUnsupported)
	}
	return hub, nil
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

func checkLimits(l apigw.Limits) error {
	if l.FrameSize <= 0 || l.MessageSize <= 0 || l.InFlight <= 0 || l.WriteQueue <= 0 || l.WriteTimeout <= 0 || l.CloseTimeout <= 0 {
		return errors.New("limits of connections: sizes, counts, write and close time-outs must be positive")
	}
	if l.IdleTimeout < 0 || l.MaxDuration < 0 || l.PingInterval < 0 {
		return errors.New("limits of connections: a negative duration")
	}
	return nil
}

// SetLimits changes the limits of all connections, also of those already open. What is under way keeps the limits it
// began with.
func (h *Hub) SetLimits(l apigw.Limits) error {
	if err := checkLimits(l); err != nil {
		return err
	}
	h.limits.Store(&l)
	for n := range h.table.size() {
		e := h.table.at(n)
		e.s.mu.Lock()
		if e.s.state == stateOpen || e.s.state == stateClosing {
			h.wheel.soon(e)
		}
		e.s.mu.Unlock()
	}
	return nil
}

// SetCloseRate changes how many connections Shutdown closes in a second, at least one. It counts from the next Shutdown on.
func (h *Hub) SetCloseRate(perSecond int) { h.closeRate.Store(int64(max(1, perSecond))) }

// Incarnation returns the part of this Hub's connection IDs that tells them from those of others.
func (h *Hub) Incarnation() uint32 { return h.incarnation }

// now is the time since the Hub began, in nanoseconds.
func (h *Hub) now() int64 { return int64(time.Since(h.began)) }

// frameLimits are the bounds of what one connection may send.
func frameLimits(l *apigw.Limits, f flags) frame.Limits {
	return frame.Limits{Frame: l.FrameSize, Message: l.MessageSize, Binary: l.Binary, Deflate: f.window() != 0}
}

// Reserve gives out the ID of a connection whose handshake is about to be decided, and keeps the attachment with it.
// Until Open, Send, Info and Disconnect answer ErrPending (spec data-plane §3). Exactly one of Open and Abandon must
// follow. It fails with ErrFull and ErrShutdown.
func (h *Hub) Reserve(attachment any) (apigw.ConnectionID, error) {
	h.work.add() // until the slot is free again; before the look at ending, so that Run waits for it or we see its end
	if h.ending.Load() != nil {
		h.work.done()
		return "", ErrShutdown
	}
	n, ok := h.table.take()
	if !ok {
		h.work.done()
		return "", ErrFull
	}
	e := h.table.at(n)
	e.s.mu.Lock()
	defer e.s.mu.Unlock()
	e.s.state = statePending
	e.s.key, e.r.id = newID(h.incarnation, n, e.s.generation)
	e.r.attachment = attachment
	h.stats.pending.Add(1)
	return e.r.id, nil
}

// lookup returns the slot an ID names with its mutex held. Who gets no error must unlock it.
func (h *Hub) lookup(id apigw.ConnectionID) (entry, error) {
	i, ok := parseID(id)
	if !ok || i.incarnation != h.incarnation {
		return entry{}, ErrGone
	}
	e, ok := h.table.find(i.slot)
	if !ok {
		return entry{}, ErrGone
	}
	e.s.mu.Lock()
	// One comparison of one word takes the same time whatever differs.
	if e.s.key == i.key {
		switch {
		case e.s.state == stateOpen && e.s.flags&flagNoWrite == 0:
			return e, nil
		case e.s.state == statePending:
			return e, ErrPending
		}
	}
	e.s.mu.Unlock()
	return entry{}, ErrGone
}

// locate is lookup for those who want open connections only.
func (h *Hub) locate(id apigw.ConnectionID) (entry, error) {
	e, err := h.lookup(id)
	if errors.Is(err, ErrPending) {
		e.s.mu.Unlock()
	}
	return e, err
}

// Abandon ends a reservation whose handshake was refused: the ID is dead at once, and Closed is not called (spec
// data-plane §3). It does nothing to connections that are not pending.
func (h *Hub) Abandon(id apigw.ConnectionID) {
	e, err := h.lookup(id)
	switch {
	case err == nil:
		e.s.mu.Unlock()
	case errors.Is(err, ErrPending):
		h.stats.pending.Add(-1)
		h.departed.add(e.n, e.s.key, 0, h.now())
		h.release(e)
		e.s.mu.Unlock()
	}
}

// release frees a slot. Its mutex is held, and nothing of the connection is left.
func (h *Hub) release(e entry) {
	s := e.s
	s.state, s.flags, s.key, s.inFlight, s.closeBy, s.pinged = stateFree, 0, 0, 0, 0, 0
	s.generation++
	*e.r = refs{}
	h.table.give(e.n)
	h.work.done()
}

// Handshake is what was said and agreed before a connection is opened. The zero value is nothing of either.
type Handshake struct {
	// Answer is the end of the handshake, the 101. It is sent ahead of all else, and who has seen it can address the
	// connection, for Send, Info and Disconnect wait meanwhile.
	Answer []byte
	// Rest is what came behind the request; it is processed before anything else that the client sends.
	Rest []byte
	// Window is the size, as a power of two from frame.MinWindow to frame.MaxWindow, of the window that messages to the
	// client may be compressed with: permessage-deflate is agreed, without context takeover either way. Zero: it is not.
	Window int
}

// Open makes a reserved connection open on c. It takes c over, whatever it returns: a *net.TCPConn, a
// *net.UnixConn, a *tls.Conn of ServerTLS or a wrapper of one of these with the method NetConn() net.Conn, which must
// hold no unread bytes, goes to the event loops; anything else is read by a goroutine. It fails with ErrGone when the
// ID is not pending, with ErrLost when the answer cannot be sent, and with the system's error; then c is closed, the ID
// is dead and Closed is not called. On a Hub that shuts down Open succeeds, and the connection is closed at once.
func (h *Hub) Open(id apigw.ConnectionID, c net.Conn, shaken Handshake) error {
	if w := shaken.Window; w != 0 && (w < frame.MinWindow || w > frame.MaxWindow) {
		h.Abandon(id)
		return errors.Join(fmt.Errorf("open connection: no window has 2^%d bytes", w), closeError(c.Close()))
	}
	e, err := h.lookup(id)
	if !errors.Is(err, ErrPending) {
		if err == nil {
			e.s.mu.Unlock()
		}
		return errors.Join(ErrGone, closeError(c.Close()))
	}
	defer e.s.mu.Unlock()
	h.stats.pending.Add(-1)
	if err := h.attach(e, c); err != nil {
		h.release(e)
		return fmt.Errorf("open connection: %w", err)
	}
	now := h.now()
	s := e.s
	s.state, s.opened, s.active, s.heard = stateOpen, now, now, now
	if shaken.Window != 0 {
		s.flags |= flags(shaken.Window) << windowShift //nolint:gosec // G115: at most 15
		h.deflates.Store(true)
	}
	h.schedule(e)
	if len(shaken.Answer) > 0 {
		h.output(e, shaken.Answer, now)
	}
	if s.flags&flagNoWrite != 0 {
		s.state = stateClosing
		h.stats.closing.Add(1)
		h.finish(e)
		return ErrLost
	}
	h.stats.open.Add(1)
	h.stats.opened.Add(1)
	h.feed(e, shaken.Rest, now, nil)
	if s.state != stateFree {
		h.transports[s.transport].resume(e)
	}
	if r := h.ending.Load(); r != nil && s.state == stateOpen {
		h.closeWith(e, *r, now)
	}
	return nil
}

// attach gives the connection to a transport. On error c is closed.
func (h *Hub) attach(e entry, c net.Conn) error {
	if h.engine != nil {
		t, ok, err := h.engine.adopt(e, c)
		if err != nil {
			return errors.Join(err, closeError(c.Close()))
		}
		if ok {
			e.s.transport = t
			return nil
		}
	}
	e.s.transport = 0
	return h.portable.adopt(e, c)
}

// closeError leaves out what closing an already closed connection answers.
func closeError(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Info returns what is known of an open connection, or ErrGone or ErrPending.
func (h *Hub) Info(id apigw.ConnectionID) (Info, error) {
	e, err := h.locate(id)
	if err != nil {
		return Info{}, err
	}
	defer e.s.mu.Unlock()
	return h.info(e), nil
}

func (h *Hub) info(e entry) Info {
	return Info{
		ID:           e.r.id,
		Attachment:   e.r.attachment,
		OpenedAt:     h.began.Add(time.Duration(e.s.opened)),
		LastActiveAt: h.began.Add(time.Duration(e.s.active)),
	}
}

// List returns up to most open connections that keep accepts (nil accepts all), in an order that does not change while
// they live, beginning behind the one of ID after (empty: at the first; it need not be open any more). more says that
// there may be others behind the last. keep is called with a lock held: it must be quick and must not call the Hub.
func (h *Hub) List(after apigw.ConnectionID, most int, keep func(attachment any) bool) (infos []Info, more bool) {
	first := uint32(0)
	if i, ok := parseID(after); ok && i.incarnation == h.incarnation {
		first = i.slot + 1
	}
	for n := first; n < h.table.size(); n++ {
		e := h.table.at(n)
		e.s.mu.Lock()
		if e.s.state == stateOpen && (keep == nil || keep(e.r.attachment)) {
			if len(infos) >= most {
				e.s.mu.Unlock()
				return infos, true
			}
			infos = append(infos, h.info(e))
		}
		e.s.mu.Unlock()
	}
	return infos, false
}

// Len returns how many connections are open.
func (h *Hub) Len() int { return int(h.stats.open.Load()) }
