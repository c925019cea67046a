package main

import (
	"io"
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
	_, err := (&connectionsCommand{Endpoint: endpoint.URL}).request(p, http.MethodPost, "/@connections/x", nil, []byte("hello"))
	if err == nil || !strings.HasPrefix(err.Error(), "307 ") {
		t.Errorf("got %v", err)
	}
}

// Following events needs a signature where the management API does.
func TestTailSigns(t *testing.T) {
	const event = `{"operation":"connect"}`
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/execute-api/") || r.URL.Path != "/_cleat/events" {
			w.Header().Set("X-Amzn-Errortype", "MissingAuthenticationTokenException")
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = io.WriteString(w, event+"\n")
	}))
	defer endpoint.Close()
	var out strings.Builder
	p := &process{ctx: t.Context(), env: []string{"AWS_ACCESS_KEY_ID=AKIAX", "AWS_SECRET_ACCESS_KEY=s"}, stdout: &out}
	c := &connectionsCommand{Endpoint: endpoint.URL + "/dev", Region: "eu-west-1"}
	if err := new(connectionsTail).Run(p, c); err != nil || out.String() != event+"\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
	p.env = nil
	if err := new(connectionsTail).Run(p, c); err == nil || !strings.HasPrefix(err.Error(), "403 MissingAuthenticationTokenException") {
		t.Errorf("without credentials: got %v", err)
	}
}
