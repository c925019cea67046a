//go:build !race

package http1_test

import (
	"testing"

	"cleat/internal/http1"
)

// pushed is the head of a push as an AWS SDK sends it.
const pushed = "POST /prod/@connections/RVbAtZQHlO0CHvA%3D HTTP/1.1\r\nHost: 127.0.0.1:3001\r\nContent-Length: 1000\r\n" +
	"Content-Type: application/octet-stream\r\nX-Amz-Date: 20260102T030405Z\r\n" +
	"Authorization: AWS4-HMAC-SHA256 Credential=AKIA/20260102/us-east-1/execute-api/aws4_request, SignedHeaders=host;x-amz-date, Signature=0123456789abcdef\r\n\r\n"

// TestParseAllocates: a head costs its lines in one string, of which fields are parts, and what holds the fields.
func TestParseAllocates(t *testing.T) {
	sent := []byte(pushed)
	if n := testing.AllocsPerRun(100, func() {
		if _, _, v := http1.Parse(sent); v != http1.Plain {
			t.Fatal(v)
		}
	}); n > 6 {
		t.Errorf("%v allocations, want 6 at most", n)
	}
}

func BenchmarkParse(b *testing.B) {
	sent := []byte(pushed)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, v := http1.Parse(sent); v != http1.Plain {
			b.Fatal(v)
		}
	}
}
