package gateway_test

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/conn"
	"cleat/internal/eventlog"
	"cleat/internal/meter"
	"cleat/internal/metrics"
)

// instant is a function that answers at once.
type instant struct{ answer []byte }

func (f instant) Invoke(context.Context, awsapi.Invocation) (awsapi.InvocationResult, error) {
	return awsapi.InvocationResult{Payload: f.answer}, nil
}

// messages is how to have one message handled, in the ways that benchmarks and bounds are about. Each is the gateway's
// part of a message on a two-way route: select the route, make the event, call the integration, which takes no time, read
// its answer, write the reply to the socket.
var messages = map[string]struct {
	route  string // of the message
	allocs float64
	// observe makes what is told of each message; nil: nobody is.
	observe func(tb testing.TB) func(*apigw.Record)
}{
	"function": {"say", 7, nil},
	"metered":  {"say", 7, metered}, // the difference is what counting costs
	"observed": {"say", 7, observed},
	"mock":     {"mock", 0, nil}, // a MOCK integration with templates
}

var messageStages = []apigw.ServedStage{{APIID: apiID, Stage: &apigw.Stage{StageName: "prod"}, RouteKeys: []string{"$connect", "say", "mock"}}}

func metered(tb testing.TB) func(*apigw.Record) {
	tb.Helper()
	m := meter.New()
	m.Swap(messageStages)
	tb.Cleanup(func() {
		if got := m.Read().Total(); got.MessagesIn == 0 || got.MessagesIn != got.MessagesOut {
			tb.Errorf("counted %+v", got)
		}
	})
	return m.Observe
}

// observed is all that `cleat dev` looks with when nobody asked for logs.
func observed(tb testing.TB) func(*apigw.Record) {
	tb.Helper()
	logs := eventlog.New(eventlog.Options{Log: slog.New(slog.DiscardHandler)})
	m, err := metrics.New(prometheus.NewRegistry(), metrics.Options{Connections: func() conn.Stats { return conn.Stats{} }})
	if err != nil {
		tb.Fatal(err)
	}
	m.Swap(messageStages)
	count := metered(tb)
	return func(rec *apigw.Record) {
		logs.Observe(rec)
		m.Observe(rec)
		count(rec)
	}
}

// newMessage returns what handles one message of a client that reads whatever comes.
func newMessage(tb testing.TB, route string, observe func(*apigw.Record)) (one func()) {
	tb.Helper()
	limits := apigw.LimitsAWS()
	limits.RequestRate, limits.RequestBurst = 1<<30, 1<<30 // the throttle costs what it costs and refuses nothing
	n := newTestNode(tb, api{}, limits)
	n.more = observe
	functions := definition(api{routes: map[string]string{"say": "say"}, twoWay: []string{"say"}}.serving(1))
	def := shapedDefinition(shaped{
		key: "mock", request: `{"statusCode": 200}`,
		response: `{"text": "$util.escapeJavaScript($input.path('$.text'))", "stage": "$context.stage", "from": "$context.connectionId"}`,
	})
	def.Routes = append(def.Routes, functions.Routes...)
	def.Integrations = append(def.Integrations, functions.Integrations...)
	def.RouteResponses = append(def.RouteResponses, functions.RouteResponses...)
	swapDefinition(tb, n.Gateway, def)
	n.functions.fast.Store(&instant{[]byte(`{"statusCode":200,"body":"an answer of some length, as a chat has it"}`)})

	ws := n.open(tb)
	id := (<-n.records).ConnectionID
	attachment := n.Attachment(id)
	if attachment == nil {
		tb.Fatal("the connection is gone")
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, ws.NetConn())
	}()
	tb.Cleanup(func() {
		if err := ws.Close(); err != nil {
			tb.Error(err)
		}
		<-drained
	})
	data := []byte(`{"action":"` + route + `","text":"a message of some length, as a chat has it, and a little more"}`)
	told := 0
	check := func(rec *apigw.Record) {
		if rec.Err != nil || !rec.Sent {
			tb.Errorf("the message failed: %v", rec.Err)
		}
		told++
	}
	n.only.Store(&check)
	tb.Cleanup(func() { n.only.Store(nil) })
	m := conn.Message{Data: data, Yield: func() {}}
	return func() {
		before := told
		n.Message(id, attachment, m)
		if told != before+1 {
			tb.Fatalf("%d records of a message", told-before)
		}
	}
}

func BenchmarkMessage(b *testing.B) {
	for name, m := range messages {
		b.Run(name, func(b *testing.B) {
			var observe func(*apigw.Record)
			if m.observe != nil {
				observe = m.observe(b)
			}
			one := newMessage(b, m.route, observe)
			b.ReportAllocs()
			for b.Loop() {
				one()
			}
		})
	}
}
