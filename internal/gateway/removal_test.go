package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/gorilla/websocket"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/store"
)

// A connection whose stage is removed while $connect decides is closed as all others of that stage are (spec
// open-questions 48): nobody talks to an API that is no more.
func TestStageRemovedDuringConnect(t *testing.T) {
	a := api{routes: map[string]string{"$connect": "hello", "$default": "any", "$disconnect": "bye"}}
	for name, after := range map[string][]store.Serving{
		"removed":           {{}},
		"removed and again": {{}, a.serving(2)},
	} {
		t.Run(name, func(t *testing.T) {
			n := newTestNode(t, a, apigw.LimitsAWS())
			n.functions.on("hello", func(map[string]any) (awsapi.InvocationResult, error) {
				for _, s := range after {
					if err := n.Swap(s); err != nil {
						t.Error(err)
					}
				}
				return awsapi.InvocationResult{Payload: []byte(`{"statusCode":200}`)}, nil
			})
			ws := n.open(t)
			if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
				t.Errorf("got %v, want a close with 1001", err)
			}
			n.functions.await(t, "bye")
			if got := n.Connections(); got != 0 {
				t.Errorf("%d connections are left", got)
			}
		})
	}
}

// A stage that takes the place of another is served, and the other is not, though there are as many as before.
func TestStageReplaced(t *testing.T) {
	a := api{routes: map[string]string{"$default": "any"}}
	n := newTestNode(t, a, apigw.LimitsAWS())
	ws := n.open(t)
	serving := a.serving(2)
	serving.Stages[0].Stage.StageName = "live"
	if err := n.Swap(serving); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Errorf("got %v, want a close with 1001", err)
	}
	d := n.Directory()
	if got := d.Stages(apiID); !slices.Equal(got, []string{"live"}) {
		t.Errorf("served are %v", got)
	}
}

// A panic while $connect is handled, which is a fault of ours, costs the client its handshake and nothing else: no ID stays
// pending, which would hold up the end of the node for ever.
func TestPanicDuringConnect(t *testing.T) {
	n := newTestNode(t, api{routes: map[string]string{"$connect": "hello"}}, apigw.LimitsAWS())
	n.functions.on("hello", func(map[string]any) (awsapi.InvocationResult, error) { panic("a fault of ours") })
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/prod", nil)
	for name, value := range map[string]string{
		"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "Q0FGRUJBQkVERUFEQkVFRg==",
	} {
		r.Header.Set(name, value)
	}
	var told any
	func() {
		defer func() { told = recover() }()
		n.ServeHTTP(httptest.NewRecorder(), r)
	}()
	if told != "a fault of ours" {
		t.Errorf("got the panic %v", told)
	}
	if s := n.Stats(); s.Pending != 0 {
		t.Errorf("%d IDs are pending", s.Pending)
	}
}
