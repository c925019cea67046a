package listen_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cleat/internal/listen"
	"cleat/internal/testkit"
)

// startProxy runs a server whose front is a proxy, the way a development node has it.
func startProxy(t *testing.T, o listen.ProxyOptions) (s server, clientSide *tls.Config) {
	t.Helper()
	serverSide, clientSide := pair(t)
	o.Log = slog.New(slog.DiscardHandler)
	var inner *listen.Server
	o.Inject = func(c net.Conn) { inner.Inject(c) }
	ready := make(chan struct{})
	p := listen.NewProxy(o).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "node %s %s", r.Host, r.URL.Path)
	}))
	s = start(t, listen.Options{TLS: serverSide, Plain: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-ready
		p.ServeHTTP(w, r)
	})})
	inner = s.Server
	close(ready)
	return s, clientSide
}

// through is a client whose HTTPS requests go by a proxy.
func through(t *testing.T, s server, clientSide *tls.Config) *http.Client {
	t.Helper()
	cfg := clientSide.Clone()
	cfg.ServerName = ""
	tr := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: s.Addr().String()}), TLSClientConfig: cfg}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: wait}
}

func get(t *testing.T, c *http.Client, u string) (string, error) {
	t.Helper()
	res, err := c.Get(u)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return string(b), err
}

func TestProxyEndsAWSNamesHere(t *testing.T) {
	t.Parallel()
	s, clientSide := startProxy(t, listen.ProxyOptions{Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("nothing may be dialled")
	}})
	c := through(t, s, clientSide)
	for range 2 { // the tunnel stays open for a second request
		if got, err := get(t, c, "https://"+awsHost+"/dev/@connections/x"); err != nil || got != "node "+awsHost+" /dev/@connections/x" {
			t.Fatalf("answer %q, %v", got, err)
		}
	}
	// Another port of such a name is not ours.
	if _, err := get(t, c, "https://"+awsHost+":8443/dev"); err == nil || !strings.Contains(err.Error(), "Bad Gateway") {
		t.Errorf("port 8443: %v", err)
	}
	if _, err := get(t, c, "https://dynamodb.eu-west-1.amazonaws.com/"); err == nil {
		t.Error("another name was answered")
	}
}

// elsewhere is an HTTPS server that is not the node, and a client configuration that trusts it.
func elsewhere(t *testing.T) (address string, clientSide *tls.Config) {
	t.Helper()
	serverSide, clientSide := pair(t)
	s := start(t, listen.Options{TLS: serverSide, Handler: text("elsewhere")})
	_, port, err := net.SplitHostPort(s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return "localhost:" + port, clientSide
}

func TestProxyTunnelsTheRest(t *testing.T) {
	t.Parallel()
	address, trust := elsewhere(t)
	s, _ := startProxy(t, listen.ProxyOptions{})
	if got, err := get(t, through(t, s, trust), "https://"+address+"/"); err != nil || got != "elsewhere" {
		t.Errorf("answer %q, %v", got, err)
	}
}

func TestProxyGoesByTheUsersOwn(t *testing.T) {
	t.Parallel()
	address, trust := elsewhere(t)
	asked := make(chan *http.Request, 8)
	upstreamProxy, _ := startProxy(t, listen.ProxyOptions{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Clone(r.Context())
		if r.Host == "refused.example.test:443" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		listen.NewProxy(listen.ProxyOptions{Log: slog.New(slog.DiscardHandler), Inject: upstreamProxy.Inject}).Wrap(text("")).ServeHTTP(w, r)
	}))
	defer upstream.Close()
	s, _ := startProxy(t, listen.ProxyOptions{Upstream: func(target *url.URL) (*url.URL, error) {
		switch target.Host {
		case "broken.example.test:443":
			return nil, errors.New("no choice")
		case "socks.example.test:443":
			return url.Parse("socks5://localhost")
		case "gone.example.test:443":
			return url.Parse("http://user:secret@127.0.0.1:1")
		}
		u, err := url.Parse(upstream.URL)
		if err == nil {
			u.User = url.UserPassword("user", "pass:word")
		}
		return u, err
	}})
	c := through(t, s, trust)
	if got, err := get(t, c, "https://"+address+"/"); err != nil || got != "elsewhere" {
		t.Fatalf("answer %q, %v", got, err)
	}
	r := <-asked
	if r.Method != http.MethodConnect || r.Host != address || r.Header.Get("Proxy-Authorization") != "Basic dXNlcjpwYXNzOndvcmQ=" {
		t.Errorf("the upstream proxy was asked %s %s %v", r.Method, r.Host, r.Header)
	}
	for host, want := range map[string]string{
		"refused.example.test": "403 Forbidden", "broken.example.test": "no choice", "socks.example.test": "not supported", "gone.example.test": "http://user:xxxxx@127.0.0.1:1",
	} {
		conn := s.dial(t)
		write(t, conn, "CONNECT "+host+":443 HTTP/1.1\r\nHost: "+host+":443\r\n\r\n")
		res, body := answerOn(t, conn)
		if res.StatusCode != http.StatusBadGateway || !strings.Contains(body, want) || strings.Contains(body, "secret") {
			t.Errorf("%s: %s %q, want it to say %q", host, res.Status, body, want)
		}
	}
}

