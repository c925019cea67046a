//go:build !race

package gateway_test

import (
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/conn"
	"cleat/internal/store"
)

// TestMessageAllocates: a message costs no more than it has to, whoever looks on.
func TestMessageAllocates(t *testing.T) {
	for name, m := range messages {
		t.Run(name, func(t *testing.T) {
			var observe func(*apigw.Record)
			if m.observe != nil {
				observe = m.observe(t)
			}
			if n := testing.AllocsPerRun(200, newMessage(t, m.route, observe)); n > m.allocs {
				t.Errorf("%v allocations, want %v at most", n, m.allocs)
			}
		})
	}
}

// The throttles cost a message no allocation.
func TestThrottlesDoNotAllocate(t *testing.T) {
	count := func(limits apigw.Limits, s store.Serving) float64 {
		n := newTestNode(t, api{routes: map[string]string{"$connect": "hello", "$default": "any"}}, limits)
		if err := n.Swap(s); err != nil {
			t.Fatal(err)
		}
		n.open(t)
		id, _ := requestContext(t, n.functions.await(t, "hello"))["connectionId"].(string)
		n.functions.fast.Store(&instant{[]byte(`{}`)})
		attachment := n.Attachment(apigw.ConnectionID(id))
		<-n.records
		return testing.AllocsPerRun(200, func() {
			n.Message(apigw.ConnectionID(id), attachment, conn.Message{Data: []byte("x")})
			<-n.records
		})
	}
	a := api{routes: map[string]string{"$connect": "hello", "$default": "any"}}
	limits := apigw.LimitsOpen()
	limits.RequestRate, limits.RequestBurst = 1<<30, 1<<30 // its own bucket and AWS's beside it
	all := rate(1e9, 1<<30)
	with, without := count(limits, throttled(a.serving(2), &all, nil)), count(wide(), a.serving(2))
	if with > without {
		t.Errorf("%v allocations with throttles, %v without", with, without)
	}
}
