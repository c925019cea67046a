package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A management endpoint redirects nobody: a signed request, with its session token, goes nowhere else, and what nobody did is
// no success.
func TestRequestFollowsNoRedirect(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s came here, with the token %q", r.Method, r.URL, r.Header.Get("X-Amz-Security-Token"))
	}))
	defer elsewhere.Close()
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("X-Amzn-Errortype", "MissingAuthenticationTokenException")
			w.WriteHeader(http.StatusForbidden)
			return
		}
		http.Redirect(w, r, elsewhere.URL+"/x", http.StatusTemporaryRedirect)
	}))
	defer endpoint.Close()
	p := &process{ctx: t.Context(), env: []string{"AWS_ACCESS_KEY_ID=ASIAX", "AWS_SECRET_ACCESS_KEY=s", "AWS_SESSION_TOKEN=t"}}
	_, err := (&connectionsCommand{Endpoint: endpoint.URL}).request(p, http.MethodPost, "/@connections/x", []byte("hello"))
	if err == nil || !strings.HasPrefix(err.Error(), "307 ") {
		t.Errorf("got %v", err)
	}
}