func TestProxyRefusals(t *testing.T) {
	t.Parallel()
	s, _ := startProxy(t, listen.ProxyOptions{DialTimeout: 20 * time.Millisecond, Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
		if strings.HasPrefix(address, "slow") {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return nil, errors.New("refused")
	}})
	for name, c := range map[string]struct {
		raw  string
		want int
	}{
		"no port":       {"CONNECT a.test HTTP/1.1\r\nHost: a.test\r\n\r\n", http.StatusBadRequest},
		"no host":       {"CONNECT :443 HTTP/1.1\r\nHost: a.test\r\n\r\n", http.StatusBadRequest},
		"unreachable":   {"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n", http.StatusBadGateway},
		"too slow":      {"CONNECT slow.test:443 HTTP/1.1\r\nHost: slow.test:443\r\n\r\n", http.StatusGatewayTimeout},
		"absolute form": {"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", http.StatusMethodNotAllowed},
		"origin form":   {"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", http.StatusOK},
		// The inside of a tunnel must begin with nothing read.
		"too early": {"CONNECT " + awsHost + ":443 HTTP/1.1\r\nHost: " + awsHost + ":443\r\n\r\n\x16\x03\x01", http.StatusBadRequest},
	} {
		conn := s.dial(t)
		write(t, conn, c.raw)
		if res, body := answerOn(t, conn); res.StatusCode != c.want {
			t.Errorf("%s: %s %q, want %d", name, res.Status, body, c.want)
		}
	}
	r := httptest.NewRequest(http.MethodConnect, "http://a.test:443", http.NoBody)
	r.RemoteAddr = "192.0.2.7:4711"
	w := httptest.NewRecorder()
	listen.NewProxy(listen.ProxyOptions{}).Wrap(text("")).ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("a peer elsewhere: %d, want 403", w.Code)
	}
}

// echoed dials a proxy in front of one target connection and returns the client's and the target's end of the tunnel.
func tunnelled(t *testing.T, o listen.ProxyOptions, early string) (s server, client *bufio.ReadWriter, clientConn, target net.Conn) {
	t.Helper()
	near, far := testkit.TCPPair(t)
	_ = far.SetDeadline(time.Now().Add(wait))
	o.Dial = func(context.Context, string, string) (net.Conn, error) { return near, nil }
	s, _ = startProxy(t, o)
	c := s.dial(t)
	write(t, c, "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"+early)
	r := bufio.NewReader(c)
	res, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("CONNECT: %v, %v", res, err)
	}
	return s, bufio.NewReadWriter(r, bufio.NewWriter(c)), c, far
}

func TestTunnelHalfClose(t *testing.T) {
	t.Parallel()
	_, client, conn, target := tunnelled(t, listen.ProxyOptions{}, "early ")
	write(t, conn, "question")
	half, ok := conn.(*net.TCPConn)
	if !ok {
		t.Fatalf("client is a %T", conn)
	}
	if err := half.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(target); err != nil || string(b) != "early question" {
		t.Fatalf("target read %q, %v", b, err)
	}
	// The other direction is still open, for more than one buffer.
	long := strings.Repeat("answer", 50_000)
	write(t, target, long)
	_ = target.Close()
	if b, err := io.ReadAll(client); err != nil || string(b) != long {
		t.Errorf("client read %d bytes, %v, want %d", len(b), err, len(long))
	}
}

func TestTunnelIdles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const idle = time.Minute
		client, near := net.Pipe()
		far, target := net.Pipe()
		over := make(chan struct{})
		go func() {
			defer close(over)
			listen.RunTunnel(t.Context(), near, far, idle)
		}()
		// One direction alone keeps both open.
		for range 10 {
			write(t, target, ".")
			if _, err := io.ReadFull(client, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(idle * 2 / 3)
		}
		begin := time.Now()
		for name, c := range map[string]net.Conn{"client": client, "target": target} {
			if b, err := io.ReadAll(c); err != nil || len(b) > 0 {
				t.Errorf("%s: read %q, %v", name, b, err)
			}
		}
		<-over
		if took := time.Since(begin); took != idle-idle*2/3 {
			t.Errorf("an idle tunnel ended after another %s", took)
		}
	})
}

func TestTunnelEndsWithTheServer(t *testing.T) {
	t.Parallel()
	s, _, conn, target := tunnelled(t, listen.ProxyOptions{}, "")
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]net.Conn{"client": conn, "target": target} {
		if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the %s's end is still open", name)
		}
	}
}

func TestTunnelsAreBounded(t *testing.T) {
	t.Parallel()
	s, _, _, _ := tunnelled(t, listen.ProxyOptions{MaxTunnels: 1}, "")
	c := s.dial(t)
	write(t, c, "CONNECT b.test:443 HTTP/1.1\r\nHost: b.test:443\r\n\r\n")
	if res, _ := answerOn(t, c); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a second tunnel: %s", res.Status)
	}
}
