//go:build !race

package frame_test

import (
	"testing"

	"cleat/internal/frame"
)

// TestWriterAllocations: a frame is appended to the room that there is, and costs nothing beside.
func TestWriterAllocations(t *testing.T) {
	payload := make([]byte, 100<<10)
	room := make([]byte, 0, len(payload)+64)
	for name, do := range map[string]func(){
		"message":      func() { frame.AppendMessage(room, frame.OpText, payload[:1000], 32<<10) },
		"long message": func() { frame.AppendMessage(room, frame.OpBinary, payload, 32<<10) }, // in several frames
		"ping":         func() { frame.AppendPing(room) },
		"pong":         func() { frame.AppendPong(room, payload[:125]) },
		"close":        func() { frame.AppendClose(room, 1000, "bye") },
	} {
		if n := testing.AllocsPerRun(100, do); n != 0 {
			t.Errorf("%s: %v allocations, want 0", name, n)
		}
	}
}

func BenchmarkWriter(b *testing.B) {
	for name, n := range map[string]int{"128B": 128, "4KB": 4 << 10, "32KB": 32 << 10} {
		b.Run(name, func(b *testing.B) {
			payload, room := make([]byte, n), make([]byte, 0, n+64)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				frame.AppendMessage(room, frame.OpText, payload, 32<<10)
			}
		})
	}
}
