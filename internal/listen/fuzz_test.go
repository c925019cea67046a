package listen_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"cleat/internal/listen"
)

// FuzzGuard sends requests as browsers might, of any page: what gets through must be of this machine's own origin or of
// none, under a name that no page of another origin can have.
func FuzzGuard(f *testing.F) {
	f.Add("localhost:3001", "", "")
	f.Add("127.0.0.1:3001", "http://127.0.0.1:3001", "same-origin")
	f.Add("evil.example", "http://evil.example", "cross-site")
	f.Add("[::1]", "http://[::1]:80", "")
	f.Add("a.localhost", "null", "")
	f.Add("app.example", "https://app.example/", "")
	f.Add("localhost", "http://localhost@evil.example", "none")
	f.Fuzz(func(t *testing.T, host, origin, site string) {
		let := false
		h := listen.Guard{Hosts: []string{"app.example"}, Origins: []string{"http://allowed.example"}}.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { let = true }))
		r := httptest.NewRequest(http.MethodPost, "/dev/@connections/x", nil)
		r.Host = host
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		r.Header.Set("Sec-Fetch-Site", site)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if !let {
			if w.Code != http.StatusForbidden {
				t.Fatalf("refused with %d", w.Code)
			}
			return
		}
		name := listen.HostName(host)
		_, err := netip.ParseAddr(strings.Trim(name, "[]"))
		if err != nil && name != "localhost" && !strings.HasSuffix(name, ".localhost") && name != "app.example" && !listen.IsAWSHost(name) {
			t.Errorf("a request under the name %q got through", host)
		}
		switch u, err := url.Parse(origin); {
		case origin == "" && site == "cross-site":
			t.Error("a request of a foreign page got through")
		case origin == "" || strings.EqualFold(origin, "http://allowed.example"):
		case err != nil || u.Scheme != "http" || !strings.EqualFold(strings.TrimSuffix(u.Host, ":80"), strings.TrimSuffix(host, ":80")):
			t.Errorf("a request of the origin %q to %q got through", origin, host)
		}
	})
}

// FuzzConnect asks for tunnels to anywhere: what is dialled must be a host and a port.
func FuzzConnect(f *testing.F) {
	for _, target := range []string{"example.com:443", "[::1]:80", "a1.execute-api.eu-west-1.amazonaws.com:443", ":443", "a:b:c", "host:", "http://a:1", "a b:1", "user@host:1"} {
		f.Add(target)
	}
	f.Fuzz(func(t *testing.T, target string) {
		dialled := ""
		p := listen.NewProxy(listen.ProxyOptions{
			Log: slog.New(slog.DiscardHandler), Inject: func(net.Conn) {},
			Dial: func(_ context.Context, _, address string) (net.Conn, error) {
				dialled = address
				return nil, errors.New("nobody is there")
			},
		})
		r := httptest.NewRequest(http.MethodConnect, "/", nil)
		r.Host, r.RemoteAddr = target, "127.0.0.1:9"
		w := httptest.NewRecorder()
		p.Wrap(http.NotFoundHandler()).ServeHTTP(w, r)
		if !slices.Contains([]int{400, 500, 502, 504}, w.Code) { // 500: a recorder cannot be hijacked
			t.Fatalf("%q: status %d", target, w.Code)
		}
		if dialled == "" {
			return
		}
		if host, port, err := net.SplitHostPort(dialled); err != nil || host == "" || port == "" || dialled != target {
			t.Errorf("%q: dialled %q", target, dialled)
		}
	})
}
