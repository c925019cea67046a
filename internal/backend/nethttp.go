package backend

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"cleat/internal/apigw"
)

const pingAfter = 15 * time.Second // of silence, on HTTP/2

func newTransport(o *HTTPOptions) *http.Transport {
	return &http.Transport{
		Proxy:                  o.Proxy,
		DialContext:            o.dial,
		TLSClientConfig:        &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    or(o.TLSHandshakeTimeout, 5*time.Second),
		ResponseHeaderTimeout:  o.ResponseHeaderTimeout,
		IdleConnTimeout:        o.IdleTimeout,
		MaxIdleConnsPerHost:    o.MaxIdlePerHost,
		MaxConnsPerHost:        o.MaxConnsPerHost,
		MaxResponseHeaderBytes: maxResponseHeader,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // an answer's body goes on as it came
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingAfter},
	}
}

// transported makes a call by net/http's Transport.
func (h *HTTP) transported(ctx context.Context, r *Request) (_ *Response, sent bool, _ error) {
	if !r.Deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, r.Deadline)
		defer cancel()
	}
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
	out := &Response{Status: resp.StatusCode, Header: headerOf(resp.Header)}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		err = errSwitched
	} else {
		out.Body, _, err = readBody(resp, h.maxBody, r.DiscardBody)
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
