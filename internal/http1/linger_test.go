package http1_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cleat/internal/http1"
)

// half is a connection whose sending direction ends by itself, as that of TCP and TLS does.
type half struct {
	net.Conn
	closed chan struct{} // the sending direction
}

func (h half) CloseWrite() error {
	close(h.closed)
	return nil
}

// Who is refused and still sends gets to read why: the connection is closed behind what it had to say (RFC 9112 §9.6), or
// half a second later.
func TestRefusalIsRead(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n"
	for name, c := range map[string]struct {
		more  int // bytes of the body that come behind the answer
		ends  bool
		after time.Duration
	}{
		"it sends all and ends":         {1000, true, 0},
		"it sends a part and ends":      {10, true, 0},
		"it sends more than it said":    {5000, true, 0},
		"it sends all and waits":        {1000, false, 500 * time.Millisecond},
		"it sends nothing more at all":  {0, false, 500 * time.Millisecond},
		"it goes on when it has to end": {-1, false, 500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := net.Pipe()
				nc := half{server, make(chan struct{})}
				s := &http1.Server{
					HeadTimeout: time.Minute, BodyTimeout: time.Minute, IdleTimeout: time.Minute,
					Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestEntityTooLarge) }),
				}
				over := make(chan http1.Outcome, 1)
				go func() {
					_, how := s.Serve(http1.Client{Context: t.Context(), Conn: nc, Owner: &owner{nc: server}})
					over <- how
					_ = server.Close()
				}()
				if _, err := io.WriteString(client, head); err != nil {
					t.Fatal(err)
				}
				answer := make([]byte, 1000)
				n, err := client.Read(answer)
				if err != nil || !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 413") {
					t.Fatalf("got %q, %v", answer[:n], err)
				}
				<-nc.closed
				began := time.Now()
				for sent := 0; sent != c.more; sent += 10 {
					if _, err := client.Write(make([]byte, 10)); err != nil {
						if c.more >= 0 {
							t.Fatalf("behind %d bytes: %v", sent, err)
						}
						break // it was given up
					}
					if c.more < 0 {
						time.Sleep(time.Millisecond)
					}
				}
				if c.ends {
					_ = client.Close()
				}
				if how := <-over; how != http1.Over {
					t.Errorf("got %v", how)
				}
				if took := time.Since(began).Round(10 * time.Millisecond); took != c.after {
					t.Errorf("it was over after %s, want %s", took, c.after)
				}
			})
		})
	}
}
