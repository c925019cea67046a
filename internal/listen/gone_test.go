package listen_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"cleat/internal/listen"
)

// A handler finds out that its client has gone, whether it waits for it or asks, and asking takes nothing away from a
// client that is there.
func TestClientsThatLeave(t *testing.T) {
	t.Parallel()
	serverSide, clientSide := pair(t)
	begun, ask, answered := make(chan struct{}), make(chan struct{}), make(chan error)
	s := start(t, listen.Options{TLS: serverSide, Plain: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		begun <- struct{}{}
		<-ask
		switch r.URL.Path {
		case "/waits":
			<-r.Context().Done()
			answered <- r.Context().Err()
		case "/asks":
			for end := time.Now().Add(wait); r.Context().Err() == nil && time.Now().Before(end); {
				time.Sleep(time.Millisecond) // the end is on its way
			}
			answered <- r.Context().Err()
		case "/stays":
			answered <- r.Context().Err()
			if r.Context().Done() != nil {
				answered <- r.Context().Err()
			}
			_, _ = io.WriteString(w, "still here")
		}
	})})
	dials := map[string]func() net.Conn{
		"plain": func() net.Conn { return s.dial(t) },
		"TLS":   func() net.Conn { return tls.Client(s.dial(t), clientSide) },
	}
	ends := map[string]func(net.Conn) error{
		"closes":      net.Conn.Close,
		"half-closes": func(c net.Conn) error { return c.(interface{ CloseWrite() error }).CloseWrite() },
	}
	for kind, dial := range dials {
		for how, end := range ends {
			for _, path := range []string{"/waits", "/asks"} {
				c := dial()
				write(t, c, "POST "+path+" HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
				<-begun
				if err := end(c); err != nil {
					t.Fatal(err)
				}
				ask <- struct{}{}
				if err := <-answered; err == nil {
					t.Errorf("%s, %s, %s: the context goes on", kind, how, path)
				}
			}
		}
		// The next request is already there when the first is asked about: it is kept.
		c := dial()
		const request = "GET /stays HTTP/1.1\r\nHost: a\r\n\r\n"
		for _, sent := range []string{request, request + request, ""} {
			write(t, c, sent)
			<-begun
			ask <- struct{}{}
			for range 2 {
				if err := <-answered; err != nil {
					t.Errorf("%s: the client is there: %v", kind, err)
				}
			}
			if _, body := answerOn(t, c); body != "still here" {
				t.Errorf("%s: body %q", kind, body)
			}
		}
	}
}
