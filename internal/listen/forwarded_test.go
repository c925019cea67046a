package listen_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"cleat/internal/listen"
)

// proxies are 10.0.0.0/8 and 2001:db8:1::/48.
func proxies() listen.Trust {
	return listen.Trust{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:1::/48")}}
}

// seen is a request as a handler behind Forwarded has it: client, scheme, host, X-Forwarded-For.
func seen(f listen.Forwarded, r *http.Request) string {
	var out string
	f.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		scheme := "http"
		if listen.IsHTTPS(r) {
			scheme = "https"
		}
		client := r.RemoteAddr
		if ap, err := netip.ParseAddrPort(client); err == nil {
			client = ap.Addr().String()
		}
		fields := listen.Fields(r)
		chain, _ := fields.LastFold("X-Forwarded-For")
		host, _ := fields.LastFold("Host")
		out = fmt.Sprintf("%s %s %s [%s]", client, scheme, r.Host, chain)
		if host != r.Host {
			out += " Host: " + host
		}
	})).ServeHTTP(httptest.NewRecorder(), r)
	return out
}

// Who a client is by the word of proxies: the right-most address that is none of theirs, and nothing that it says itself.
func TestForwarded(t *testing.T) {
	t.Parallel()
	xff := []string{"X-Forwarded-For", "X-Forwarded-Proto"}
	withHost := append(slices.Clone(xff), "X-Forwarded-Host")
	standard := []string{"Forwarded"}
	cases := map[string]struct {
		headers []string
		peer    string
		lines   []string
		want    string
	}{
		"one proxy":                  {xff, "10.0.0.1:1", []string{"X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https"}, "203.0.113.7 https a.example []"},
		"the client's own words":     {xff, "10.0.0.1:1", []string{"X-Forwarded-For: 1.1.1.1, 2.2.2.2, 203.0.113.7"}, "203.0.113.7 http a.example [1.1.1.1, 2.2.2.2]"},
		"two proxies":                {xff, "10.0.0.1:1", []string{"X-Forwarded-For: 1.1.1.1, 203.0.113.7, 10.0.0.2"}, "203.0.113.7 http a.example [1.1.1.1]"},
		"two lines":                  {xff, "10.0.0.1:1", []string{"X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 203.0.113.7"}, "203.0.113.7 http a.example [1.1.1.1]"},
		"with a port":                {xff, "10.0.0.1:1", []string{"X-Forwarded-For: 203.0.113.7:4711"}, "203.0.113.7 http a.example []"},
		"IPv6":                       {xff, "[2001:db8:1::1]:1", []string{"X-Forwarded-For: 2001:db8::7"}, "2001:db8::7 http a.example []"},
		"IPv6 in brackets":           {xff, "[2001:db8:1::1]:1", []string{"X-Forwarded-For: [2001:db8::7]:99"}, "2001:db8::7 http a.example []"},
		"IPv4 in IPv6":               {xff, "[::ffff:10.0.0.1]:1", []string{"X-Forwarded-For: ::ffff:203.0.113.7"}, "203.0.113.7 http a.example []"},
		"an untrusted peer":          {xff, "203.0.113.9:1", []string{"X-Forwarded-For: 1.1.1.1", "X-Forwarded-Proto: https"}, "203.0.113.9 http a.example [1.1.1.1]"},
		"rubbish at the end":         {xff, "10.0.0.1:1", []string{"X-Forwarded-For: 1.1.1.1, evil"}, "10.0.0.1 http a.example []"},
		"rubbish behind a proxy":     {xff, "10.0.0.1:1", []string{"X-Forwarded-For: 1.1.1.1, evil, 10.0.0.3"}, "10.0.0.3 http a.example []"},
		"proxies alone":              {xff, "10.0.0.1:1", []string{"X-Forwarded-For: 10.0.0.3, 10.0.0.2"}, "10.0.0.3 http a.example []"},
		"none":                       {xff, "10.0.0.1:1", nil, "10.0.0.1 http a.example []"},
		"wss":                        {xff, "10.0.0.1:1", []string{"X-Forwarded-Proto: http, wss"}, "10.0.0.1 https a.example []"},
		"not asked for: the host":    {xff, "10.0.0.1:1", []string{"X-Forwarded-Host: evil.example"}, "10.0.0.1 http a.example []"},
		"the host":                   {withHost, "10.0.0.1:1", []string{"X-Forwarded-Host: ws.example:8443"}, "10.0.0.1 http ws.example:8443 []"},
		"a host that is none":        {withHost, "10.0.0.1:1", []string{"X-Forwarded-Host: ws.example/x"}, "10.0.0.1 http a.example []"},
		"not asked for: Forwarded":   {xff, "10.0.0.1:1", []string{"Forwarded: for=1.1.1.1;proto=https"}, "10.0.0.1 http a.example []"},
		"Forwarded":                  {standard, "10.0.0.1:1", []string{`Forwarded: for=203.0.113.7;proto=https;host=ws.example`}, "203.0.113.7 https ws.example []"},
		"Forwarded, two proxies":     {standard, "10.0.0.1:1", []string{`Forwarded: for=1.1.1.1;proto=http, For="203.0.113.7:99";Proto=https, for=10.0.0.2;proto=http`}, "203.0.113.7 https a.example []"},
		"Forwarded, IPv6":            {standard, "10.0.0.1:1", []string{`Forwarded: for="[2001:db8::7]:4711"`}, "2001:db8::7 http a.example []"},
		"Forwarded, hidden":          {standard, "10.0.0.1:1", []string{`Forwarded: for=1.1.1.1, for=_secret;proto=https`}, "10.0.0.1 http a.example []"},
		"Forwarded, a quoted comma":  {standard, "10.0.0.1:1", []string{`Forwarded: for="1.1.1.1, for=2.2.2.2";x="\",", for=203.0.113.7`}, "203.0.113.7 http a.example []"},
		"Forwarded, an open quote":   {standard, "10.0.0.1:1", []string{`Forwarded: for="1.1.1.1, for=203.0.113.7`}, "203.0.113.7 http a.example []"},
		"Forwarded, not asked: XFF":  {standard, "10.0.0.1:1", []string{"X-Forwarded-For: 1.1.1.1"}, "10.0.0.1 http a.example [1.1.1.1]"},
		"a Unix socket, not trusted": {xff, "@", []string{"X-Forwarded-For: 203.0.113.7"}, "@ http a.example [203.0.113.7]"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/dev", nil)
			r.Host, r.RemoteAddr = "a.example", c.peer
			for _, line := range c.lines {
				k, v, _ := strings.Cut(line, ": ")
				r.Header.Add(k, v)
			}
			if got := seen(listen.Forwarded{Trust: proxies(), Headers: c.headers}, r); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	t.Run("a Unix socket, trusted", func(t *testing.T) {
		t.Parallel()
		r := httptest.NewRequest(http.MethodGet, "/dev", nil)
		r.Host, r.RemoteAddr = "a.example", "@"
		r.Header.Set("X-Forwarded-For", "203.0.113.7")
		if got := seen(listen.Forwarded{Trust: listen.Trust{Sockets: true}, Headers: xff}, r); got != "203.0.113.7 http a.example []" {
			t.Error(got)
		}
	})
}

// FuzzForwarded has a client write what it likes ahead of what the proxy adds: the client is who the proxy says.
func FuzzForwarded(f *testing.F) {
	f.Add("1.1.1.1", true)
	f.Add("evil, 10.0.0.9", true)
	f.Add(`for="1.1.1.1`, false)
	f.Add(`for=1.1.1.1;proto="ht\"tp"`, false)
	f.Add(`for=10.0.0.4, for="[::1]:80";host="a,b"`, false)
	f.Fuzz(func(t *testing.T, said string, x bool) {
		r := httptest.NewRequest(http.MethodGet, "/dev", nil)
		r.Host, r.RemoteAddr = "a.example", "10.0.0.1:1"
		headers, name, added := []string{"Forwarded"}, "Forwarded", "for=203.0.113.7;proto=https"
		if x {
			headers, name, added = []string{"X-Forwarded-For", "X-Forwarded-Proto"}, "X-Forwarded-For", "203.0.113.7"
		}
		// A proxy either goes on with the client's line or adds one of its own.
		for _, lines := range [][]string{{said + ", " + added}, {said, added}} {
			r.Header[name] = lines
			got := seen(listen.Forwarded{Trust: proxies(), Headers: headers}, r)
			client, _, _ := strings.Cut(got, " ")
			if client != "203.0.113.7" {
				t.Errorf("%q: got %s", lines, got)
			}
		}
	})
}
