package glob_test

import (
	"testing"

	"cleat/internal/glob"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"a", "a", true},
		{"a", "ab", false},
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "anything", true},
		{"a-*", "a-b", true},
		{"a-*", "b-a-", false},
		{"*-x", "a-x", true},
		{"*-x", "-x-y", false},
		{"a*b*c", "a1b2c", true},
		{"a*b*c", "abc", true},
		{"a*b*c", "acb", false},
		{"a*a", "a", false},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"?*", "", false},
		{"**", "a", true},
	} {
		if got := glob.Match(tt.pattern, tt.text); got != tt.want {
			t.Errorf("%q matches %q: got %v", tt.pattern, tt.text, got)
		}
	}
}
