package percent_test

import (
	"fmt"
	"net/url"
	"testing"

	"cleat/internal/percent"
)

// All that may stand behind a "%", against package url.
func TestByte(t *testing.T) {
	for high := range 256 {
		for low := range 256 {
			s := string([]byte{'x', '%', byte(high), byte(low), 'x'})
			want, err := url.PathUnescape(s)
			got, ok := percent.Byte(s, 1)
			if ok != (err == nil) || ok && string([]byte{'x', got, 'x'}) != want {
				t.Fatalf("%q: got %q, %v, want %q, %v", s, got, ok, want, err)
			}
		}
	}
}

func TestByteWhereNoEscapeBegins(t *testing.T) {
	for _, s := range []string{"%", "%4", "41%", "4%1"} {
		if c, ok := percent.Byte(s, 0); ok {
			t.Errorf("%q: got %s", s, fmt.Sprintf("%q", c))
		}
	}
}
