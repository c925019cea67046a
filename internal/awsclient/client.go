package awsclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
)

// Options say where a Client sends its requests, and as whom.
type Options struct {
	// Endpoint is the base URL, to which paths are appended: "http://127.0.0.1:3002". Empty: AWS's own of the service in
	// the region.
	Endpoint string
	Service  string // in whose scope requests are signed: "apigateway", "cleat"
	Region   string // empty: awsapi.DefaultRegion
	// Credentials returns what requests are signed with; it is called for each and may remember. Nil, and where it finds
	// none (ErrNoCredentials): requests are not signed.
	Credentials func(context.Context) (awsapi.Credentials, error)
	// OnDemand signs only from the first request on that was refused for having no signature, so that nobody who needs none
	// gets to see a session token.
	OnDemand bool
	// Rate is the most requests a second, sent at even intervals. Zero: no bound.
	Rate float64
	// Timeout bounds one request with its answer, tries counted one by one. Zero: 30 seconds. A body that goes up slowly may
	// take longer: the time is counted from its last part.
	Timeout time.Duration
	// MaxAnswer bounds what is read of an answer, in bytes. Zero: 16 MiB.
	MaxAnswer int64
	// Transport carries the requests. Nil: one of the client's own, which follows HTTPS_PROXY and its like.
	Transport http.RoundTripper
}

// Client calls one endpoint. It is safe for concurrent use. Close lets go of its idle connections.
type Client struct {
	o      Options
	base   *url.URL
	http   *http.Client
	signer awsapi.SigV4
	asked  atomic.Bool // the endpoint wants signatures
	named  bool        // the endpoint, by the user
	pace   pace
}

// Request is one call.
type Request struct {
	Method string
	// Path is appended to the endpoint's, percent-encoded: "/v2/apis/a1b2c3d4e5".
	Path   string
	Query  url.Values
	Header http.Header // further fields; Content-Type among them
	Body   []byte
	// Progress, when not nil, is called while the body goes up with the number of its bytes that are on their way.
	Progress func(sent int)
}

// Answer is an answer that is none of an error.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

const (
	defaultTimeout   = 30 * time.Second
	defaultMaxAnswer = 16 << 20
)

// New returns a client. It makes no call.
func New(o Options) (*Client, error) {
	if o.Region == "" {
		o.Region = awsapi.DefaultRegion
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.MaxAnswer == 0 {
		o.MaxAnswer = defaultMaxAnswer
	}
	named := o.Endpoint != ""
	if !named {
		host := awsapi.ServiceURI{Partition: awsapi.Partition(o.Region), Region: o.Region, Service: o.Service}
		o.Endpoint = "https://" + host.Host()
	}
	base, err := url.Parse(o.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	if (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
		return nil, fmt.Errorf("endpoint %q: want an http or https URL, such as http://127.0.0.1:3002", o.Endpoint)
	}
	base.Path, base.RawPath, base.RawQuery, base.Fragment = strings.TrimRight(base.Path, "/"), "", "", ""
	if o.Transport == nil {
		o.Transport = &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: dial, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute}
	}
	return &Client{o: o, base: base, named: named, pace: pace{rate: o.Rate}, http: &http.Client{
		Transport: o.Transport,
		// These APIs redirect nobody, and a session token must not be passed on.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Endpoint is the base URL.
func (c *Client) Endpoint() string { return c.base.String() }

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// dial connects to a host. Names below localhost are this machine (RFC 6761 §6.3), which not every system's look-up
// knows.
func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if host, port, err := net.SplitHostPort(addr); err == nil && strings.HasSuffix(host, ".localhost") {
		addr = net.JoinHostPort("localhost", port)
	}
	return (&net.Dialer{}).DialContext(ctx, network, addr)
}

// Do makes a call and reads its answer. A call that is safe to repeat (any but POST and PATCH) is, when the endpoint is too
// busy or has a fault of its own; ctx bounds the waits. The error is an *Error when the endpoint answered with one.
func (c *Client) Do(ctx context.Context, q Request) (Answer, error) {
	for try := 0; ; try++ {
		got, err := c.once(ctx, q)
		wait, again := retryAfter(err, q.Method, try)
		if !again {
			return got, err
		}
		if pause(ctx, wait) != nil {
			return got, err
		}
	}
}

// once is one try of Do.
func (c *Client) once(ctx context.Context, q Request) (Answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := time.AfterFunc(c.o.Timeout, func() { cancel(errTimeout) })
	defer limit.Stop()
	told := q.Progress
	q.Progress = func(sent int) {
		limit.Reset(c.o.Timeout)
		if told != nil {
			told(sent)
		}
	}
	res, err := c.open(ctx, q)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, c.o.MaxAnswer+1))
	switch {
	case context.Cause(ctx) != nil && err != nil:
		return Answer{}, fmt.Errorf("read the answer of %s: %w", c.base.Host, context.Cause(ctx))
	case err != nil:
		return Answer{}, fmt.Errorf("read the answer of %s: %w", c.base.Host, err)
	case int64(len(body)) > c.o.MaxAnswer:
		return Answer{}, fmt.Errorf("the answer of %s is longer than %d bytes", c.base.Host, c.o.MaxAnswer)
	case res.StatusCode >= http.StatusMultipleChoices:
		return Answer{}, ReadError(res.StatusCode, res.Header, body)
	}
	return Answer{res.StatusCode, res.Header, body}, nil
}

// errTimeout is why a call that took too long ended.
var errTimeout = errors.New("no answer in time")

// Follow makes a call once and returns its answer unread, for who reads it as it comes; it lasts as long as ctx. The caller
// closes it. Errors are as in Do.
func (c *Client) Follow(ctx context.Context, q Request) (io.ReadCloser, error) {
	res, err := c.open(ctx, q)
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= http.StatusMultipleChoices {
		body, _ := io.ReadAll(io.LimitReader(res.Body, 4<<10)) // what came of it is shown as it is
		_ = res.Body.Close()
		return nil, ReadError(res.StatusCode, res.Header, body)
	}
	return res.Body, nil
}

// open makes a call once and returns its answer unread, whatever its status.
func (c *Client) open(ctx context.Context, q Request) (*http.Response, error) {
	res, err := c.send(ctx, q, !c.o.OnDemand || c.asked.Load())
	if err != nil || !c.o.OnDemand || c.asked.Load() || c.o.Credentials == nil || res.Header.Get("X-Amzn-Errortype") != missingToken {
		return res, err
	}
	c.asked.Store(true)
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, errorExcerpt)) // so that the connection can be used again
	_ = res.Body.Close()                                               // it says no more than the header
	return c.send(ctx, q, true)
}

