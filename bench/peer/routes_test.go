package peer_test

import (
	"encoding/json"
	"strings"
	"testing"

	"cleat/bench/peer"
)

// What servers ask the backend, as they ask it, and what it has to answer.
func TestRoutes(t *testing.T) {
	for name, c := range map[string]struct {
		server peer.Server
		path   string
		body   string
		status int
		want   string // of the answer
	}{
		"nchan: a message":            {peer.Nchan(), "/nchan/message", "hello", 200, "hello"},
		"nchan: a connection":         {peer.Nchan(), "/nchan/connect", "", 200, ""},
		"centrifugo: a connection":    {peer.Centrifugo(), "/centrifugo/connect", "{}", 200, `{"result":{"user":"1"}}`},
		"centrifugo: a message":       {peer.Centrifugo(), "/centrifugo/rpc", `{"client":"a","method":"m","data":"a, \"b\" }"}`, 200, `{"result":{"data":"a, \"b\" }"}}`},
		"centrifugo: an object":       {peer.Centrifugo(), "/centrifugo/rpc", `{"data":{"a":[1,{"b":"}"}]},"user":""}`, 200, `{"result":{"data":{"a":[1,{"b":"}"}]}}}`},
		"centrifugo: a number":        {peer.Centrifugo(), "/centrifugo/rpc", `{"data":12,"user":""}`, 200, `{"result":{"data":12}}`},
		"centrifugo: no data":         {peer.Centrifugo(), "/centrifugo/rpc", `{"method":"m"}`, 400, ""},
		"centrifugo: half of it":      {peer.Centrifugo(), "/centrifugo/rpc", `{"data":"a\`, 400, ""},
		"anycable: a connection":      {peer.AnyCable(), "/anycable/connect", "{}", 200, `{"status":1,"identifiers":"{}","transmissions":["{\"type\":\"welcome\"}"]}`},
		"anycable: no identifier":     {peer.AnyCable(), "/anycable/command", `{"command":"message"}`, 400, ""},
		"anycable: no data":           {peer.AnyCable(), "/anycable/command", `{"command":"message","identifier":"{}"}`, 400, ""},
		"anycable: a message":         {peer.AnyCable(), "/anycable/command", `{"command":"message","identifier":"{\"channel\":\"B\"}","data":"\"hi\""}`, 200, `{"status":1,"transmissions":["{\"identifier\":\"{\\\"channel\\\":\\\"B\\\"}\",\"message\":\"hi\"}"]}`},
		"anycable: a subscription":    {peer.AnyCable(), "/anycable/command", `{"command":"subscribe","identifier":"{\"channel\":\"B\"}"}`, 200, `{"status":1,"transmissions":["{\"identifier\":\"{\\\"channel\\\":\\\"B\\\"}\",\"type\":\"confirm_subscription\"}"]}`},
		"anycable: to a stream":       {peer.AnyCable(), "/anycable/command", `{"command":"subscribe","identifier":"{\"stream_name\":\"s1\"}"}`, 200, `{"status":1,"transmissions":["{\"identifier\":\"{\\\"stream_name\\\":\\\"s1\\\"}\",\"type\":\"confirm_subscription\"}"],"streams":["{\"stream_name\":\"s1\"}"]}`},
		"pushpin: is it ready":        {peer.Pushpin(), "/pushpin/ready", "", 200, ""},
		"pushpin: a connection":       {peer.Pushpin(), "/pushpin/plain/7", "OPEN\r\n", 200, "OPEN\r\n"},
		"pushpin: one to push to":     {peer.Pushpin(), "/pushpin/subscribe/7", "OPEN\r\n", 200, "OPEN\r\nTEXT 24\r\nc:{\"type\":\"subscribe\",\"channel\":\"7\"}\r\n"},
		"pushpin: two messages":       {peer.Pushpin(), "/pushpin/plain/7", "TEXT 3\r\na\r\n\r\nTEXT 10\r\n0123456789abcdef\r\n", 200, "TEXT 3\r\na\r\n\r\nTEXT 10\r\n0123456789abcdef\r\n"},
		"pushpin: an end":             {peer.Pushpin(), "/pushpin/plain/7", "CLOSE 2\r\n\x03\xe8\r\n", 200, "CLOSE 2\r\n\x03\xe8\r\n"},
		"pushpin: a broken end":       {peer.Pushpin(), "/pushpin/plain/7", "DISCONNECT\r\n", 200, ""},
		"pushpin: a length too long":  {peer.Pushpin(), "/pushpin/plain/7", "TEXT 5\r\nabc\r\n", 400, ""},
		"pushpin: a length too large": {peer.Pushpin(), "/pushpin/plain/7", "TEXT ffffffffffffffff\r\nabc\r\n", 400, ""},
		"pushpin: no line":            {peer.Pushpin(), "/pushpin/plain/7", "OPEN", 400, ""},
	} {
		t.Run(name, func(t *testing.T) {
			route := routeOf(t, c.server, c.path)
			status, _, answer := route.Answer(c.path, func(string) string { return "" }, []byte(c.body))
			if status != c.status || string(answer) != c.want {
				t.Errorf("got %d %s, want %d %s", status, answer, c.status, c.want)
			}
			if strings.HasPrefix(c.want, "{") && !json.Valid(answer) {
				t.Error("the answer is not JSON")
			}
		})
	}
}

func routeOf(t *testing.T, s peer.Server, path string) peer.Route {
	t.Helper()
	router, ok := s.(peer.Router)
	if !ok {
		t.Fatalf("%s has no routes", s.Name())
	}
	for _, r := range router.Routes() {
		if r.Path == path || strings.HasSuffix(r.Path, "/") && strings.HasPrefix(path, r.Path) {
			return r
		}
	}
	t.Fatalf("%s has no route for %s", s.Name(), path)
	return peer.Route{}
}

// A scenario that a server cannot do has its reason.
func TestCan(t *testing.T) {
	for _, s := range peer.Peers() {
		for _, scenario := range []peer.Scenario{
			peer.ScenarioMessage, peer.ScenarioPush, peer.ScenarioFunction, peer.ScenarioMock,
			peer.ScenarioConnect, peer.ScenarioConnectHTTP, peer.ScenarioIdle,
		} {
			if why, ok := s.Can(scenario); ok != (why == "") {
				t.Errorf("%s, %s: got %q, %v", s.Name(), scenario, why, ok)
			}
		}
		if s.Notes() == "" {
			t.Errorf("%s has no notes", s.Name())
		}
	}
}
