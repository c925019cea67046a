package gateway_test

import (
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/conn"
)

// A message yields the event loop that it is handled in before a backend is waited for, and before more bytes are gone
// through than take a moment; a MOCK integration with a usual template never does.
func TestMessageYields(t *testing.T) {
	n := newTestNode(t, api{}, apigw.LimitsAWS())
	functions := api{routes: map[string]string{"say": "say"}, twoWay: []string{"say"}}.serving(1).Stages[0].Definition
	def := shapedDefinition(
		shaped{key: "mock", request: `{"statusCode": 200}`, response: `{"stage": "$context.stage"}`},
		shaped{key: "long", request: `{"statusCode": 200}`, response: `#foreach($i in [1..1000])$i $i $i#end`},
	)
	def.Routes = append(def.Routes, functions.Routes...)
	def.Integrations = append(def.Integrations, functions.Integrations...)
	def.RouteResponses = append(def.RouteResponses, functions.RouteResponses...)
	swapDefinition(t, n.Gateway, def)
	n.functions.fast.Store(&instant{[]byte(`{"statusCode":200,"body":"x"}`)})
	ws := n.open(t)
	defer func() { _ = ws.Close() }()
	id := (<-n.records).ConnectionID
	attachment := n.Attachment(id)
	for name, tc := range map[string]struct {
		message string
		least   int
	}{
		"mock":          {`{"action":"mock"}`, 0},
		"no route":      {`{"action":"none"}`, 0},
		"long template": {`{"action":"long"}`, 1},
		"function":      {`{"action":"say"}`, 1},
		"long message":  {`{"action":"mock","text":"` + strings.Repeat("x", 9<<10) + `"}`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			yields := 0
			n.Message(id, attachment, conn.Message{Data: []byte(tc.message), Yield: func() { yields++ }})
			<-n.records
			if yields < tc.least || tc.least == 0 && yields > 0 {
				t.Errorf("yielded %d times, want %d", yields, tc.least)
			}
		})
	}
}
