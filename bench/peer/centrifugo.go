package peer

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
)

const centrifugoVersion = "v5.4.9"

type centrifugo struct{ program string }

// Centrifugo returns Centrifugo 5.
func Centrifugo() Server { return &centrifugo{} }

func (*centrifugo) Name() string { return "centrifugo" }

func (c *centrifugo) Install(ctx context.Context, dir string) (string, error) {
	var err error
	c.program, err = golang(ctx, dir, "github.com/centrifugal/centrifugo/v5", centrifugoVersion)
	return centrifugoVersion, err
}

func (*centrifugo) Notes() string {
	return "A message is an RPC of its JSON protocol, which the RPC proxy passes on over HTTP; an HTTP connect is the connect " +
		"proxy's; a push is a publication by its server API to the client's own channel, to which clients subscribe where they are " +
		"pushed to or counted idle. Its pool keeps 255 connections to the backend, which cannot be set. Write buffers come from a pool " +
		"(`websocket_use_write_buffer_pool`), read buffers have 512 bytes, both for less memory; limits on connections and channels are " +
		"off; its pings come once a day; nothing is logged but errors, nor counted for Prometheus. Its engine is the one in memory, " +
		"without history or presence."
}

func (*centrifugo) Can(s Scenario) (string, bool) {
	switch s {
	case ScenarioFunction:
		return "Centrifugo calls HTTP and gRPC backends only, no functions", false
	case ScenarioMock:
		return "Centrifugo answers nothing by itself: each RPC goes to a backend", false
	default:
		return "", true
	}
}

func (c *centrifugo) Start(ctx context.Context, s Setup) (Instance, error) {
	addrs, err := freeAddrs(ctx, 2)
	if err != nil {
		return nil, err
	}
	config := map[string]any{
		"address": "127.0.0.1", "port": port(addrs[0]),
		"internal_address": "127.0.0.1", "internal_port": port(addrs[1]),
		"api_insecure": true, "allow_anonymous_connect_without_token": true,
		"allow_subscribe_for_client": true, "allow_subscribe_for_anonymous": true,
		"proxy_rpc_endpoint": "http://" + s.Backend + "/centrifugo/rpc", "proxy_rpc_timeout": "30s",
		"websocket_use_write_buffer_pool": true, "websocket_read_buffer_size": 512, "websocket_write_buffer_size": 1024,
		"ping_interval": "24h", "pong_timeout": "1h",
		"log_level": "error", "health": false, "admin": false,
		"allowed_origins": []string{"*"},
	}
	if s.Scenario == ScenarioConnectHTTP {
		config["proxy_connect_endpoint"] = "http://" + s.Backend + "/centrifugo/connect"
		config["proxy_connect_timeout"] = "30s"
	}
	if s.CertFile != "" {
		config["tls"], config["tls_cert"], config["tls_key"] = true, s.CertFile, s.KeyFile
	}
	b, err := json.MarshalIndent(config, "", "\t")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(s.Dir, "centrifugo.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return nil, err
	}
	i := &centrifugoInstance{instance: newInstance(s.Dir, addrs[0]), api: addrs[1], subscribe: s.Scenario == ScenarioPush || s.Scenario == ScenarioIdle}
	if err := i.start("centrifugo", nil, c.program, "--config", file); err != nil {
		return nil, err
	}
	if err := i.ready(ctx, i.addr, i.api); err != nil {
		return nil, err
	}
	return i, nil
}

func (*centrifugo) Routes() []Route {
	return []Route{
		{Path: "/centrifugo/rpc", Answer: func(_ string, _ func(string) string, body []byte) (int, []string, []byte) {
			data := rawField(body, `"data":`)
			if data == nil {
				return 400, nil, nil
			}
			answer := append([]byte(`{"result":{"data":`), data...)
			return 200, nil, append(answer, "}}"...)
		}},
		{Path: "/centrifugo/connect", Answer: func(string, func(string) string, []byte) (int, []string, []byte) {
			return 200, nil, []byte(`{"result":{"user":"1"}}`)
		}},
	}
}

// rawField returns the JSON value behind the first place where label is, nil when there is none: reading a request should
// cost the backend next to nothing, so that what is measured is the server. It is good for what these servers send, which
// have no such label in a string before it.
func rawField(body []byte, label string) []byte {
	_, rest, ok := bytes.Cut(body, []byte(label))
	if !ok {
		return nil
	}
	depth, quoted, escaped := 0, false, false
	for i, c := range rest {
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			continue
		case c == '}' || c == ']':
			depth--
		case c == ',' && depth == 0:
			return rest[:i]
		}
		switch {
		case depth < 0:
			return rest[:i]
		case depth == 0 && !quoted && !escaped && (c == '"' || c == '}' || c == ']'):
			return rest[:i+1]
		}
	}
	return nil
}

type centrifugoInstance struct {
	instance
	api       string
	subscribe bool // each client to a channel of its own
}

func (c *centrifugoInstance) Client(i int) Client {
	client := Client{
		Path:  "/connection/websocket",
		Hello: []byte(`{"id":1,"connect":{}}`),
		Identify: func(text []byte) (string, bool) {
			return "", bytes.Contains(text, []byte(`"connect":{`))
		},
		Message: func(dst []byte, seq uint64, payload []byte) []byte {
			dst = append(dst, `{"id":`...)
			dst = strconv.AppendUint(dst, seq+2, 10)
			dst = appendString(append(dst, `,"rpc":{"method":"m","data":`...), payload)
			return append(dst, "}}"...)
		},
		Reply: func(text []byte) (bool, []byte) {
			if string(text) == "{}" {
				return false, []byte("{}") // a ping, and its pong
			}
			return bytes.Contains(text, []byte(`"rpc":{`)) || bytes.Contains(text, []byte(`"pub":{`)), nil
		},
	}
	if c.subscribe {
		client.Hello = append(client.Hello, "\n"+`{"id":2,"subscribe":{"channel":"c`+strconv.Itoa(i)+`"}}`...)
		client.Identify = func(text []byte) (string, bool) {
			return "", bytes.Contains(text, []byte(`"subscribe":{`))
		}
	}
	return client
}

func (c *centrifugoInstance) Push(i int, _ string, text []byte) (string, []byte) {
	body := append([]byte(`{"channel":"c`), strconv.Itoa(i)...)
	body = append(appendString(append(body, `","data":`...), text), '}')
	return c.api, post(c.api, "/api/publish", "application/json", body)
}
