package listen_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/listen"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	g := listen.Guard{
		Hosts:     []string{"host.docker.internal", "*.apps.example.test"},
		Origins:   []string{"http://localhost:5173"},
		Directory: func() listen.Directory { return one("dev") },
	}
	ws := http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}}
	with := func(h http.Header, name, value string) http.Header {
		h = h.Clone()
		if h == nil {
			h = http.Header{}
		}
		h.Set(name, value)
		return h
	}
	cases := map[string]struct {
		method, host, path string
		header             http.Header
		tls                bool
		want               bool
	}{
		"function by address":        {method: "POST", host: "127.0.0.1:3001", path: "/dev/@connections/x", want: true},
		"other address":              {method: "POST", host: "192.168.1.7:3001", path: "/dev/@connections/x", want: true},
		"IPv6":                       {method: "GET", host: "[::1]:3001", path: "/_cleat/", want: true},
		"localhost":                  {method: "GET", host: "LOCALHOST:3001", path: "/_cleat/", want: true},
		"below localhost":            {method: "GET", host: "api.localhost:3001", path: "/_cleat/", want: true},
		"Amazon's name":              {method: "POST", host: awsHost, path: "/dev/@connections/x", want: true},
		"Amazon's name, China":       {method: "POST", host: awsHost + ".cn", path: "/dev/@connections/x", want: true},
		"configured name":            {method: "GET", host: "host.docker.internal:3001", path: "/_cleat/", want: true},
		"configured pattern":         {method: "GET", host: "a.apps.example.test", path: "/_cleat/", want: true},
		"pattern's own domain":       {method: "GET", host: "apps.example.test", path: "/_cleat/"},
		"rebound name":               {method: "POST", host: "evil.test:3001", path: "/dev/@connections/x"},
		"rebound AWS form":           {method: "POST", host: "a1b2c3d4e5.execute-api.eu.evil.test:3001", path: "/dev/@connections/x"},
		"rebound Amazon lookalike":   {method: "POST", host: "a1b2c3d4e5.execute-api.eu.notamazonaws.com", path: "/dev/@connections/x"},
		"rebound localhost-alike":    {method: "GET", host: "localhost.evil.test", path: "/_cleat/"},
		"no host":                    {method: "GET", host: "", path: "/_cleat/"},
		"own page":                   {method: "POST", host: "localhost:3001", path: "/_cleat/", header: http.Header{"Origin": {"http://localhost:3001"}}, want: true},
		"own page over TLS":          {method: "POST", host: "localhost:3001", path: "/_cleat/", header: http.Header{"Origin": {"https://localhost:3001"}}, tls: true, want: true},
		"own page, other scheme":     {method: "POST", host: "localhost:3001", path: "/_cleat/", header: http.Header{"Origin": {"https://localhost:3001"}}},
		"own page, default port":     {method: "POST", host: "localhost", path: "/_cleat/", header: http.Header{"Origin": {"http://localhost"}}, want: true},
		"own page, spelled out port": {method: "POST", host: "localhost:80", path: "/_cleat/", header: http.Header{"Origin": {"http://localhost"}}, want: true},
		"configured origin":          {method: "POST", host: "localhost:3001", path: "/_cleat/", header: http.Header{"Origin": {"http://localhost:5173"}}, want: true},
		"page of another port":       {method: "POST", host: "localhost:3001", path: "/_cleat/", header: http.Header{"Origin": {"http://localhost:8080"}}},
		"foreign page":               {method: "POST", host: "localhost:3001", path: "/dev/@connections/x", header: http.Header{"Origin": {"https://evil.test"}}},
		"sandboxed page":             {method: "POST", host: "localhost:3001", path: "/dev/@connections/x", header: http.Header{"Origin": {"null"}}},
		"image of a foreign page":    {method: "GET", host: "localhost:3001", path: "/_cleat/", header: http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"no-cors"}}},
		"link on a foreign page":     {method: "GET", host: "localhost:3001", path: "/_cleat/", header: http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}}, want: true},

		// A handshake's Origin is the app's business.
		"handshake":                     {method: "GET", host: "localhost:3001", path: "/dev", header: ws, want: true},
		"handshake, foreign page":       {method: "GET", host: "localhost:3001", path: "/dev", header: with(ws, "Origin", "https://app.test"), want: true},
		"handshake, any name":           {method: "GET", host: "chat.example.test", path: "/a1b2c3d4e5/dev", header: with(ws, "Origin", "https://app.test"), want: true},
		"handshake, any name, no stage": {method: "GET", host: "chat.example.test", path: "/prod", header: ws},
		"handshake, AWS form":           {method: "GET", host: "a1b2c3d4e5.execute-api.eu.example.test", path: "/dev", header: ws, want: true},
		"handshake to push":             {method: "GET", host: "evil.test", path: "/dev/@connections/x", header: ws},
		"POST dressed as handshake":     {method: "POST", host: "localhost:3001", path: "/dev", header: with(ws, "Origin", "https://evil.test")},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(c.method, "http://x.test"+c.path, http.NoBody)
			r.Host = c.host
			r.Header = c.header
			if r.Header == nil {
				r.Header = http.Header{}
			}
			if c.tls {
				r.TLS = &tls.ConnectionState{}
			}
			w := httptest.NewRecorder()
			g.Wrap(text("passed")).ServeHTTP(w, r)
			if passed := w.Body.String() == "passed"; passed != c.want {
				t.Fatalf("passed: %v, want %v; answer %d %s", passed, c.want, w.Code, w.Body)
			}
			if !c.want && (w.Code != http.StatusForbidden || w.Header().Get("Content-Type") != "application/json" || !strings.Contains(w.Body.String(), `{"message":"`)) {
				t.Errorf("answer %d %v %s", w.Code, w.Header(), w.Body)
			}
		})
	}
}

