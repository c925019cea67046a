package conn

import (
	"net"
	"time"
	"unsafe"
)

// MaxDeparted is how many ended connections a Hub remembers.
const MaxDeparted = maxDeparted

// What each connection has of the table, in bytes.
const (
	SlotSize = unsafe.Sizeof(slot{})
	RefsSize = unsafe.Sizeof(refs{})
)

// SetFar has the hub take all of its peers for ones on other machines.
func (h *Hub) SetFar() { h.near = func(net.Addr) bool { return false } }

// NewCrew returns a crew whose goroutines call lead, as functions.
func NewCrew(lead func()) (promote, trim, end func(), resting func() int) {
	c := &crew{lead: lead}
	return c.promote, c.trim, c.end, func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.resting)
	}
}

// WheelRest is how much longer a Hub's wheel stands still.
func WheelRest(h *Hub) time.Duration {
	h.wheel.mu.Lock()
	defer h.wheel.mu.Unlock()
	return time.Duration(h.wheel.until*int64(wheelTick) - h.now())
}
