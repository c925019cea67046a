package apigw

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"sync"
	"time"
)

// APIID names an API: ten lower-case letters and digits, such as "a1b2c3d4e5" (spec data-plane §1).
type APIID string

// ConnectionID is the opaque name of one client's connection: 16 characters of URL-safe base64 that end in "="
// (spec data-plane §3). Package conn makes and reads them; everybody else passes them on.
type ConnectionID string

// RequestID names one event (a connect, a message or a disconnect) in the shape of a ConnectionID.
type RequestID string

// NewRequestID returns a fresh random request ID in the shape that AWS uses for WebSocket events: 11 bytes as
// URL-safe base64, 16 characters (spec data-plane §3).
func NewRequestID() RequestID {
	id := freshID()
	return RequestID(keepID(&id))
}

// NewMessageID returns a fresh ID of a message, in the same shape, whose last four characters are those of the
// connection, as captures show it (spec data-plane §3).
func NewMessageID(id ConnectionID) string {
	const shared = 4
	fresh := freshID()
	if len(id) >= shared {
		copy(fresh[len(fresh)-shared:], id[len(id)-shared:])
	}
	return keepID(&fresh)
}

const (
	idBytes = 11
	idSize  = 16 // of its text
	idBatch = 64 // IDs for which random bytes are read, and room for texts is made, at a time

	uuidSize = 36
)

// idSource makes IDs in batches: most cost neither a read of random bytes nor an allocation.
type idSource struct {
	random [idBatch * idBytes]byte
	used   int             // of random
	texts  strings.Builder // of IDs, one behind the other; who keeps one keeps those of its batch
}

var idSources = sync.Pool{New: func() any { return &idSource{used: idBatch * idBytes} }}

// take gives random bytes, which its caller clears: nobody can read them here later.
func (s *idSource) take(n int) []byte {
	if len(s.random)-s.used < n {
		rand.Read(s.random[:])
		s.used = 0
	}
	b := s.random[s.used : s.used+n]
	s.used += n
	return b
}

// keep makes a string of a text.
func (s *idSource) keep(text []byte) string {
	if s.texts.Cap()-s.texts.Len() < len(text) {
		s.texts = strings.Builder{}
		s.texts.Grow(idBatch * idSize)
	}
	s.texts.Write(text)
	all := s.texts.String()
	return all[len(all)-len(text):]
}

func freshID() (id [idSize]byte) {
	s, _ := idSources.Get().(*idSource)
	b := s.take(idBytes)
	base64.URLEncoding.Encode(id[:], b)
	clear(b)
	idSources.Put(s)
	return id
}

// keepID is an ID as a string of its own.
func keepID(id *[idSize]byte) string {
	s, _ := idSources.Get().(*idSource)
	kept := s.keep(id[:])
	idSources.Put(s)
	return kept
}

// NewUUID returns a random UUID (version 4), the shape of x-amzn-RequestId and of Lambda's request IDs.
func NewUUID() string {
	s, _ := idSources.Get().(*idSource)
	var out [uuidSize]byte
	b := s.take(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	hex.Encode(out[0:8], b[0:4])
	hex.Encode(out[9:13], b[4:6])
	hex.Encode(out[14:18], b[6:8])
	hex.Encode(out[19:23], b[8:10])
	hex.Encode(out[24:36], b[10:16])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	clear(b)
	id := s.keep(out[:])
	idSources.Put(s)
	return id
}

// NewTraceRoot returns a fresh trace ID, "1-{epoch in 8 hex}-{24 hex}", without "Root=" (spec data-plane §1).
func NewTraceRoot(now time.Time) string {
	var b [16]byte
	rand.Read(b[4:])
	binary.BigEndian.PutUint32(b[:4], uint32(now.Unix())) //nolint:gosec // G115: the format has 32 bits of epoch
	var out [35]byte
	hex.Encode(out[2:10], b[:4])
	hex.Encode(out[11:], b[4:])
	out[0], out[1], out[10] = '1', '-', '-'
	return string(out[:])
}
