package store

import (
	"encoding/json"
	"errors"
	"fmt"

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
	out := make([]byte, 1+s2.MaxEncodedLen(len(plain)))
	out[0] = compressed
	return out[:1+len(s2.EncodeBetter(out[1:], plain))], nil
}

func decode(e Entry, v any) error {
	plain, err := unpack(e.Value)
	if err == nil {
		err = json.Unmarshal(plain, v)
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
	plain, err := unpack(e.Value)
	if err != nil {
		return nil, fmt.Errorf("read %s from the store: %w", e.Key, err)
	}
	return plain, nil
}

// unpack returns what pack was given.
func unpack(value []byte) ([]byte, error) {
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
	return s2.Decode(make([]byte, n), value[1:])
}
