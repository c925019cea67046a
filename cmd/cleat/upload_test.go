package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"cleat/internal/codezip"
)

// Code goes up once: what the node has already is asked for by its hash alone.
func TestUpload(t *testing.T) {
	kept := map[string]string{}
	var calls []string
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sha := strings.TrimPrefix(r.URL.Path, "/_cleat/code/")
		calls = append(calls, r.Method+" "+sha)
		switch _, has := kept[sha]; {
		case r.Method == http.MethodPut:
			body, err := io.ReadAll(r.Body)
			if err != nil || r.Header.Get("Content-Type") != "application/zip" {
				t.Errorf("%v, %v", r.Header, err)
			}
			kept[sha] = string(body)
		case !has:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer node.Close()
	var told strings.Builder
	p := &process{ctx: t.Context(), stderr: &told}
	to, err := (&remoteFlags{Endpoint: node.URL}).open(p, "cleat")
	if err != nil {
		t.Fatal(err)
	}
	defer to.client.Close()
	a := &applying{p: p, node: to}
	for range 2 {
		if err := a.upload(&code{codezip.Package{Zip: []byte("zip"), SHA256: "0a", Files: 2}, []string{"One", "Two"}}); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"HEAD 0a", "PUT 0a", "HEAD 0a"}; !slices.Equal(calls, want) || kept["0a"] != "zip" {
		t.Errorf("calls %q, want %q", calls, want)
	}
	if want := "sending the code of One, Two (2 files), 1 KB\n"; told.String() != want {
		t.Errorf("told %q, want %q", told.String(), want)
	}
}
