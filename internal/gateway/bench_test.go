package gateway_test

import (
	"context"
	"io"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/conn"
	"cleat/internal/meter"
)

// instant is a function that answers at once.
type instant struct{ answer []byte }

func (f instant) Invoke(context.Context, awsapi.Invocation) (awsapi.InvocationResult, error) {
	return awsapi.InvocationResult{Payload: f.answer}, nil
}

// BenchmarkMessage is the gateway's part of one message on a two-way route: select the route, make the event, call a
// function that takes no time, read its answer, write the reply to the socket.
func BenchmarkMessage(b *testing.B) { benchmarkMessage(b, nil) }

// BenchmarkMessageMetered is the same with a meter that counts it: the difference is what counting costs.
func BenchmarkMessageMetered(b *testing.B) {
	m := meter.New()
	m.Swap([]meter.Stage{{APIID: apiID, Stage: "prod", RouteKeys: []string{"$connect", "say"}}})
	benchmarkMessage(b, m.Observe)
	if got := m.Read().Total(); got.MessagesIn == 0 || got.MessagesIn != got.MessagesOut {
		b.Errorf("counted %+v", got)
	}
}

func benchmarkMessage(b *testing.B, observe func(*apigw.Record)) {
	b.Helper()
	limits := apigw.LimitsAWS()
	limits.RequestRate, limits.RequestBurst = 1<<30, 1<<30 // the throttle costs what it costs and refuses nothing
	n := newTestNode(b, api{routes: map[string]string{"$connect": "hello", "say": "say"}, twoWay: []string{"say"}}, limits)
	n.more = observe
	ws := n.open(b)
	id, _ := requestContext(b, n.functions.await(b, "hello"))["connectionId"].(string)
	attachment := n.Attachment(apigw.ConnectionID(id))
	if attachment == nil {
		b.Fatal("the connection is gone")
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, ws.NetConn())
	}()
	n.functions.fast.Store(&instant{[]byte(`{"statusCode":200,"body":"an answer of some length, as a chat has it"}`)})
	data := []byte(`{"action":"say","text":"a message of some length, as a chat has it, and a little more"}`)
	b.ReportAllocs()
	for b.Loop() {
		n.Message(apigw.ConnectionID(id), attachment, conn.Message{Data: data})
		<-n.records
	}
	b.StopTimer()
	if err := ws.Close(); err != nil {
		b.Fatal(err)
	}
	<-drained
}
