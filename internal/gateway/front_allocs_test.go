//go:build linux && !race

package gateway_test

import (
	"bufio"
	"io"
	"net"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/authorizer"
)

// What a push costs in allocations, from its bytes on the socket to the bytes of its answer, everything on the way
// included: the text of its head, its path, the IDs of the answer, and that of the record which this test keeps; with a
// signature the name of the resource. The client makes none.
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
	in := bufio.NewReader(c)
	push := func(request []byte) float64 {
		return testing.AllocsPerRun(1000, func() {
			if _, err := c.Write(request); err != nil {
				t.Fatal(err)
			}
			if err := head(in, "200"); err != nil {
				t.Fatal(err)
			}
			<-n.records
		})
	}
	if got := push(pushRequest(n.addr, id, 1000, false)); got > 4 {
		t.Errorf("%v allocations a push, want 4 at most", got)
	}
	n.SetIAM(authorizer.NewIAM(authorizer.IAMOptions{Region: iamRegion, Users: testUsers(t), Management: true, Failures: &authorizer.Failures{}}))
	if got := push(pushRequest(n.addr, id, 1000, true)); got > 5 {
		t.Errorf("%v allocations a signed push, want 5 at most", got)
	}
}
