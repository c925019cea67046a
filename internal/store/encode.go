package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/s2"
)

// Values are JSON. Large ones, which is to say definitions with many routes, are compressed: they become ten times
// smaller, in memory as on disk, and are read and written in less time for it (docs/decisions/0005-store.md). No JSON
// begins with the byte that tells the two apart. MaxValue holds for the JSON, so that it does not depend on what is in it
// whether a value can be kept.
const (
	compressed   = 0x01
	compressFrom = 4 << 10 // bytes of JSON
)

// pack returns JSON as the driver keeps it.
func pack(plain []byte) ([]byte, error) {
	if len(plain) < compressFrom {
		return plain, nil
	}
	if len(plain) > MaxValue {
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d are kept", ErrInvalid, len(plain), MaxValue)
	}
	room := takeScratch(s2.MaxEncodedLen(len(plain)))
	defer room.giveBack()
	text := s2.EncodeBetter(room.bytes, plain)
	out := make([]byte, 0, 1+len(text))
	return append(append(out, compressed), text...), nil
}

// scratch is memory for large JSON on its way in or out. It is used again, for a definition of 300 routes has 150 KB and more.
type scratch struct{ bytes []byte }

// maxScratch bounds, in bytes, what is kept to be used again.
const maxScratch = 1 << 20

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// takeScratch returns room for n bytes, whose content is anything.
func takeScratch(n int) *scratch {
	s, ok := scratches.Get().(*scratch)
	if !ok || cap(s.bytes) < n {
		return &scratch{make([]byte, n)}
	}
	s.bytes = s.bytes[:n]
	return s
}

// giveBack ends the use of the room: nothing may refer to it any more.
func (s *scratch) giveBack() {
	if cap(s.bytes) <= maxScratch {
		scratches.Put(s)
	}
}

// decode reads a value from its JSON, of which nothing stays in the value.
func decode(e Entry, v any) error {
	var room *scratch
	plain, err := unpack(e.Value, func(n int) []byte {
		room = takeScratch(n)
		return room.bytes
	})
	if err == nil {
		err = json.Unmarshal(plain, v)
	}
	if room != nil {
		room.giveBack()
	}
	if err != nil {
		return fmt.Errorf("read %s from the store: %w", e.Key, err)
	}
	return nil
}

func appendDecoded[T any](e Entry, all *[]T) error {
	var v T
	if err := decode(e, &v); err != nil {
		return err
	}
	*all = append(*all, v)
	return nil
}

// JSON is the entry's value as it was put.
func (e Entry) JSON() (json.RawMessage, error) {
	plain, err := unpack(e.Value, func(n int) []byte { return make([]byte, n) })
	if err != nil {
		return nil, fmt.Errorf("read %s from the store: %w", e.Key, err)
	}
	return plain, nil
}

// unpack returns what pack was given. What was compressed comes in the room that it asks for, in bytes.
func unpack(value []byte, room func(n int) []byte) ([]byte, error) {
	if len(value) == 0 || value[0] != compressed {
		return value, nil
	}
	n, err := s2.DecodedLen(value[1:])
	if err != nil {
		return nil, err
	}
	if n > MaxValue {
		return nil, errors.New("it is too large")
	}
	return s2.Decode(room(n), value[1:])
}
