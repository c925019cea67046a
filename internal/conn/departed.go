package conn

import (
	"sync"
	"time"

	"cleat/internal/apigw"
)

// Presence is what a Hub can say of an ID that Send, Info and Disconnect answer ErrGone to.
type Presence uint8

// The presences.
const (
	PresenceOpen    Presence = iota // it is there after all
	PresencePending                 // its handshake is not answered yet
	PresenceRefused                 // its handshake was refused
	PresenceClosed
	// PresenceNever is an ID that this Hub has not given out.
	PresenceNever
	// PresenceForgotten is an ID that this Hub has not given out, or that closed before the last maxDeparted others.
	PresenceForgotten
	// PresenceElsewhere is an ID of another node, or of an earlier life of this one.
	PresenceElsewhere
)

// Absence says why an ID cannot be pushed to.
type Absence struct {
	Presence Presence
	At       time.Time // when it closed or was refused
	Code     int       // with which it closed, as its $disconnect event shows it
}

// maxDeparted bounds how many ended connections a Hub remembers.
const maxDeparted = 1 << 14

// departed remembers the connections that ended last, so that who pushes to one can be told what became of it. It holds
// no pointers but its own and grows only as connections end.
type departed struct {
	mu     sync.Mutex
	byKey  map[departedKey]int32 // index in ring
	ring   []departure
	next   int
	forgot bool // the ring has gone round
}

// departedKey is all of an ID but the incarnation.
type departedKey struct {
	key  uint64
	slot uint32
}

type departure struct {
	departedKey
	code int32 // zero: refused
	at   int64 // nanoseconds since the Hub began
}

// add remembers an end.
func (d *departed) add(slot uint32, key uint64, code int, at int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	one := departure{departedKey{key, slot}, int32(code), at} //nolint:gosec // G115: a close code
	if d.byKey == nil {
		d.byKey = map[departedKey]int32{}
	}
	if len(d.ring) < maxDeparted {
		d.byKey[one.departedKey] = int32(len(d.ring)) //nolint:gosec // G115: below maxDeparted
		d.ring = append(d.ring, one)
		return
	}
	d.forgot = true
	delete(d.byKey, d.ring[d.next].departedKey)
	d.ring[d.next] = one
	d.byKey[one.departedKey] = int32(d.next) //nolint:gosec // G115: below maxDeparted
	d.next = (d.next + 1) % maxDeparted
}

// find returns what is remembered of an ID; forgot tells that there may have been more.
func (d *departed) find(slot uint32, key uint64) (one departure, found, forgot bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, ok := d.byKey[departedKey{key, slot}]
	if !ok {
		return departure{}, false, d.forgot
	}
	return d.ring[i], true, d.forgot
}

// Absence says what has become of an ID, as far as this Hub remembers. It tells nothing to who guesses: an ID that was
// never given out cannot be told from one that this Hub has forgotten unless it has forgotten none.
func (h *Hub) Absence(id apigw.ConnectionID) Absence {
	i, ok := parseID(id)
	if !ok || i.incarnation != h.incarnation {
		return Absence{Presence: PresenceElsewhere}
	}
	if e, ok := h.table.find(i.slot); ok {
		e.s.mu.Lock()
		key, state := e.s.key, e.s.state
		e.s.mu.Unlock()
		switch {
		case key != i.key:
		case state == statePending:
			return Absence{Presence: PresencePending}
		case state == stateOpen:
			return Absence{Presence: PresenceOpen}
		}
	}
	one, found, forgot := h.departed.find(i.slot, i.key)
	switch {
	case found && one.code == 0:
		return Absence{Presence: PresenceRefused, At: h.began.Add(time.Duration(one.at))}
	case found:
		return Absence{Presence: PresenceClosed, At: h.began.Add(time.Duration(one.at)), Code: int(one.code)}
	case forgot:
		return Absence{Presence: PresenceForgotten}
	}
	return Absence{Presence: PresenceNever}
}
