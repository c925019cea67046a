package natskv

import (
	"encoding/binary"
	"errors"
	"fmt"

	"cleat/internal/store"
)

// A record is one message of the log: the changes of one commit, or entries that the cleaner has copied forward.
//
//	record:  version (1 byte) | number of parts | part…
//	part:    kind (1 byte) | length | key | and, of a value:  revision | length | value
//
// Numbers are unsigned varints. A revision of zero stands for the record's own, which is its sequence in the log; the
// cleaner's copies have that of the commit that wrote them.
const recordVersion = 1

// The kinds of parts.
const (
	partValue    = 1
	partDeletion = 2
)

// part is one change that a record tells of.
type part struct {
	key      string
	value    []byte // of the message: to be copied by who keeps it
	revision store.Revision
	deleted  bool
}

// size is what a part comes to in a record, about.
func (p *part) size() int { return len(p.key) + len(p.value) + partOverhead }

const partOverhead = 8

func encode(parts []part) []byte {
	n := 1 + binary.MaxVarintLen64
	for i := range parts {
		n += 1 + 3*binary.MaxVarintLen64 + len(parts[i].key) + len(parts[i].value)
	}
	out := append(make([]byte, 0, n), recordVersion)
	out = binary.AppendUvarint(out, uint64(len(parts)))
	for i := range parts {
		p := &parts[i]
		kind := byte(partValue)
		if p.deleted {
			kind = partDeletion
		}
		out = append(out, kind)
		out = appendBytes(out, p.key)
		if !p.deleted {
			out = binary.AppendUvarint(out, uint64(p.revision))
			out = appendBytes(out, p.value)
		}
	}
	return out
}

func appendBytes[T string | []byte](out []byte, b T) []byte {
	return append(binary.AppendUvarint(out, uint64(len(b))), b...)
}

var errRecord = errors.New("it is not a record of this store")

// decode returns the parts of a record that has that sequence in the log. Their values are those of the message.
func decode(message []byte, sequence uint64) ([]part, error) {
	if len(message) == 0 || message[0] != recordVersion {
		return nil, fmt.Errorf("%w, or one of a later version of Cleat", errRecord)
	}
	r := reader{rest: message[1:]}
	n := r.number()
	if n > uint64(len(r.rest)) { // a part has more than a byte
		return nil, errRecord
	}
	parts := make([]part, 0, n)
	for range n {
		p := part{}
		switch r.kind() {
		case partValue:
			p.key = string(r.bytes())
			p.revision = store.Revision(r.number())
			if p.revision == 0 {
				p.revision = store.Revision(sequence)
			}
			p.value = r.bytes()
		case partDeletion:
			p.key, p.deleted = string(r.bytes()), true
		default:
			return nil, errRecord
		}
		parts = append(parts, p)
	}
	if r.broken || len(r.rest) != 0 {
		return nil, errRecord
	}
	return parts, nil
}

// reader takes a record apart. Once it is broken it gives zeros.
type reader struct {
	rest   []byte
	broken bool
}

func (r *reader) kind() byte {
	if len(r.rest) == 0 {
		r.broken = true
		return 0
	}
	k := r.rest[0]
	r.rest = r.rest[1:]
	return k
}

func (r *reader) number() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.broken, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) bytes() []byte {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.broken, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}
