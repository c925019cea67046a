package listen_test

import (
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/listen"
)

// What each offer comes to (RFC 6455 §9.1, RFC 7692 §5 and §7).
func TestAgreeDeflate(t *testing.T) {
	t.Parallel()
	const (
		plain   = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
		refused = "400"
	)
	for name, tc := range map[string]struct {
		lines  string // separated by |
		answer string
		window int
	}{
		"nothing offered":     {"", "", 0},
		"plain":               {"permessage-deflate", plain, 15},
		"as browsers do":      {"permessage-deflate; client_max_window_bits", plain, 15},
		"all parameters":      {"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=9", plain + "; server_max_window_bits=10", 10},
		"smallest window":     {"permessage-deflate;server_max_window_bits=8", plain + "; server_max_window_bits=8", 8},
		"largest window":      {"permessage-deflate; server_max_window_bits=15", plain + "; server_max_window_bits=15", 15},
		"quoted value":        {`permessage-deflate; server_max_window_bits="12"`, plain + "; server_max_window_bits=12", 12},
		"quoted pair":         {`permessage-deflate; server_max_window_bits="1\2"`, plain + "; server_max_window_bits=12", 12},
		"blanks":              {" permessage-deflate \t;  server_max_window_bits = 9 ", plain + "; server_max_window_bits=9", 9},
		"others before":       {"x-webkit-deflate-frame, foo; bar=baz, permessage-deflate", plain, 15},
		"empty elements":      {",, permessage-deflate,, ", plain, 15},
		"several lines":       {"foo|permessage-deflate; client_max_window_bits", plain, 15},
		"fallback":            {"permessage-deflate; server_max_window_bits=16, permessage-deflate; server_max_window_bits=11, permessage-deflate", plain + "; server_max_window_bits=11", 11},
		"fallback over lines": {"permessage-deflate; unknown|permessage-deflate", plain, 15},

		"unknown extension":           {"permessage-bzip2", "", 0},
		"another spelling":            {"Permessage-Deflate", "", 0},
		"unknown parameter":           {"permessage-deflate; level=9", "", 0},
		"twice":                       {"permessage-deflate; client_max_window_bits; client_max_window_bits=10", "", 0},
		"server window without value": {"permessage-deflate; server_max_window_bits", "", 0},
		"server window too small":     {"permessage-deflate; server_max_window_bits=7", "", 0},
		"server window too large":     {"permessage-deflate; server_max_window_bits=16", "", 0},
		"leading zero":                {"permessage-deflate; server_max_window_bits=08", "", 0},
		"sign":                        {"permessage-deflate; server_max_window_bits=+9", "", 0},
		"no number":                   {"permessage-deflate; client_max_window_bits=x", "", 0},
		"client window too small":     {"permessage-deflate; client_max_window_bits=7", "", 0},
		"takeover with value":         {"permessage-deflate; server_no_context_takeover=1", "", 0},
		"client takeover with value":  {"permessage-deflate; client_no_context_takeover=true", "", 0},

		"no list":                    {"permessage-deflate; %%%;", refused, 0},
		"parameter without name":     {"permessage-deflate;", refused, 0},
		"value without name":         {"permessage-deflate; =9", refused, 0},
		"name without value":         {"permessage-deflate; server_max_window_bits=", refused, 0},
		"quotation without end":      {`permessage-deflate; server_max_window_bits="9`, refused, 0},
		"quotation ends in a pair":   {`permessage-deflate; server_max_window_bits="9\`, refused, 0},
		"quoted value is no token":   {`permessage-deflate; server_max_window_bits="9 "`, refused, 0},
		"two words":                  {"permessage-deflate server_max_window_bits=9", refused, 0},
		"rubbish behind a good one":  {"permessage-deflate, (", refused, 0},
		"not ASCII":                  {"permessage-déflate", refused, 0},
		"rubbish after a quotation":  {`permessage-deflate; server_max_window_bits="9"x`, refused, 0},
		"rubbish on the second line": {"permessage-deflate|;", refused, 0},
	} {
		got, err := listen.AgreeDeflate(strings.Split(tc.lines, "|"))
		if tc.answer == refused {
			if apigw.KindOf(err) != apigw.KindBadRequest {
				t.Errorf("%s: got %+v, %v, want a bad request", name, got, err)
			}
			continue
		}
		answer := ""
		for _, f := range got.Fields() {
			answer += f.Value
		}
		if err != nil || answer != tc.answer || got.Window != tc.window {
			t.Errorf("%s: got %q with window %d, %v; want %q with %d", name, answer, got.Window, err, tc.answer, tc.window)
		}
	}
}

// FuzzAgreeDeflate asks of every answer that it can be sent, that it is one a client accepts for what it offered, and
// that the offers after it do not matter.
func FuzzAgreeDeflate(f *testing.F) {
	for _, seed := range []string{
		"permessage-deflate; client_max_window_bits", `a; b="c\"d", permessage-deflate; server_max_window_bits="10"`,
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover", "permessage-deflate; a, permessage-deflate",
		",;=\"\\", "permessage-deflate; server_max_window_bits=8 ; client_max_window_bits=15\t,",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		got, err := listen.AgreeDeflate([]string{line})
		if err != nil {
			if apigw.KindOf(err) != apigw.KindBadRequest || got.Window != 0 {
				t.Fatalf("%+v, %v", got, err)
			}
			return
		}
		answer, err := listen.AppendSwitching(nil, testKey, "", got.Fields()...)
		if err != nil {
			t.Fatalf("the answer cannot be sent: %v", err)
		}
		agreed := strings.Contains(string(answer), "\r\nSec-WebSocket-Extensions: permessage-deflate;")
		switch {
		case agreed != (got.Window != 0), agreed && (got.Window < 8 || got.Window > 15):
			t.Fatalf("window %d, answer %q", got.Window, answer)
		case agreed && !strings.Contains(line, "permessage-deflate"):
			t.Fatal("agreed to what was not offered")
		case agreed && got.Window != 15 && !strings.Contains(line, "server_max_window_bits"):
			t.Fatal("a window that was not asked for")
		}
		if again, err := listen.AgreeDeflate([]string{line, "permessage-deflate; server_max_window_bits=9"}); err != nil || agreed && again.Window != got.Window {
			t.Fatalf("with another offer behind it: %+v, %v", again, err)
		}
	})
}
