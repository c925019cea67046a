package store_test

import (
	"bytes"
	"fmt"
	"testing"

	"cleat/internal/store"
)

// Values of all sizes come back as they were, and nobody who appends to one writes into another.
func TestTableValues(t *testing.T) {
	var table store.Table
	var entries []store.Entry
	for i, size := range []int{0, 1, 300, 4095, 1, 4096, 0, 4097, 20_000, 4000, 96, 97, 300} {
		entries = append(entries, store.Entry{Key: fmt.Sprintf("key%d", i), Value: bytes.Repeat([]byte{byte('a' + i)}, size), Revision: 7})
	}
	table.Apply(7, entries, nil)
	for range 2 {
		for _, want := range entries {
			got, err := table.Get(t.Context(), want.Key)
			if err != nil || !bytes.Equal(got.Value, want.Value) || got.Key != want.Key || got.Revision != 7 {
				t.Errorf("%s: got %s of revision %d with %d bytes, want %d, %v", want.Key, got.Key, got.Revision, len(got.Value), len(want.Value), err)
			}
			_ = append(got.Value, "overwritten"...)
		}
	}
	clear(entries[2].Value)
	if got, ok := table.Lookup("key2"); !ok || got.Value[0] != 'c' {
		t.Error("the table has the caller's memory")
	}
}

// Many small entries share memory: a collector that looks at each would take the processor from calls.
func TestTableAllocates(t *testing.T) {
	const n = 1000
	entries := make([]store.Entry, n)
	for i := range entries {
		entries[i] = store.Entry{Key: fmt.Sprintf("apis/a1b2c3d4e5/routes/r%06d", i), Value: make([]byte, 150), Revision: 1}
	}
	allocations := testing.AllocsPerRun(5, func() {
		var table store.Table
		table.Apply(1, entries, nil)
	})
	if allocations > n/2 {
		t.Errorf("%v allocations for %d entries, at most %d", allocations, n, n/2)
	}
}
