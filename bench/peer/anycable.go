package peer

import (
	"bytes"
	"context"
	"strconv"
)

const anycableVersion = "v1.5.6"

type anycable struct{ program string }

// AnyCable returns AnyCable-Go 1.5.
func AnyCable() Server { return &anycable{} }

func (*anycable) Name() string { return "anycable" }

func (a *anycable) Install(ctx context.Context, dir string) (string, error) {
	var err error
	a.program, err = golang(ctx, dir, "github.com/anycable/anycable-go/cmd/anycable-go", anycableVersion)
	return anycableVersion, err
}

func (*anycable) Notes() string {
	return "A message is the action of a channel, which goes to the backend as a call of its RPC over HTTP, as do connects; where no " +
		"backend is asked to let clients in (`--norpc --noauth`), they may subscribe to streams by name. A push is a broadcast over HTTP to the client's own stream. " +
		"512 calls at a time instead of 28; its HTTP client keeps 2 idle connections to a backend, which cannot be set. Broadcasts are " +
		"spread by 32 goroutines instead of 16. It does not tell the backend of disconnections, nor log, nor ping more than once a day."
}

func (*anycable) Can(s Scenario) (string, bool) {
	switch s {
	case ScenarioFunction:
		return "AnyCable calls gRPC and HTTP backends only, no functions", false
	case ScenarioMock:
		return "AnyCable answers nothing by itself: each action goes to a backend", false
	default:
		return "", true
	}
}

func (a *anycable) Start(ctx context.Context, s Setup) (Instance, error) {
	addrs, err := freeAddrs(ctx, 2)
	if err != nil {
		return nil, err
	}
	i := &anycableInstance{
		instance: newInstance(s.Dir, addrs[0]), broadcasts: addrs[1],
		rpc:       s.Scenario == ScenarioMessage || s.Scenario == ScenarioConnectHTTP || s.Scenario == ScenarioIdle,
		stream:    s.Scenario == ScenarioIdle,
		subscribe: s.Scenario != ScenarioConnect && s.Scenario != ScenarioConnectHTTP,
	}
	args := []string{
		"--host", "127.0.0.1", "--port", port(addrs[0]), "--broadcast_adapter", "http", "--http_broadcast_port", port(addrs[1]),
		"--log_level", "error", "--disable_disconnect", "--ping_interval", "86400", "--hub_gopool_size", "32",
	}
	if i.rpc {
		args = append(args, "--rpc_host", "http://"+s.Backend+"/anycable", "--rpc_concurrency", "512", "--http_rpc_timeout", "30000")
	} else {
		args = append(args, "--norpc", "--noauth", "--public_streams")
	}
	if s.CertFile != "" {
		args = append(args, "--ssl_cert", s.CertFile, "--ssl_key", s.KeyFile)
	}
	if err := i.start("anycable-go", []string{"ANYCABLE_DISABLE_TELEMETRY=true"}, a.program, args...); err != nil {
		return nil, err
	}
	if err := i.ready(ctx, i.addr, i.broadcasts); err != nil {
		return nil, err
	}
	return i, nil
}

func (*anycable) Routes() []Route {
	return []Route{
		{Path: "/anycable/connect", Answer: func(string, func(string) string, []byte) (int, []string, []byte) {
			return 200, nil, []byte(`{"status":1,"identifiers":"{}","transmissions":["{\"type\":\"welcome\"}"]}`)
		}},
		{Path: "/anycable/command", Answer: func(_ string, _ func(string) string, body []byte) (int, []string, []byte) {
			return anycableCommand(body)
		}},
	}
}

// anycableCommand answers the RPC of a subscription, or of a message, which is sent back.
func anycableCommand(body []byte) (status int, lines []string, answer []byte) {
	identifier := rawField(body, `"identifier":`) // a JSON string of JSON
	if len(identifier) < 2 {
		return 400, nil, nil
	}
	answer = append(answer, `{"status":1,"transmissions":["{\"identifier\":`...)
	answer = appendQuoted(answer, identifier)
	if bytes.Contains(body, []byte(`"command":"subscribe"`)) {
		answer = append(answer, `,\"type\":\"confirm_subscription\"}"]`...)
		if bytes.Contains(identifier, []byte("stream_name")) {
			answer = append(append(append(answer, `,"streams":[`...), identifier...), ']')
		}
		return 200, nil, append(answer, '}')
	}
	data := rawField(body, `"data":`)
	if len(data) < 2 {
		return 400, nil, nil
	}
	answer = append(answer, `,\"message\":`...)
	answer = append(answer, data[1:len(data)-1]...) // the value, escaped once, as it is needed here
	return 200, nil, append(answer, `}"]}`...)
}

// appendQuoted appends the text of a JSON string once more escaped, with its quotes, as part of a JSON string.
func appendQuoted(dst, text []byte) []byte {
	for _, c := range text {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return dst
}

type anycableInstance struct {
	instance
	broadcasts string
	rpc        bool // the backend is asked
	subscribe  bool
	stream     bool // the backend has each client listen to a stream of its own
}

func (a *anycableInstance) Client(i int) Client {
	identifier := `{"channel":"Bench"}`
	switch {
	case a.stream:
		identifier = `{"channel":"Bench","stream_name":"s` + strconv.Itoa(i) + `"}`
	case !a.rpc:
		identifier = `{"channel":"$pubsub","stream_name":"s` + strconv.Itoa(i) + `"}`
	}
	quoted := string(appendString(nil, []byte(identifier)))
	c := Client{
		Path:   "/cable",
		Header: []string{"Sec-WebSocket-Protocol: actioncable-v1-json"},
		Identify: func(text []byte) (string, bool) {
			return "", bytes.Contains(text, []byte(`"welcome"`))
		},
		Message: func(dst []byte, _ uint64, payload []byte) []byte {
			dst = append(append(dst, `{"command":"message","identifier":`...), quoted...)
			dst = append(dst, `,"data":`...)
			return append(appendString(dst, appendString(nil, payload)), '}')
		},
		Reply: func(text []byte) (bool, []byte) {
			return bytes.Contains(text, []byte(`"message":`)) && !bytes.HasPrefix(text, []byte(`{"type":"ping"`)), nil
		},
	}
	if a.subscribe {
		c.Hello = []byte(`{"command":"subscribe","identifier":` + quoted + `}`)
		c.Identify = func(text []byte) (string, bool) {
			return "", bytes.Contains(text, []byte(`"confirm_subscription"`))
		}
	}
	return c
}

func (a *anycableInstance) Push(i int, _ string, text []byte) (string, []byte) {
	body := append([]byte(`{"stream":"s`), strconv.Itoa(i)...)
	body = appendString(append(body, `","data":`...), appendString(nil, text))
	return a.broadcasts, post(a.broadcasts, "/_broadcast", "application/json", append(body, '}'))
}
