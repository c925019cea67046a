package server_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"cleat/internal/server"
)

// FuzzStraight holds the short way to a node's data plane to the ServeMux that it goes around: whatever the request, the same
// handler answers, or the same redirection.
func FuzzStraight(f *testing.F) {
	for _, target := range []string{
		"/", "/prod", "/prod/", "/prod/@connections/a%3D", "/_cleat/healthz", "/%5fcleat/healthz", "/_cleat%2Fhealthz", "/_cleat", "/_cleat/", "/_cleat/healthz/",
		"/a//b", "/a/../_cleat/healthz", "/./_cleat/healthz", "/a/..", "/.a", "/%2e%2e/_cleat/healthz", "//_cleat/healthz", "*", "/a?x=//", "/_cleatx",
	} {
		f.Add(http.MethodGet, target, "a.example")
		f.Add(http.MethodPost, target, "a.example:80")
	}
	f.Add(http.MethodConnect, "/a/", "a")
	named := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(name + " " + r.URL.String())) })
	}
	mux := http.NewServeMux()
	mux.Handle("GET /_cleat/healthz", named("health"))
	mux.Handle("GET /_cleat/readyz", named("ready"))
	mux.Handle("/", named("data"))
	short := server.Straight(mux, named("data"))
	f.Fuzz(func(t *testing.T, method, target, host string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		answer := func(h http.Handler) (int, string, string) {
			at := *u
			w := httptest.NewRecorder()
			h.ServeHTTP(w, &http.Request{Method: method, URL: &at, RequestURI: target, Host: host, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}})
			return w.Code, w.Header().Get("Location"), w.Body.String()
		}
		gotCode, gotLocation, got := answer(short)
		wantCode, wantLocation, want := answer(mux)
		if gotCode != wantCode || gotLocation != wantLocation || got != want {
			t.Errorf("%s %q at %q: got %d %q %q, want %d %q %q", method, target, host, gotCode, gotLocation, got, wantCode, wantLocation, want)
		}
	})
}

// What goes around the ServeMux, and what must not.
func TestStraight(t *testing.T) {
	for target, want := range map[string]bool{
		"/": true, "/prod": true, "/prod/@connections/a%3D": true, "/_cleat/healthz": false, "/_cleat": false, "/%5fcleat/healthz": false, "/a/../b": false, "/a//b": false,
	} {
		direct := false
		mux := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		root := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { direct = true })
		server.Straight(mux, root).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, target, nil))
		if direct != want {
			t.Errorf("%s: %v, want %v", target, direct, want)
		}
	}
}
