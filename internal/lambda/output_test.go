package lambda_test

import (
	"strings"
	"testing"

	"cleat/internal/lambda"
)

func TestCutLines(t *testing.T) {
	t.Parallel()
	const limit = 32 << 10
	long := strings.Repeat("x", limit-10)
	tests := map[string]struct {
		pieces []string
		want   []string
	}{
		"lines":           {[]string{"a\nb\r\n\nc"}, []string{"a", "b", "", "c"}},
		"over pieces":     {[]string{"a", "b\nc", "\n"}, []string{"ab", "c"}},
		"mark":            {[]string{"a\n\x00id\nb\n"}, []string{"a", "b"}},
		"mark in a line":  {[]string{"a\x00id\nb\n"}, []string{"a", "b"}},
		"mark of a start": {[]string{"\x00init\n"}, nil},
		"foreign mark":    {[]string{"a\x00other\n"}, []string{"a\x00other"}},
		"invalid text":    {[]string{"a\xffb\n"}, []string{"a\uFFFDb"}},
		"long":            {[]string{long, strings.Repeat("ü", 10), "\n"}, []string{long + "üüüüü", "üüüüü"}},
		"long, odd":       {[]string{long + "y" + strings.Repeat("ü", 10)}, []string{long + "yüüüü", "üüüüüü"}},
		"long, mark":      {[]string{long + "yyyyyyyy\x00id", "\nb\n"}, []string{long + "yyyyyyyy", "b"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var pieces [][]byte
			for _, s := range tt.pieces {
				pieces = append(pieces, []byte(s))
			}
			var got []string
			for _, l := range lambda.CutLines("id", pieces...) {
				got = append(got, l.Text)
			}
			if strings.Join(got, "\n") != strings.Join(tt.want, "\n") || len(got) != len(tt.want) {
				t.Errorf("lines = %.200q, want %.200q", got, tt.want)
			}
		})
	}
}
