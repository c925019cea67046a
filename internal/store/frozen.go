package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"weak"

	"cleat/internal/apigw"
)

// Frozen is the definition that a deployment has frozen. What is kept of it is what the store has, compressed; decoded it
// is many times as large, and wanted when its stage changes and never after. It is safe for concurrent use.
type Frozen struct {
	entry Entry
	made  *apigw.Definition // by Freeze; nil: see entry

	mu      sync.Mutex
	json    json.RawMessage                // of made; nil: nobody has asked
	decoded weak.Pointer[apigw.Definition] // for those who ask one after the other, until the collector comes
}

// Freeze is the definition of a deployment that no store has yet. From now on it must not be changed.
func Freeze(d *apigw.Definition) *Frozen { return &Frozen{made: d} }

// GetFrozen returns the definition of a deployment that the store has, to be decoded when it is asked for. It fails with
// ErrNotFound.
func GetFrozen(ctx context.Context, s *Store, key Key[apigw.Definition]) (*Frozen, error) {
	e, err := s.driver.Get(ctx, key.path)
	if err != nil {
		return nil, err
	}
	return &Frozen{entry: e}, nil
}

// JSON is the definition as it is written to the store, which must not be changed. What Freeze was given is encoded once.
func (f *Frozen) JSON() (json.RawMessage, error) {
	if f.made == nil {
		return f.entry.JSON()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.json == nil {
		text, err := json.Marshal(f.made)
		if err != nil {
			return nil, fmt.Errorf("write a definition: %w", err)
		}
		f.json = text
	}
	return f.json, nil
}

// PutFrozen is Put for what a deployment freezes. A View that comes upon what Freeze was given just before the commit has
// it without decoding.
func PutFrozen(b *Batch, key Key[apigw.Definition], f *Frozen, expect Expect) {
	text, err := f.JSON()
	if err != nil {
		b.err = errors.Join(b.err, fmt.Errorf("write %s to the store: %w", key.path, err))
		return
	}
	b.changes = append(b.changes, Change{Key: key.path, Value: text, Expect: expect})
	// For bytes that are no UTF-8 the JSON has another character, so that the definition is not what will be read.
	if f.made != nil && !bytes.Contains(text, []byte(`\ufffd`)) {
		if b.made == nil {
			b.made = map[string]*apigw.Definition{}
		}
		b.made[key.path] = f.made
	}
}

// Definition returns the definition, which must not be changed. It decodes it, unless somebody has or had it until just
// now: who needs some of it for long keeps that, and lets go of the rest.
func (f *Frozen) Definition() (*apigw.Definition, error) {
	if f.made != nil {
		return f.made, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if d := f.decoded.Value(); d != nil {
		return d, nil
	}
	d := new(apigw.Definition)
	if err := decode(f.entry, d); err != nil {
		return nil, err
	}
	f.decoded = weak.Make(d)
	return d, nil
}

// fresh are the definitions that were committed last, as they were before they were encoded: the View that comes upon one
// need not decode it. It is safe for concurrent use.
type fresh struct {
	mu   sync.Mutex
	made [maxFresh]freshDefinition
	next int
}

// maxFresh is how many definitions wait for a View. One has a megabyte or so, and a View that follows the store takes it
// at once.
const maxFresh = 4

type freshDefinition struct {
	key        string
	value      []byte // as it is committed
	definition *apigw.Definition
}

// offer takes a definition before it is committed, for a View may be quicker than the one who commits.
func (f *fresh) offer(d freshDefinition) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.made[f.next] = d
	f.next = (f.next + 1) % maxFresh
}

// take returns the definition that was encoded to the entry's value, and forgets it; it is nil when there is none.
func (f *fresh) take(e Entry) *apigw.Definition {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.made {
		if m := &f.made[i]; m.key == e.Key && bytes.Equal(m.value, e.Value) {
			d := m.definition
			*m = freshDefinition{}
			return d
		}
	}
	return nil
}

// drop forgets what is waiting under a key: it was not committed.
func (f *fresh) drop(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.made {
		if f.made[i].key == key {
			f.made[i] = freshDefinition{}
		}
	}
}
