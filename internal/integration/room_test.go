package integration_test

import (
	"math/rand/v2"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/integration"
)

// A room that is used again answers what a fresh one answers, whatever was in it before: statuses that templates
// overrode, documents they changed, renderings that failed, bodies that were longer.
func TestRoomIsUsedAgain(t *testing.T) {
	var plans []*integration.Plan
	for _, request := range []string{
		`{"statusCode": 200}`, `{"statusCode": 301, "x": "$input.body"}`, `200 OK`,
		`#set($context.responseOverride.status = 418){"statusCode": 200}`,
		`#set($x = $input.path('$').put('a', 'changed')){"statusCode": 202, "a": "$input.path('$.a')"}`,
	} {
		for _, response := range []string{
			`{"pong":true}`, `$input.path('$.a') $input.body $context.stage $context.messageId`, ``,
			`#set($x = $input.path('$').put('a', 'changed'))$input.path('$.a') $context.status`,
			`#foreach($i in [1..20])$i #end`, `$input.path('$').get(1).toString().substring(9)`, `#set($l = [1])$l.get(7)`,
		} {
			in := mockIntegration(request)
			plans = append(plans, compile(t, in, responding(response), integration.Dependencies{}))
		}
	}
	var events []*apigw.Event
	for _, body := range []string{`{"a":1}`, `{"a":[{"b":"c"}],"d":"a longer body than the others have"}`, ``, `no JSON`} {
		for _, kind := range []apigw.EventType{apigw.EventConnect, apigw.EventMessage, apigw.EventDisconnect} {
			ev := testEvent(kind)
			ev.Body = []byte(body)
			events = append(events, ev)
		}
	}
	var room integration.Room
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		p, ev := plans[random.IntN(len(plans))], events[random.IntN(len(events))]
		fresh, freshErr := p.Do(t.Context(), ev, new(integration.Room))
		again, err := p.Do(t.Context(), ev, &room)
		got, want := outcomeOf(again, err), outcomeOf(fresh, freshErr)
		if got != want || string(again.Request) != string(fresh.Request) || again.BackendStatus != fresh.BackendStatus {
			t.Fatalf("got %+v of %q (%v), want %+v of %q (%v)", got, again.Request, err, want, fresh.Request, freshErr)
		}
		if random.IntN(10) > 0 { // a panic may have kept it from being left
			room.Leave()
		}
	}
}
