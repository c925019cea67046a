package expr_test

import (
	"strings"
	"testing"

	"cleat/internal/expr"
)

func BenchmarkAction(b *testing.B) {
	pad := func(n int) []byte {
		head, tail := `{"id":12345,"action":"sendMessage","data":"`, `"}`
		return []byte(head + strings.Repeat("x", n-len(head)-len(tail)) + tail)
	}
	e, err := expr.Parse(expr.Route, "$request.body.action")
	if err != nil {
		b.Fatal(err)
	}
	for name, body := range map[string][]byte{"128B": pad(128), "4KB": pad(4096)} {
		b.Run(name, func(b *testing.B) {
			var buf [128]byte
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				e.AppendBody(buf[:0], body)
			}
		})
	}
}
