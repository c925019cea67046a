package listen_test

import (
	"net/url"
	"testing"

	"cleat/internal/listen"
)

// FuzzEscapedPath holds the cheap readings of a path to those of net/url, whatever a URL and a path hold.
func FuzzEscapedPath(f *testing.F) {
	for _, seed := range [][2]string{
		{"/dev/@connections/Ab-C_d%3D", "/dev/@connections/Ab-C_d="},
		{"/a%2fb", "/a/b"},
		{"/a%2Fb", "/a%2Fb"},
		{"", "/"},
		{"%zz", "%zz"},
		{"/%", "/"},
		{"/%3", "/3"},
		{"/a?b%20", "/a?b "},
		{"*", "*"},
		{"/ä", "/ä"},
		{"%3D", "="},
		{"/a b%20", "/a b "},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, raw, path string) {
		u := url.URL{Path: path, RawPath: raw}
		if got, want := listen.EscapedPath(&u), u.EscapedPath(); got != want {
			t.Errorf("EscapedPath of %#v: got %q, want %q", u, got, want)
		}
		got, err := listen.Unescape(raw, path)
		want, wantErr := url.PathUnescape(raw)
		if got != want || (err == nil) != (wantErr == nil) {
			t.Errorf("Unescape(%q, %q): got %q, %v, want %q, %v", raw, path, got, err, want, wantErr)
		}
	})
}

// The path of a push costs nothing: what it is escaped and unescaped is known.
func TestEscapedPathDoesNotAllocate(t *testing.T) {
	u, err := url.ParseRequestURI("/dev/@connections/RVbAtZQHlO0CHvA%3D")
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if listen.EscapedPath(u) != "/dev/@connections/RVbAtZQHlO0CHvA%3D" {
			t.Fatal("another path")
		}
		if id, err := listen.Unescape("RVbAtZQHlO0CHvA%3D", u.Path); err != nil || id != "RVbAtZQHlO0CHvA=" {
			t.Fatal(id, err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