// A custom domain name is one of the node's own; pages of other origins are kept out of its management API all the same.
func TestGuardCustomDomains(t *testing.T) {
	t.Parallel()
	g := listen.Guard{Directory: func() listen.Directory {
		return mapped{node: one("dev"), domains: map[string][]apigw.APIMapping{"ws.example.test": {{APIID: "a1b2c3d4e5", Stage: "dev"}}}}
	}}
	for name, c := range map[string]struct {
		method, host, path, origin string
		handshake, want            bool
	}{
		"push by a program":      {method: "POST", host: "ws.example.test", path: "/@connections/x", want: true},
		"push, port and case":    {method: "POST", host: "WS.example.test:3001", path: "/@connections/x", want: true},
		"push, own page":         {method: "POST", host: "ws.example.test:3001", path: "/@connections/x", origin: "http://ws.example.test:3001", want: true},
		"push, foreign page":     {method: "POST", host: "ws.example.test", path: "/@connections/x", origin: "https://evil.test"},
		"push, page of a parent": {method: "POST", host: "ws.example.test", path: "/@connections/x", origin: "https://example.test"},
		"push, rebound name":     {method: "POST", host: "evil.test", path: "/@connections/x", origin: "http://evil.test"},
		"push, below the name":   {method: "POST", host: "a.ws.example.test", path: "/@connections/x"},
		"events, foreign page":   {method: "GET", host: "ws.example.test", path: "/_cleat/events", origin: "https://evil.test"},
		"handshake, any page":    {method: "GET", host: "ws.example.test", path: "/", origin: "https://app.test", handshake: true, want: true},
		"handshake to nothing":   {method: "GET", host: "evil.test", path: "/no", origin: "https://app.test", handshake: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(c.method, "http://x.test"+c.path, http.NoBody)
			r.Host = c.host
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			if c.handshake {
				r.Header.Set("Upgrade", "websocket")
				r.Header.Set("Connection", "Upgrade")
			}
			w := httptest.NewRecorder()
			g.Wrap(text("passed")).ServeHTTP(w, r)
			if passed := w.Body.String() == "passed"; passed != c.want {
				t.Errorf("passed: %v, want %v; answer %d %s", passed, c.want, w.Code, w.Body)
			}
		})
	}
}

func TestGuardDefaults(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{"localhost": true, "chat.example.test": false} {
		r := httptest.NewRequest(http.MethodGet, "http://x.test/dev", http.NoBody)
		r.Host = host
		r.Header = http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Origin": {"https://app.test"}}
		w := httptest.NewRecorder()
		listen.Guard{}.Wrap(text("passed")).ServeHTTP(w, r)
		if passed := w.Code == http.StatusOK; passed != want {
			t.Errorf("handshake under %s without a directory passed: %v, want %v", host, passed, want)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "http://anything.test/", http.NoBody)
	w := httptest.NewRecorder()
	listen.Guard{Hosts: []string{"*"}}.Wrap(text("passed")).ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Errorf(`with Hosts "*": %d`, w.Code)
	}
}

func TestHostPredicates(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		awsHost: true, awsHost + ":443": true, strings.ToUpper(awsHost): true, awsHost + ".cn": true, awsHost + ".": true,
		"execute-api.eu-west-1.amazonaws.com": false, awsHost + ".evil.test": false, "a.execute-api.amazonaws.com": true, "a.execute-api.localhost": false, "": false,
	} {
		if got := listen.IsAWSHost(host); got != want {
			t.Errorf("IsAWSHost(%q) = %v, want %v", host, got, want)
		}
	}
}
