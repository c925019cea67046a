package listen

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// ProxyOptions set up a Proxy. Log and Inject are required.
type ProxyOptions struct {
	Log *slog.Logger
	// Inject takes over the inside of a tunnel to one of AWS's default endpoints: Server.Inject.
	Inject func(net.Conn)
	// Local tells which targets, "host:port", end in this node: the default endpoints and custom domain names. Nil:
	// IsAWSHost on port 443.
	Local func(target string) bool
	// Upstream returns the proxy that leads to a target given as https://host:port, nil for a direct way. The
	// schemes http and https are known; user and password of the URL are sent as basic authorization. Nil: always
	// direct. It must be safe for concurrent use.
	Upstream func(target *url.URL) (*url.URL, error)
	// Dial opens connections to targets and to upstream proxies. Nil: a plain net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// MaxTunnels bounds the tunnels open at a time; past it the answer is 503. Zero: 512.
	MaxTunnels int
	// DialTimeout bounds the way to a target, an upstream proxy's answer included. Zero: 30 s.
	DialTimeout time.Duration
	// IdleTimeout ends a tunnel on which nothing has moved in either direction. Zero: 10 min.
	IdleTimeout time.Duration
}

// Proxy answers CONNECT, so that a function whose HTTPS_PROXY points to the node reaches it by AWS's host names: a
// tunnel to {apiId}.execute-api.{region}.amazonaws.com:443 ends in this very node, where TLS and the request inside are
// served like any others; every other tunnel leads where it always would have. Peers that are not on this machine are
// refused. It forwards no plain-HTTP requests.
//
// A tunnel lives inside its handler call and ends with the request's context, which a Server cancels at its end: who
// has waited for the Server has waited for the tunnels.
type Proxy struct {
	o     ProxyOptions
	slots chan struct{} // one per tunnel; never closed
}

// NewProxy returns a proxy.
func NewProxy(o ProxyOptions) *Proxy {
	if o.Local == nil {
		o.Local = func(target string) bool {
			host, port, err := net.SplitHostPort(target)
			return err == nil && port == "443" && IsAWSHost(host)
		}
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	if o.MaxTunnels <= 0 {
		o.MaxTunnels = 512
	}
	if o.DialTimeout <= 0 {
		o.DialTimeout = 30 * time.Second
	}
	if o.IdleTimeout <= 0 {
		o.IdleTimeout = 10 * time.Minute
	}
	return &Proxy{o: o, slots: make(chan struct{}, o.MaxTunnels)}
}

// Wrap returns a handler that answers what is meant for a proxy and leaves the rest to next. It is safe for concurrent
// use.
func (p *Proxy) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodConnect:
			p.connect(w, r)
		case r.URL.Host != "":
			// http://host/path in the request line: HTTP_PROXY points here, which nothing of ours sets.
			w.Header().Set("Allow", http.MethodConnect)
			answer(w, http.StatusMethodNotAllowed, "This proxy forwards CONNECT only; unset HTTP_PROXY and keep HTTPS_PROXY")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// answer refuses a request in plain text: those who read it look at a proxy client's log.
func answer(w http.ResponseWriter, status int, message string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, message+"\n") //nolint:gosec // G705: plain text by its headers; a client that is gone needs no answer
}

func (p *Proxy) connect(w http.ResponseWriter, r *http.Request) {
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err != nil || !peer.Addr().Unmap().IsLoopback() {
		answer(w, http.StatusForbidden, "This proxy serves programs on its own machine only")
		return
	}
	if !isTarget(r.Host) {
		answer(w, http.StatusBadRequest, "CONNECT needs host:port")
		return
	}
	if p.o.Local(r.Host) {
		if client, ok := p.take(w, r.Host, false); ok {
			p.o.Inject(client.Conn)
		}
		return
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	default:
		answer(w, http.StatusServiceUnavailable, "This proxy has too many tunnels open")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), p.o.DialTimeout)
	defer cancel()
	target, err := p.dial(ctx, r.Host)
	if err != nil {
		p.o.Log.Debug("a tunnel could not be opened", "target", r.Host, "err", err)
		status := http.StatusBadGateway
		if errors.Is(err, context.DeadlineExceeded) {
			status = http.StatusGatewayTimeout
		}
		answer(w, status, "The way to "+r.Host+" could not be opened: "+err.Error())
		return
	}
	client, ok := p.take(w, r.Host, true)
	if !ok {
		_ = target.Close() // nothing was sent on it
		return
	}
	(&tunnel{a: client, b: target, idle: p.o.IdleTimeout}).run(r.Context())
}

