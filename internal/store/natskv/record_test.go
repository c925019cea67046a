package natskv

import (
	"bytes"
	"reflect"
	"testing"

	"cleat/internal/store"
)

func TestRecord(t *testing.T) {
	parts := []part{
		{key: "a/b", value: []byte("value")},
		{key: "c", value: []byte{}, revision: 7},
		{key: "d", deleted: true},
	}
	got, err := decode(encode(parts), 42)
	if err != nil {
		t.Fatal(err)
	}
	parts[0].revision = 42
	if !reflect.DeepEqual(got, parts) {
		t.Errorf("got %+v, want %+v", got, parts)
	}
	record := encode(parts)
	for i := range record {
		if _, err := decode(record[:i], 1); err == nil {
			t.Errorf("the first %d of %d bytes are a record", i, len(record))
		}
	}
	if _, err := decode(append(record, 0), 1); err == nil {
		t.Error("a byte too many is no fault")
	}
}

// FuzzDecode holds decode to what encode writes: what it accepts, encode would write, and nothing makes it panic.
func FuzzDecode(f *testing.F) {
	f.Add(encode(nil))
	f.Add(encode([]part{{key: "a", value: []byte("1")}, {key: "b", deleted: true}}))
	f.Add([]byte{recordVersion, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F})
	f.Fuzz(func(t *testing.T, message []byte) {
		parts, err := decode(message, 9)
		if err != nil {
			return
		}
		again, err := decode(encode(parts), 9)
		if err != nil || len(again) != len(parts) {
			t.Fatalf("%d parts became %d, %v", len(parts), len(again), err)
		}
		for i := range parts {
			a, b := &parts[i], &again[i]
			if a.key != b.key || !bytes.Equal(a.value, b.value) || a.revision != b.revision || a.deleted != b.deleted {
				t.Errorf("%+v became %+v", a, b)
			}
			if !a.deleted && a.revision == store.Revision(0) {
				t.Error("an entry without a revision")
			}
		}
	})
}
