package conn

import (
	"sync"
	"sync/atomic"

	"cleat/internal/apigw"
	"cleat/internal/frame"
)

// state is where a slot stands (spec data-plane §3). The table that IDs are looked up in consists of the open ones.
type state uint8

const (
	stateFree    state = iota
	statePending       // reserved; the handshake is not answered yet
	stateOpen
	stateClosing // left the table; the socket lives on until the close handshake is over
)

// flags are what else is true of a connection.
type flags uint16

const (
	flagPaused    flags = 1 << iota // not reading: too many messages are being handled
	flagWaiting                     // stands in line for the node-wide bound
	flagQueued                      // the write queue is not empty
	flagNoWrite                     // writing failed; the reading side still has to find its end
	flagDiscard                     // what still comes is thrown away
	flagHalfClose                   // end the writing side once the queue is empty
	flagFinish                      // end the connection once the queue is empty
	flagDetached                    // the epoll set does not watch the descriptor for now

	// The upper four bits hold the window that permessage-deflate was negotiated with, as a power of two; zero without.
	// They have room here, and a field of their own would make every slot eight bytes longer.
	windowShift = 12
)

func (f flags) window() int { return int(f >> windowShift) }

// slot is a connection's state that needs no pointer, so that the garbage collector never looks at it: a collection
// over a million connections costs next to nothing.
type slot struct {
	mu sync.Mutex

	// Guarded by mu. Times are nanoseconds since the Hub began.
	generation uint32 // counts the slot's tenants
	fd         int32  // the descriptor, under epoll
	key        uint64 // what an ID must carry
	opened     int64
	active     int64 // last data frame either way
	heard      int64 // last bytes from the client
	pinged     int64 // last ping to the client
	closeBy    int64 // end the connection then at the latest; zero for no such time
	inFlight   int32 // messages being handled
	flags      flags
	state      state
	transport  uint8 // index in Hub.transports

	// Guarded by wheel.mu: a doubly linked list of slot numbers plus one, and the tick it is for (zero: on no list).
	wheelTick            int64
	wheelNext, wheelPrev uint32
}

// refs is the rest of a connection's state: what needs pointers. It is guarded by the slot's mutex.
type refs struct {
	id         apigw.ConnectionID
	attachment any
	x          *extra // nil while a connection has nothing of the kind, as an idle plain one
}

// extra is what only some connections have, or only at times.
type extra struct {
	tls     *tlsLink      // TLS over a descriptor that epoll watches
	link    *portableLink // the connection of the portable engine
	reader  *frame.Reader // a frame or message that came in part
	pending []byte        // bytes received and not looked at: reading is paused
	queue   writeQueue
}

func (x *extra) empty() bool {
	return x.tls == nil && x.link == nil && x.reader == nil && x.pending == nil && x.queue.size == 0
}

// entry is one slot with both halves of its state. It is a value; n is the slot's number.
type entry struct {
	s *slot
	r *refs
	n uint32
}

// extra returns the connection's extra state, which is made if there is none. The slot's mutex is held.
func (e entry) extra() *extra {
	if e.r.x == nil {
		e.r.x = new(extra)
	}
	return e.r.x
}

// trim lets go of extra state that says nothing. The slot's mutex is held.
func (e entry) trim() {
	if e.r.x != nil && e.r.x.empty() {
		e.r.x = nil
	}
}

// chunkSlots is how many slots are allocated at a time. Chunks never move and are never freed.
const chunkSlots = 512

type chunk struct {
	slots *[chunkSlots]slot
	refs  *[chunkSlots]refs
}

// table is the slab of all slots. Looking a slot up takes no lock.
type table struct {
	chunks atomic.Pointer[[]chunk] // copied when it grows

	mu    sync.Mutex
	limit uint32   // most slots
	used  uint32   // slots that were ever given out
	free  []uint32 // those that came back; the last one is used first, so that memory stays dense
}

// take returns a free slot's number.
func (t *table) take() (uint32, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if k := len(t.free); k > 0 {
		n := t.free[k-1]
		t.free = t.free[:k-1]
		return n, true
	}
	if t.used == t.limit {
		return 0, false
	}
	if t.used%chunkSlots == 0 {
		var grown []chunk
		if old := t.chunks.Load(); old != nil {
			grown = append(grown, *old...)
		}
		grown = append(grown, chunk{new([chunkSlots]slot), new([chunkSlots]refs)})
		t.chunks.Store(&grown)
	}
	t.used++
	return t.used - 1, true
}

// give takes a slot back.
func (t *table) give(n uint32) {
	t.mu.Lock()
	t.free = append(t.free, n)
	t.mu.Unlock()
}

// size returns how many slots have ever been in use; at works for all numbers below.
func (t *table) size() uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.used
}

// at returns a slot by number, which must be below size.
func (t *table) at(n uint32) entry {
	c := (*t.chunks.Load())[n/chunkSlots]
	return entry{&c.slots[n%chunkSlots], &c.refs[n%chunkSlots], n}
}

// find returns a slot by a number from outside.
func (t *table) find(n uint32) (entry, bool) {
	chunks := t.chunks.Load()
	if chunks == nil || int(n/chunkSlots) >= len(*chunks) {
		return entry{}, false
	}
	return t.at(n), true
}
