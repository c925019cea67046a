package backend

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"cleat/internal/apigw"
)

// Request is one HTTP call.
type Request struct {
	Method string
	URL    *url.URL // absolute, http or https; never changed
	// Header goes out as it is, in the spelling given (HTTP/2 lower-cases names). A Host line replaces the host of the
	// URL; Content-Length is made from Body.
	Header apigw.Fields
	Body   []byte // nil or empty: no body
	// DiscardBody says that only status and headers of the answer matter: its body is read up to the bound, so that
	// the connection can be kept, and may be larger.
	DiscardBody bool
	// Link is the VPC link through which the backend is reached; empty: none. Links alone know any.
	Link string
}

// Response is the answer to a Request.
type Response struct {
	Status int
	Header http.Header
	Body   []byte // nil under DiscardBody
}

// HTTPOptions adjust an HTTP. The zero value is fit for use.
type HTTPOptions struct {
	MaxBody               int           // bytes of an answer's body; more is an error. Zero: 1 KB above QuotaMessageSize
	ConnectTimeout        time.Duration // zero: 5 s
	TLSHandshakeTimeout   time.Duration // zero: 5 s
	ResponseHeaderTimeout time.Duration // from the request's end to the answer's head; zero: 30 s
	// IdleTimeout closes connections nobody used for so long. Zero: 30 s.
	IdleTimeout     time.Duration
	MaxIdlePerHost  int            // kept connections per host; zero: 256
	MaxConnsPerHost int            // connections per host, idle ones included; further calls wait. Zero: 1024
	RootCAs         *x509.CertPool // zero: the system's
	// DialAddr is the TCP address, host:port, that every connection goes to, whatever host the URL names: that host stays
	// the Host header and the name that a certificate must have. Empty: the URL's.
	DialAddr string
	// Dial makes TCP connections, within ConnectTimeout. Nil: as a net.Dialer does.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Proxy chooses a proxy for a request, as http.ProxyFromEnvironment does. Nil: none, whatever the environment says.
	Proxy func(*http.Request) (*url.URL, error)
}

const (
	maxResponseHeader = 64 << 10
	pingAfter         = 15 * time.Second // of silence, on HTTP/2
)

// HTTP calls HTTP backends over kept connections: HTTP/1.1, or HTTP/2 where a TLS server offers it. Certificates are
// verified. It is safe for concurrent use; Close it to let go of its idle connections.
type HTTP struct {
	transport *http.Transport
	maxBody   int
}

// NewHTTP returns an HTTP without connections.
func NewHTTP(o HTTPOptions) *HTTP {
	o.ConnectTimeout = or(o.ConnectTimeout, 5*time.Second)
	o.Dial = o.dialer()
	return &HTTP{
		maxBody: or(o.MaxBody, apigw.QuotaMessageSize+1024),
		transport: &http.Transport{
			Proxy:                  o.Proxy,
			DialContext:            o.dial,
			TLSClientConfig:        &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    or(o.TLSHandshakeTimeout, 5*time.Second),
			ResponseHeaderTimeout:  or(o.ResponseHeaderTimeout, 30*time.Second),
			IdleConnTimeout:        or(o.IdleTimeout, 30*time.Second),
			MaxIdleConnsPerHost:    or(o.MaxIdlePerHost, 256),
			MaxConnsPerHost:        or(o.MaxConnsPerHost, 1024),
			MaxResponseHeaderBytes: maxResponseHeader,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true, // an answer's body goes on as it came
			HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingAfter},
		},
	}
}

func (o *HTTPOptions) dialer() func(ctx context.Context, network, addr string) (net.Conn, error) {
	if o.Dial != nil {
		return o.Dial
	}
	return (&net.Dialer{}).DialContext
}

// dial makes one connection.
func (o *HTTPOptions) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if o.DialAddr != "" {
		addr = o.DialAddr
	}
	ctx, cancel := context.WithTimeout(ctx, o.ConnectTimeout)
	defer cancel()
	return o.Dial(ctx, network, addr)
}

func or[T comparable](v, zero T) T {
	var none T
	if v == none {
		return zero
	}
	return v
}

// Close lets go of idle connections. Calls under way go on, and further calls are possible.
func (h *HTTP) Close() { h.transport.CloseIdleConnections() }

// Do makes one call and reads the whole answer; ctx bounds all of it. Every status is an answer, redirects included.
// It fails with an *apigw.Error: KindIntegrationTimeout when ctx's deadline or a time-out of the options passed,
// KindIntegrationConfig when the request cannot be sent as it is, KindIntegrationFailure otherwise.
func (h *HTTP) Do(ctx context.Context, r *Request) (*Response, error) {
	if r.Link != "" {
		return nil, noLink(r)
	}
	resp, _, err := h.do(ctx, r)
	return resp, err
}

// do is Do without a look at the link. sent tells, of a failed call, whether the backend may have read any of it.
func (h *HTTP) do(ctx context.Context, r *Request) (_ *Response, sent bool, _ error) {
	var picked pick
	req, err := newRequest(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: picked.gotConn}), r)
	if err != nil {
		return nil, false, &apigw.Error{Kind: apigw.KindIntegrationConfig, Err: fmt.Errorf("%s: %w", describe(r), err)}
	}
	resp, err := h.transport.RoundTrip(req)
	for err != nil && picked.stale.Load() && ctx.Err() == nil { // each round takes a stale connection out of the pool
		picked.forget() // this round may end without any connection
		if req.Body, err = req.GetBody(); err == nil {
			resp, err = h.transport.RoundTrip(req)
		}
	}
	if err != nil {
		return nil, picked.sent(), fault(ctx, r, err)
	}
	out := &Response{Status: resp.StatusCode, Header: resp.Header}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		err = errors.New("the backend answered 101 Switching Protocols, which nobody asked for")
	} else {
		out.Body, err = h.readBody(resp, r.DiscardBody)
	}
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, true, fault(ctx, r, err)
	}
	return out, true, nil
}

