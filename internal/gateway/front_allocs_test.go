//go:build linux && !race

package gateway_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"cleat/internal/apigw"
)

// What a push costs in allocations, from its bytes on the socket to the bytes of its answer, everything on the way
// included: the request as http.Handler wants it, the answer's header, the record. The client makes none.
func TestPushAllocations(t *testing.T) {
	limits := apigw.LimitsAWS()
	limits.RequestRate = 0
	n := newTestNode(t, api{}, limits)
	ws, res, err := n.dial(t, "/prod", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	id := string(n.record(t, "connect").ConnectionID)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, ws.NetConn())
	}()
	t.Cleanup(func() {
		_ = ws.Close()
		<-drained
	})
	c, err := net.Dial("tcp", n.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	request := fmt.Appendf(nil, "POST /prod/@connections/%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n%s",
		strings.ReplaceAll(id, "=", "%3D"), n.addr, bytes.Repeat([]byte("x"), 1000))
	in := bufio.NewReader(c)
	got := testing.AllocsPerRun(1000, func() {
		if _, err := c.Write(request); err != nil {
			t.Fatal(err)
		}
		if err := head(in, "200"); err != nil {
			t.Fatal(err)
		}
		<-n.records
	})
	if got > 18 {
		t.Errorf("%v allocations a push, want 18 at most", got)
	}
}
