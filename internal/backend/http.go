package backend

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
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
	// Deadline is when the call must have ended, besides what its context says; zero: that alone. It costs less than a
	// context with a deadline.
	Deadline time.Time
	// Yield, where it is not nil, is called on the caller's goroutine before the call waits, more than once perhaps.
	Yield func()
	// Await, where it is not nil, waits instead, on that goroutine too: until the descriptor of a socket can be read from, or
	// until is over (zero: never), or as long as it sees fit. It reports true in the first case, and has yielded in the others.
	// It must not wait for long, for it keeps nobody from ending the context meanwhile, which is heeded only then.
	Await func(fd int, until time.Time) bool
	// Link is the VPC link through which the backend is reached; empty: none. Links alone know any.
	Link string
}

// Response is the answer to a Request.
type Response struct {
	Status int
	Header Header
	Body   []byte // nil under DiscardBody; it may share its array with Header
}

// HTTPOptions adjust an HTTP. The zero value is fit for use.
type HTTPOptions struct {
	MaxBody               int           // bytes of an answer's body; more is an error. Zero: 1 KB above QuotaMessageSize
	ConnectTimeout        time.Duration // zero: 5 s
	TLSHandshakeTimeout   time.Duration // zero: 5 s
	ResponseHeaderTimeout time.Duration // from the request's end to the answer's head; zero: 30 s
	// IdleTimeout closes connections nobody used for so long. Zero: 30 s.
	IdleTimeout     time.Duration
	MaxIdlePerHost  int            // kept connections per host; zero: as many as there may be
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

const maxResponseHeader = 64 << 10

// HTTP calls HTTP backends over kept connections: HTTP/1.1, or HTTP/2 where a TLS server offers it. Certificates are
// verified. Plain HTTP takes the short way (package doc), all else is net/http's. It is safe for concurrent use; Close it
// to let go of its idle connections.
type HTTP struct {
	transport   *http.Transport
	pool        *pool // nil: net/http makes all calls
	maxBody     int
	headTimeout time.Duration
}

// NewHTTP returns an HTTP without connections.
func NewHTTP(o HTTPOptions) *HTTP {
	o.ConnectTimeout = or(o.ConnectTimeout, 5*time.Second)
	o.ResponseHeaderTimeout = or(o.ResponseHeaderTimeout, 30*time.Second)
	o.IdleTimeout = or(o.IdleTimeout, 30*time.Second)
	o.MaxConnsPerHost = or(o.MaxConnsPerHost, 1024)
	o.MaxIdlePerHost = or(o.MaxIdlePerHost, o.MaxConnsPerHost)
	o.Dial = o.dialer()
	h := &HTTP{
		transport: newTransport(&o), maxBody: or(o.MaxBody, apigw.QuotaMessageSize+1024), headTimeout: o.ResponseHeaderTimeout,
	}
	if canPeek && o.Proxy == nil {
		h.pool = newPool(&o)
	}
	return h
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
func (h *HTTP) Close() {
	h.transport.CloseIdleConnections()
	if h.pool != nil {
		h.pool.closeIdle()
	}
}

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
	if r.Await == nil {
		r.yield()
	}
	x := plainCall{plainRequest: plainRequest{Request: r}, h: h, ctx: ctx}
	if h.pool == nil || !x.prepare() {
		r.yield()
		return h.transported(ctx, r)
	}
	x.deadline = r.deadline(ctx)
	resp, err := x.do()
	if err != nil {
		return nil, x.sent, fault(ctx, r, err)
	}
	return resp, true, nil
}

func (r *Request) yield() {
	if r != nil && r.Yield != nil {
		r.Yield()
	}
}

// deadline is when a call must have ended; zero: whenever ctx ends.
func (r *Request) deadline(ctx context.Context) time.Time {
	d, ok := ctx.Deadline()
	if !ok || !r.Deadline.IsZero() && r.Deadline.Before(d) {
		return r.Deadline
	}
	return d
}

// over reports whether a call has no more time.
func (r *Request) over(ctx context.Context) bool {
	d := r.deadline(ctx)
	return ctx.Err() != nil || !d.IsZero() && !time.Now().Before(d)
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

var errSwitched = errors.New("the backend answered 101 Switching Protocols, which nobody asked for")

// readBody reads the body of an answer that net/http has read the head of: of one that is to be dropped, as much as is
// allowed of one that is kept. whole says that nothing is left of it.
func readBody(resp *http.Response, maxBody int, discard bool) (body []byte, whole bool, err error) {
	length := resp.ContentLength
	switch {
	case resp.Body == http.NoBody: // an answer to HEAD announces the length of what it does not send
		if !discard {
			body = []byte{}
		}
		return body, true, nil
	case discard:
		n, err := io.Copy(io.Discard, io.LimitReader(resp.Body, int64(maxBody)))
		return nil, n == length || n < int64(maxBody), broken(length, int(n), err)
	case length > int64(maxBody):
		return nil, false, tooLong(length, maxBody)
	case length >= 0:
		body = make([]byte, length)
		n, err := io.ReadFull(resp.Body, body)
		return body, true, broken(length, n, err)
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, int64(maxBody)+1))
	if err == nil && len(body) > maxBody {
		return nil, false, fmt.Errorf("the backend's answer has more than the %d bytes allowed", maxBody)
	}
	return body, true, broken(length, len(body), err)
}

func tooLong(length int64, maxBody int) error {
	return fmt.Errorf("the backend's answer has %d bytes, more than the %d allowed", length, maxBody)
}

// broken says how far an answer's body came; a negative length is none that was announced.
func broken(length int64, n int, err error) error {
	switch {
	case err == nil:
		return nil
	case length >= 0:
		return fmt.Errorf("the backend's answer broke off after %d of the %d bytes it announced: %w", n, length, err)
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
	case r.over(ctx): // ctx's own timer may be late
		err = fmt.Errorf("given up: %w", errors.Join(context.DeadlineExceeded, err))
		kind = apigw.KindIntegrationTimeout
	case errors.As(err, &netErr) && netErr.Timeout():
		kind = apigw.KindIntegrationTimeout
	case errors.Is(err, errInFlight): // which says all
	case errors.Is(err, io.EOF):
		err = fmt.Errorf("the backend closed the connection without an answer: %w", err)
	case errors.Is(err, syscall.ECONNRESET):
		err = fmt.Errorf("the backend reset the connection: %w", err)
	case errors.Is(err, syscall.ECONNREFUSED):
		err = fmt.Errorf("nothing listens there: %w", err)
	}
	return &apigw.Error{Kind: kind, Err: fmt.Errorf("%s: %w", describe(r), err)}
}