// pick tells of the connection that net/http last chose for a call. A kept connection that its backend has closed
// meanwhile is closed here before anything is written: a write on it could succeed, and nobody would know whether the
// backend had read it. So the call can safely be made on another connection; net/http alone would give up on a POST.
type pick struct{ got, stale atomic.Bool }

// sent reports whether anything may have been written: there was a connection, and it was not closed here.
func (p *pick) sent() bool { return p.got.Load() && !p.stale.Load() }

func (p *pick) forget() {
	p.got.Store(false)
	p.stale.Store(false)
}

func (p *pick) gotConn(info httptrace.GotConnInfo) {
	p.got.Store(true)
	p.stale.Store(false)
	if !info.Reused {
		return
	}
	c := info.Conn
	if t, ok := c.(*tls.Conn); ok {
		if t.ConnectionState().NegotiatedProtocol == "h2" {
			return // HTTP/2 servers may speak at any time, and say which requests they did not see
		}
		c = t.NetConn()
	}
	if stale(c) {
		p.stale.Store(true)
		_ = c.Close() // what it has to say about closing adds nothing
	}
}

// newRequest checks what net/http's Transport would otherwise send or refuse in its own words.
func newRequest(ctx context.Context, r *Request) (*http.Request, error) {
	if r.URL == nil || r.URL.Host == "" || (r.URL.Scheme != "http" && r.URL.Scheme != "https") {
		return nil, errors.New("not an absolute http or https URL")
	}
	req := (&http.Request{
		Method: r.Method, URL: r.URL, Host: r.URL.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header, len(r.Header)+1),
		Body:   http.NoBody, GetBody: func() (io.ReadCloser, error) { return http.NoBody, nil },
	}).WithContext(ctx)
	values := make([]string, len(r.Header)) // one for each line, rather than a slice for each name
	for _, f := range r.Header {
		if !validValue(f.Value) {
			return nil, fmt.Errorf("header %s: its value holds control characters", f.Name)
		}
		switch {
		case strings.EqualFold(f.Name, "Host"):
			req.Host = f.Value
		case strings.EqualFold(f.Name, "User-Agent"): // net/http looks for this spelling before it adds its own
			req.Header["User-Agent"] = []string{f.Value}
		default:
			lines := req.Header[f.Name]
			if lines == nil {
				lines, values = values[:0:1], values[1:]
			}
			req.Header[f.Name] = append(lines, f.Value)
		}
	}
	if _, own := r.Header.LastFold("Authorization"); r.URL.User != nil && !own {
		user := r.URL.User
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	if len(r.Body) > 0 {
		req.ContentLength = int64(len(r.Body))
		req.Body = io.NopCloser(bytes.NewReader(r.Body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r.Body)), nil }
	}
	return req, nil
}

// validValue keeps line breaks and other control characters out of header values (RFC 9110 §5.5).
func validValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

func (h *HTTP) readBody(resp *http.Response, discard bool) ([]byte, error) {
	if discard {
		n, err := io.Copy(io.Discard, io.LimitReader(resp.Body, int64(h.maxBody)))
		return nil, broken(resp, int(n), err)
	}
	if resp.ContentLength > int64(h.maxBody) {
		return nil, fmt.Errorf("the backend's answer has %d bytes, more than the %d allowed", resp.ContentLength, h.maxBody)
	}
	if resp.ContentLength >= 0 {
		body := make([]byte, resp.ContentLength)
		n, err := io.ReadFull(resp.Body, body)
		return body, broken(resp, n, err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(h.maxBody)+1))
	if err == nil && len(body) > h.maxBody {
		return nil, fmt.Errorf("the backend's answer has more than the %d bytes allowed", h.maxBody)
	}
	return body, broken(resp, len(body), err)
}

// broken says how far an answer's body came.
func broken(resp *http.Response, n int, err error) error {
	switch {
	case err == nil:
		return nil
	case resp.ContentLength >= 0:
		return fmt.Errorf("the backend's answer broke off after %d of the %d bytes it announced: %w", n, resp.ContentLength, err)
	}
	return fmt.Errorf("the backend's answer broke off after %d bytes: %w", n, err)
}

// describe names a request without what may be secret in it: credentials and the query.
func describe(r *Request) string {
	if r.URL == nil {
		return r.Method
	}
	return r.Method + " " + (&url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: r.URL.Path, RawPath: r.URL.RawPath}).String()
}

// fault gives an error its kind and tells what happened in words.
func fault(ctx context.Context, r *Request, err error) error {
	kind := apigw.KindIntegrationFailure
	var netErr net.Error
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("given up: %w", errors.Join(context.Cause(ctx), err))
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			kind = apigw.KindIntegrationTimeout
		}
	case errors.As(err, &netErr) && netErr.Timeout():
		kind = apigw.KindIntegrationTimeout
	case errors.Is(err, io.EOF):
		err = fmt.Errorf("the backend closed the connection without an answer: %w", err)
	case errors.Is(err, syscall.ECONNRESET):
		err = fmt.Errorf("the backend reset the connection: %w", err)
	case errors.Is(err, syscall.ECONNREFUSED):
		err = fmt.Errorf("nothing listens there: %w", err)
	}
	return &apigw.Error{Kind: kind, Err: fmt.Errorf("%s: %w", describe(r), err)}
}