// isTarget tells whether a CONNECT request's target is host:port.
func isTarget(s string) bool {
	host, port, err := net.SplitHostPort(s)
	return err == nil && host != "" && port != "" && !strings.ContainsAny(s, "/@?# ")
}

// established is the answer that opens a tunnel (RFC 9110 §9.3.6).
const established = "HTTP/1.1 200 Connection established\r\n\r\n"

// take hijacks a CONNECT request's connection and opens the tunnel. What the client sent too early is kept for a
// tunnel; a connection that is to be injected must begin with nothing read, so such a client is turned away.
func (p *Proxy) take(w http.ResponseWriter, target string, early bool) (stream, bool) {
	c, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		p.o.Log.Error("taking over a tunnel's connection", "target", target, "err", err)
		answer(w, http.StatusInternalServerError, "The connection cannot become a tunnel")
		return stream{}, false
	}
	out := established
	if n := buffered.Reader.Buffered(); n > 0 && !early {
		out = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
	}
	err = c.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err == nil {
		_, err = io.WriteString(c, out)
	}
	if err == nil {
		err = c.SetWriteDeadline(time.Time{})
	}
	if err != nil || out != established {
		p.o.Log.Debug("a tunnel did not come about", "target", target, "err", err)
		_ = c.Close() // it is of no use any more
		return stream{}, false
	}
	return stream{Conn: c, r: io.MultiReader(io.LimitReader(buffered.Reader, int64(buffered.Reader.Buffered())), c)}, true
}

// dial opens the way to a target: directly, or by the user's own proxy.
func (p *Proxy) dial(ctx context.Context, target string) (stream, error) {
	var via *url.URL
	if p.o.Upstream != nil {
		var err error
		if via, err = p.o.Upstream(&url.URL{Scheme: "https", Host: target}); err != nil {
			return stream{}, fmt.Errorf("choose the upstream proxy: %w", err)
		}
	}
	if via == nil {
		c, err := p.o.Dial(ctx, "tcp", target)
		return stream{Conn: c, r: c}, err
	}
	s, err := p.dialVia(ctx, via, target)
	if err != nil {
		return stream{}, fmt.Errorf("by the upstream proxy %s: %w", via.Redacted(), err)
	}
	return s, nil
}

func (p *Proxy) dialVia(ctx context.Context, via *url.URL, target string) (stream, error) {
	if via.Scheme != "http" {
		return stream{}, fmt.Errorf("its scheme %q is not supported, only http is", via.Scheme)
	}
	address := via.Host
	if via.Port() == "" {
		address = net.JoinHostPort(via.Hostname(), "80")
	}
	c, err := p.o.Dial(ctx, "tcp", address)
	if err != nil {
		return stream{}, err
	}
	s, err := ask(ctx, c, via.User, target)
	if err != nil {
		_ = c.Close() // the cause is err
		return stream{}, err
	}
	return s, nil
}

// maxProxyHead bounds an upstream proxy's answer.
const maxProxyHead = 16 << 10

// ask requests a tunnel from an upstream proxy.
func ask(ctx context.Context, c net.Conn, user *url.Userinfo, target string) (stream, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) }) // fails reads and writes at once
	defer stop()
	var b strings.Builder
	fmt.Fprintf(&b, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", target, target)
	if user != nil {
		password, _ := user.Password()
		fmt.Fprintf(&b, "Proxy-Authorization: Basic %s\r\n", base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	b.WriteString("\r\n")
	if _, err := io.WriteString(c, b.String()); err != nil {
		return stream{}, errors.Join(context.Cause(ctx), err)
	}
	head := &io.LimitedReader{R: c, N: maxProxyHead}
	r := bufio.NewReader(head)
	res, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return stream{}, errors.Join(context.Cause(ctx), fmt.Errorf("read its answer: %w", err))
	}
	_ = res.Body.Close() // a successful CONNECT has no body, another one's does not matter
	if res.StatusCode/100 != 2 {
		return stream{}, fmt.Errorf("it answered %s", res.Status)
	}
	if !stop() {
		return stream{}, context.Cause(ctx)
	}
	return stream{Conn: c, r: io.MultiReader(io.LimitReader(r, int64(r.Buffered())), c)}, nil
}
