package gateway_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"cleat/internal/apigw"
)

// What handling a message takes is used again for the next: of many clients at once, each gets its own answers, and each
// record says what its own event was and came to.
func TestNothingOfAnotherMessage(t *testing.T) {
	n := newTemplateNode(t,
		shaped{key: "mock", request: `{"statusCode": 200, "text": "$input.path('$.text')"}`, response: `mock $context.connectionId $context.messageId`},
		shaped{key: "fails", request: `{"statusCode": 200}`, response: `#set($l = [1])$l.get(7)`},
		shaped{key: "http", uri: "http://b.example/200", request: `http $input.path('$.text')`, response: `[$input.body]`},
	)
	var observed atomic.Int64
	only := func(r *apigw.Record) {
		if r.Operation != "message" {
			return
		}
		observed.Add(1)
		_, text, _ := strings.Cut(string(r.Event.Body), `"text":"`)
		text, _, _ = strings.Cut(text, `"`)
		request, reply := `{"statusCode": 200, "text": "`+text+`"}`, fmt.Sprintf("mock %s %s", r.ConnectionID, r.Event.Context.MessageID)
		switch r.RouteKey {
		case "http":
			request, reply = "http "+text, "[http "+text+"]"
		case "fails":
			request, reply = `{"statusCode": 200}`, fmt.Sprintf(`{"message": "Internal server error", "connectionId":"%s", "requestId":"%s"}`, r.ConnectionID, r.RequestID)
		}
		if string(r.Request) != request || string(r.Reply) != reply || !strings.Contains(string(r.Event.Body), `"action":"`+r.RouteKey+`"`) {
			t.Errorf("a record of %.60q is of route %q, with the request %.60q and the reply %.60q", r.Event.Body, r.RouteKey, r.Request, r.Reply)
		}
	}
	const clients, messages = 10, 60
	var all sync.WaitGroup
	for c := range clients {
		ws := n.open(t)
		id := string(n.record(t, "connect").ConnectionID)
		all.Go(func() {
			for i := range messages {
				key := []string{"mock", "http", "mock", "fails"}[(i+c)%4]
				text := fmt.Sprintf("%d-%d-%s", c, i, strings.Repeat(string(rune('a'+c)), (i*c)%500))
				say(t, ws, `{"action":"`+key+`","text":"`+text+`"}`)
				want := map[string]string{"mock": "mock " + id + " ", "http": "[http " + text + "]", "fails": `{"message": "Internal server error", "connectionId":"` + id}[key]
				if got := hear(t, ws); !strings.HasPrefix(got, want) {
					t.Errorf("%s of client %d: got %.60q, want %.60q…", key, c, got, want)
				}
			}
		})
		if c == clients-1 {
			n.only.Store(&only)
		}
	}
	all.Wait()
	if observed.Load() < messages/2 {
		t.Errorf("%d records", observed.Load())
	}
}
