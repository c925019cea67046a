package input_test

import (
	"strings"
	"testing"
	"time"

	"cleat/internal/input"
)

func TestUnits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"5": 5, "32KB": 32 << 10, "1 MiB": 1 << 20, "2g": 2 << 30, "0": 0, "": -1, "1.5MB": -1, "-1": -1, "9999999999999": -1} {
		if n, ok := input.ParseSize(text); ok != (want >= 0) || ok && n != want {
			t.Errorf("size %q: got %d, %v, want %d", text, n, ok, want)
		}
	}
	for text, want := range map[string]time.Duration{"30s": 30 * time.Second, "2": 2 * time.Second, "0.5": 500 * time.Millisecond, "never": 0, "1h30m": 90 * time.Minute, "-1s": -1, "x": -1, "NaN": -1, "1e300": -1} {
		if d, ok := input.ParseDuration(text); ok != (want >= 0) || ok && d != want {
			t.Errorf("duration %q: got %v, %v, want %v", text, d, ok, want)
		}
	}
}

func TestNearestWord(t *testing.T) {
	t.Parallel()
	known := []string{"$connect", "$disconnect", "$default", "handler", "environment"}
	for word, want := range map[string]string{
		"$conect": "$connect", "$Connect": "$connect", "$disconect": "$disconnect", "handlre": "handler", "envirment": "environment",
		"xyz": "", "": "", "handlers": "handler", strings.Repeat("x", 1000): "",
	} {
		if got := input.Nearest(word, known); got != want {
			t.Errorf("nearest to %.20q: got %q, want %q", word, got, want)
		}
	}
}
