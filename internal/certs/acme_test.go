package certs_test

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cleat/internal/certs"
)

// authority is a directory that tells of each time it is asked, and gives nothing. What a real one gives: TestACME of
// test/e2e.
func authority(t *testing.T) (url string, asked <-chan struct{}) {
	t.Helper()
	was := make(chan struct{}, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		was <- struct{}{}
		http.Error(w, "not today", http.StatusServiceUnavailable)
	}))
	t.Cleanup(s.Close)
	return s.URL, was
}

func newACME(t *testing.T, allow func(string) bool) (*certs.Keeper, <-chan struct{}) {
	t.Helper()
	url, asked := authority(t)
	a, err := certs.NewACME(certs.ACMEOptions{Log: slog.New(slog.DiscardHandler), Dir: t.TempDir(), Directory: url, Allow: allow, HTTP: "127.0.0.1:80"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return &certs.Keeper{ACME: a}, asked
}

// A client's word alone gets no certificate: the name must be one of the node's. No handshake waits for the authority.
func TestACMEAsked(t *testing.T) {
	k, asked := newACME(t, func(name string) bool { return name == "a1.ws.example" })
	for _, name := range []string{"evil.example", "", "a1.ws.example.evil.example"} {
		if _, err := shake(t, k, &tls.Config{ServerName: name}); err == nil {
			t.Errorf("%q: there was a certificate", name)
		}
	}
	select {
	case <-asked:
		t.Error("the authority was asked for a name that is not allowed")
	case <-time.After(50 * time.Millisecond):
	}
	begun := time.Now()
	if _, err := shake(t, k, &tls.Config{ServerName: "A1.ws.example"}); err == nil {
		t.Error("there was a certificate")
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("the handshake waited for %s", took)
	}
	<-asked
}

// Names that are named are asked for at once, once each.
func TestACMEKeep(t *testing.T) {
	k, asked := newACME(t, func(string) bool { return false })
	for range 2 {
		if err := k.ACME.Keep([]string{"ws.example"}); err != nil {
			t.Fatal(err)
		}
	}
	<-asked
	if err := k.ACME.Keep(nil); err != nil {
		t.Fatal(err)
	}
}

// Who comes to the port of the challenges by mistake is sent to HTTPS, and nowhere else.
func TestACMERedirect(t *testing.T) {
	k, _ := newACME(t, nil)
	for name, c := range map[string]struct {
		method, host, path string
		status             int
		location           string
	}{
		"a page":    {"GET", "ws.example:80", "/dev?x=1", 308, "https://ws.example/dev?x=1"},
		"a post":    {"POST", "ws.example", "/dev", 400, ""},
		"no host":   {"GET", "", "/", 400, ""},
		"bad host":  {"GET", "evil.example/x", "/", 400, ""},
		"challenge": {"GET", "ws.example", "/.well-known/acme-challenge/unknown", 308, "https://ws.example/.well-known/acme-challenge/unknown"},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		r.Host = c.host
		w := httptest.NewRecorder()
		k.ACME.HTTP().ServeHTTP(w, r)
		if w.Code != c.status || w.Header().Get("Location") != c.location {
			t.Errorf("%s: got %d %s", name, w.Code, w.Header().Get("Location"))
		}
	}
}

func TestACMEOptions(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]certs.ACMEOptions{
		"the authorities to trust": {Root: "/nowhere/ca.pem"},
		"no certificate in":        {Root: "acme_test.go"},
		"missing port":             {TLS: "127.0.0.1"},
	} {
		o.Log, o.Dir = slog.New(slog.DiscardHandler), t.TempDir()
		if _, err := certs.NewACME(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
