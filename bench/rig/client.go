package rig

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// request is a handshake of a browser's size.
const request = "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n" +
	"Upgrade: websocket\r\nOrigin: %s\r\nSec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-GB,en;q=0.9\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n"

// offer is what a browser adds to its request; without it the servers that compress do not.
const offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"

// opTimeout bounds every single step of a client.
const opTimeout = 20 * time.Second

// Dial opens one WebSocket connection. c is what to read and write; raw is the TCP connection below it.
func (t *Target) Dial(ctx context.Context) (c, raw net.Conn, err error) {
	d := net.Dialer{Timeout: opTimeout, KeepAlive: -1}
	raw, err = d.DialContext(ctx, "tcp", t.Addr)
	if err != nil {
		return nil, nil, err
	}
	c = raw
	scheme := "http://"
	if t.TLS {
		cfg := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // G402: a server on loopback with a certificate of its own
		if t.CheapTLS {
			cfg.CurvePreferences = []tls.CurveID{tls.X25519}
		}
		c, scheme = tls.Client(raw, cfg), "https://"
	}
	extensions := ""
	if t.Name == Deflate {
		extensions = offer
	}
	if err := handshake(c, fmt.Sprintf(request, t.Path, t.Addr, scheme+t.Addr, extensions), extensions != ""); err != nil {
		_ = raw.Close() // the other error says more
		return nil, nil, err
	}
	return c, raw, nil
}

// handshake fails unless the server compresses exactly if it is to.
func handshake(c net.Conn, request string, compressed bool) error {
	if err := c.SetDeadline(time.Now().Add(opTimeout)); err != nil {
		return err
	}
	if _, err := c.Write([]byte(request)); err != nil {
		return err
	}
	br := bufio.NewReaderSize(c, 512)
	agreed := false
	for first := true; ; first = false {
		line, err := br.ReadString('\n')
		switch {
		case err != nil:
			return err
		case first && !strings.Contains(line, " 101 "):
			return fmt.Errorf("handshake: %s", strings.TrimSpace(line))
		case strings.HasPrefix(line, "Sec-WebSocket-Extensions:"):
			agreed = true
		case line == "\r\n" && agreed != compressed:
			return fmt.Errorf("handshake: permessage-deflate agreed to is %v, want %v", agreed, compressed)
		case line == "\r\n":
			return nil
		}
	}
}

// DialMany opens n connections, width of them at a time, and returns what keep makes of each.
func DialMany[T any](ctx context.Context, t *Target, n, width int, keep func(c, raw net.Conn) T) ([]T, error) {
	kept := make([]T, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, width) // never closed
	for range width {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				c, raw, err := t.Dial(ctx)
				if err != nil {
					errs <- err
					return
				}
				kept[i] = keep(c, raw)
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return kept, fmt.Errorf("dial %s: %w", t.Name, err)
	default:
		return kept, nil
	}
}
