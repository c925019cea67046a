package vtl_test

import (
	"testing"

	"cleat/internal/vtl"
)

// BenchmarkReferences: the template of bench's scenario (d), whose cost bench/report allows for.
func BenchmarkReferences(b *testing.B) {
	template, err := vtl.Parse(`{"from":"$context.connectionId","route":"$context.routeKey","at":$context.requestTimeEpoch}`)
	if err != nil {
		b.Fatal(err)
	}
	in, out := testInput(""), make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		if out, err = template.Render(out[:0], in); err != nil {
			b.Fatal(err)
		}
	}
}
