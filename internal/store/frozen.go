package store

import (
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
	decoded weak.Pointer[apigw.Definition] // for those who ask one after the other, until the collector comes
}

// Freeze is the definition of a deployment that no store has.
func Freeze(d *apigw.Definition) *Frozen { return &Frozen{made: d} }

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
