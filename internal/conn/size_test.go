package conn_test

import (
	"testing"

	"cleat/internal/conn"
)

// An idle plain connection is a slot and its references and nothing else in this package (bench/peers -only idle). Who adds a field
// adds it for each of very many.
func TestConnectionSize(t *testing.T) {
	if got, want := conn.SlotSize, uintptr(88); got > want {
		t.Errorf("a slot has %d bytes, want %d at most", got, want)
	}
	if got, want := conn.RefsSize, uintptr(40); got > want {
		t.Errorf("its references have %d bytes, want %d at most", got, want)
	}
}