// send sends a request, signed where sign is set and there are credentials.
func (c *Client) send(ctx context.Context, q Request, sign bool) (*http.Response, error) {
	if err := c.pace.wait(ctx); err != nil {
		return nil, err
	}
	to := *c.base
	path, err := url.PathUnescape(q.Path)
	if err != nil {
		return nil, fmt.Errorf("path %q: %w", q.Path, err)
	}
	to.Path, to.RawPath, to.RawQuery = c.base.Path+path, c.base.EscapedPath()+q.Path, q.Query.Encode()
	r, err := http.NewRequestWithContext(ctx, q.Method, to.String(), q.body())
	if err != nil {
		return nil, err
	}
	r.ContentLength = int64(len(q.Body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(q.body()), nil }
	for name, values := range q.Header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	if sign {
		if err := c.sign(ctx, r, q.Body); err != nil {
			return nil, err
		}
	}
	res, err := c.http.Do(r)
	if err != nil {
		if why := context.Cause(ctx); why != nil {
			return nil, fmt.Errorf("%s %s: %w", q.Method, c.base.String()+q.Path, why)
		}
		if c.named {
			return nil, fmt.Errorf("%w\nIs Cleat running there? Name another place with --endpoint", err)
		}
		return nil, err
	}
	return res, nil
}

// sign signs a request with the client's credentials, if it has any.
func (c *Client) sign(ctx context.Context, r *http.Request, body []byte) error {
	if c.o.Credentials == nil {
		return nil
	}
	creds, err := c.o.Credentials(ctx)
	if errors.Is(err, ErrNoCredentials) {
		return nil
	}
	if err != nil {
		return err
	}
	var headers apigw.Fields
	for name, values := range r.Header {
		for _, v := range values {
			headers = append(headers, apigw.Field{Name: name, Value: v})
		}
	}
	for _, f := range c.signer.Sign(r.Method, r.URL, headers, body, c.o.Service, c.o.Region, creds, time.Now()) {
		r.Header.Set(f.Name, f.Value)
	}
	return nil
}

// body is the body of a request, from its beginning.
func (q *Request) body() io.Reader {
	if len(q.Body) == 0 {
		return http.NoBody
	}
	if q.Progress == nil {
		return bytes.NewReader(q.Body)
	}
	return &watched{r: bytes.NewReader(q.Body), told: q.Progress}
}

// watched tells how far it has been read.
type watched struct {
	r    *bytes.Reader
	sent int
	told func(int)
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if n > 0 {
		w.sent += n
		w.told(w.sent)
	}
	return n, err
}
