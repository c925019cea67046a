package conn

import "sync/atomic"

// Stats are a Hub's figures since it began, but for the first four, which are of now.
type Stats struct {
	Pending  int64 // reserved, not yet open
	Open     int64
	Closing  int64 // left the table, socket still there
	InFlight int64 // messages being handled, or about to be read

	Opened       uint64 // connections that became open
	MessagesIn   uint64
	BytesIn      uint64 // payload of messages
	MessagesOut  uint64 // messages accepted for sending
	BytesOut     uint64 // their payload
	BufferFull   uint64 // messages refused with ErrBufferFull
	Pauses       uint64 // times that reading from a client was stopped
	Panics       uint64 // in the Handler
	PongsDropped uint64 // pings left unanswered because their sender does not read
}

type stats struct {
	pending, open, closing atomic.Int64

	opened, messagesIn, bytesIn, messagesOut, bytesOut, bufferFull, pauses, panics, pongsDropped atomic.Uint64
}

// Stats returns the Hub's figures. They are read one after the other.
func (h *Hub) Stats() Stats {
	s := &h.stats
	return Stats{
		Pending:      s.pending.Load(),
		Open:         s.open.Load(),
		Closing:      s.closing.Load(),
		InFlight:     h.flight.n.Load(),
		Opened:       s.opened.Load(),
		MessagesIn:   s.messagesIn.Load(),
		BytesIn:      s.bytesIn.Load(),
		MessagesOut:  s.messagesOut.Load(),
		BytesOut:     s.bytesOut.Load(),
		BufferFull:   s.bufferFull.Load(),
		Pauses:       s.pauses.Load(),
		Panics:       s.panics.Load(),
		PongsDropped: s.pongsDropped.Load(),
	}
}
