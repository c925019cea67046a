package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
	"time"
)

type pushpin struct{}

// Pushpin returns Debian's Pushpin, with Condure and Zurl.
func Pushpin() Server { return pushpin{} }

func (pushpin) Name() string { return "pushpin" }

func (pushpin) Install(ctx context.Context, _ string) (string, error) {
	return debian(ctx, "pushpin", "condure", "zurl")
}

func (pushpin) Notes() string {
	return "Its four programs run as its own runner starts them: Condure (two workers, which speak to clients), the proxy, the handler " +
		"and Zurl (which calls the backend, over kept connections). Messages go to the backend as WebSocket-over-HTTP, as does each connect; a push is " +
		"published to the client's own channel over HTTP, to which the backend subscribes clients by GRIP where they are pushed to or counted " +
		"idle. `message_rate` is raised from 2,500 to 1,000,000 a second, `client_maxconn` is Pushpin's own 50,000 (Condure's queues are a " +
		"twentieth of it, and with short ones it waits 50 ms whenever one is full), Zurl's open " +
		"requests from 2,000 to 20,000, Condure's queue for each client from 100 messages to 10,000, and Zurl's ban on loopback backends is lifted; " +
		"nothing is logged but errors. Its proxy queues 100 new requests for Zurl, which cannot be set, and closes the connections of " +
		"messages beyond that: so it does not hold 1,000 clients that all send at once. Pushpin does not promise delivery: pushes to one connection that come faster than it passes them on are lost."
}

func (pushpin) Can(s Scenario) (string, bool) {
	switch s {
	case ScenarioFunction:
		return "Pushpin calls HTTP backends only, no functions", false
	case ScenarioMock:
		return "Pushpin answers nothing by itself: each message goes to a backend", false
	case ScenarioConnect:
		return "Pushpin asks the backend about each connection", false
	default:
		return "", true
	}
}

var pushpinConfig = template.Must(template.New("pushpin.conf").Parse(`
[global]
rundir={{.Dir}}
ipc_prefix=
stats_connection_ttl=120

[proxy]
routesfile={{.Dir}}/routes
debug=false
auto_cross_origin=false
accept_x_forwarded_protocol=false
set_x_forwarded_protocol=proto-only
updates_check=off
condure_in_specs=ipc://{{.Dir}}/c-out
condure_in_stream_specs=ipc://{{.Dir}}/c-out-stream
condure_out_specs=ipc://{{.Dir}}/c-in
zurl_out_specs=ipc://{{.Dir}}/z-in
zurl_out_stream_specs=ipc://{{.Dir}}/z-in-stream
zurl_in_specs=ipc://{{.Dir}}/z-out
handler_inspect_spec=ipc://{{.Dir}}/inspect
handler_accept_spec=ipc://{{.Dir}}/accept
handler_retry_in_spec=ipc://{{.Dir}}/retry
handler_ws_control_in_spec=ipc://{{.Dir}}/ws-in
handler_ws_control_out_spec=ipc://{{.Dir}}/ws-out
stats_spec=ipc://{{.Dir}}/proxy-stats
command_spec=ipc://{{.Dir}}/proxy-command
intreq_in_specs=ipc://{{.Dir}}/int-in
intreq_in_stream_specs=ipc://{{.Dir}}/int-in-stream
intreq_out_specs=ipc://{{.Dir}}/int-out

[handler]
push_in_spec=ipc://{{.Dir}}/push
push_in_http_addr=127.0.0.1
push_in_http_port={{.PushPort}}
push_in_http_max_headers_size=10000
push_in_http_max_body_size=1000000
message_rate=1000000
message_hwm=1000000
message_wait=5000
id_cache_ttl=60
connection_subscription_max=20
stats_connection_ttl=120
stats_spec=ipc://{{.Dir}}/stats
command_spec=ipc://{{.Dir}}/command
proxy_inspect_spec=ipc://{{.Dir}}/inspect
proxy_accept_spec=ipc://{{.Dir}}/accept
proxy_retry_out_spec=ipc://{{.Dir}}/retry
proxy_ws_control_in_spec=ipc://{{.Dir}}/ws-out
proxy_ws_control_out_spec=ipc://{{.Dir}}/ws-in
proxy_stats_spec=ipc://{{.Dir}}/proxy-stats
proxy_command_spec=ipc://{{.Dir}}/proxy-command
condure_in_stream_specs=ipc://{{.Dir}}/c-out-stream
condure_out_specs=ipc://{{.Dir}}/c-in
m2a_in_stream_specs=ipc://{{.Dir}}/m2a-out-stream
m2a_out_specs=ipc://{{.Dir}}/m2a-in
proxy_intreq_out_specs=ipc://{{.Dir}}/int-in
proxy_intreq_out_stream_specs=ipc://{{.Dir}}/int-in-stream
proxy_intreq_in_specs=ipc://{{.Dir}}/int-out
`))

var zurlConfig = template.Must(template.New("zurl.conf").Parse(`
[General]
in_spec=ipc://{{.Dir}}/z-in
in_stream_spec=ipc://{{.Dir}}/z-in-stream
out_spec=ipc://{{.Dir}}/z-out
in_req_spec=
defpolicy=allow
allow=
deny=
max_open_requests=20000
buffer_size=200000
timeout=600
in_hwm=100000
out_hwm=100000
`))

// condureMaxconn is Pushpin's own client_maxconn, however few clients come: Condure makes its queues to the proxy a
// twentieth as long, and pauses for 50 ms when one is full.
const condureMaxconn = "50000"

var pushpinRoutes = template.Must(template.New("routes").Parse("* {{.Backend}},over_http\n"))

func (pushpin) Start(ctx context.Context, s Setup) (Instance, error) {
	addrs, err := freeAddrs(ctx, 2)
	if err != nil {
		return nil, err
	}
	i := &pushpinInstance{instance: newInstance(s.Dir, addrs[0]), publish: addrs[1], path: "/pushpin/plain/"}
	if s.Scenario == ScenarioPush || s.Scenario == ScenarioIdle {
		i.path = "/pushpin/subscribe/"
	}
	file := func(name string) string { return filepath.Join(s.Dir, name) }
	data := map[string]string{"Dir": s.Dir, "PushPort": port(i.publish), "Backend": s.Backend}
	if err := errors.Join(
		render(file("pushpin.conf"), pushpinConfig, data),
		render(file("zurl.conf"), zurlConfig, data),
		render(file("routes"), pushpinRoutes, data),
	); err != nil {
		return nil, err
	}
	listen := i.addr + ",stream"
	if s.CertFile != "" {
		if err := pushpinIdentity(s); err != nil {
			return nil, err
		}
		listen += ",tls,default-cert=bench"
	}
	const quiet = "0"
	for _, p := range [][]string{
		{
			"condure", "--log-level", quiet, "--workers", "2", "--listen", listen, "--tls-identities-dir", s.Dir,
			"--zclient-stream", "ipc://" + file("c"), "--stream-maxconn", condureMaxconn, "--messages-max", "10000",
		},
		{"zurl", "--loglevel=" + quiet, "--config=" + file("zurl.conf")},
		{"pushpin-proxy", "--loglevel=" + quiet, "--config=" + file("pushpin.conf")},
		{"pushpin-handler", "--loglevel=" + quiet, "--config=" + file("pushpin.conf")},
	} {
		if err := i.start(p[0], nil, p[0], p[1:]...); err != nil {
			return nil, errors.Join(err, i.stop())
		}
	}
	if err := i.ready(ctx, i.addr, i.publish); err != nil {
		return nil, err
	}
	if s.CertFile != "" {
		return i, nil // all but the listener are as they are without TLS
	}
	if err := i.await(ctx, i.reachesBackend); err != nil {
		return nil, errors.Join(err, i.stop())
	}
	return i, nil
}

// pushpinIdentity copies the certificate and its key to where Condure looks for them, under its names.
func pushpinIdentity(s Setup) error {
	return errors.Join(copyFile(s.CertFile, filepath.Join(s.Dir, "bench.crt")), copyFile(s.KeyFile, filepath.Join(s.Dir, "bench.key")))
}

func (pushpin) Routes() []Route {
	return []Route{
		{Path: "/pushpin/ready", Answer: func(string, func(string) string, []byte) (int, []string, []byte) { return 200, nil, nil }},
		{Path: "/pushpin/plain/", Answer: func(_ string, _ func(string) string, body []byte) (int, []string, []byte) {
			return pushpinEvents(body, "")
		}},
		{Path: "/pushpin/subscribe/", Answer: func(path string, _ func(string) string, body []byte) (int, []string, []byte) {
			return pushpinEvents(body, path[strings.LastIndexByte(path, '/')+1:])
		}},
	}
}

// pushpinEvents answers a request of WebSocket-over-HTTP: it lets clients in, subscribed to a channel unless that is
// empty, and sends messages back. An event is "TYPE\r\n", or "TYPE length\r\ncontent\r\n" with its length in base 16.
func pushpinEvents(body []byte, channel string) (status int, lines []string, answer []byte) {
	lines = []string{"Content-Type: application/websocket-events"}
	for len(body) > 0 {
		head, rest, ok := bytes.Cut(body, []byte("\r\n"))
		if !ok {
			return 400, nil, nil
		}
		kind, size, has := bytes.Cut(head, []byte(" "))
		var content []byte
		if has {
			n, err := strconv.ParseUint(string(size), 16, 31)
			if err != nil || n+2 > uint64(len(rest)) {
				return 400, nil, nil
			}
			content, rest = rest[:n], rest[n+2:]
		}
		body = rest
		switch string(kind) {
		case "OPEN":
			answer = append(answer, "OPEN\r\n"...)
			if channel != "" {
				lines = append(lines, `Sec-WebSocket-Extensions: grip; message-prefix=""`)
				control := `c:{"type":"subscribe","channel":"` + channel + `"}`
				answer = fmt.Appendf(answer, "TEXT %x\r\n%s\r\n", len(control), control)
			}
		case "TEXT":
			answer = append(strconv.AppendInt(append(answer, "TEXT "...), int64(len(content)), 16), "\r\n"...)
			answer = append(append(answer, content...), "\r\n"...)
		case "CLOSE":
			answer = fmt.Appendf(answer, "CLOSE %x\r\n%s\r\n", len(content), content)
		}
	}
	return 200, lines, answer
}

type pushpinInstance struct {
	instance
	publish string
	path    string
}

// reachesBackend asks for a page of the backend, which comes once all four programs have found each other.
func (p *pushpinInstance) reachesBackend(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.addr+"/pushpin/ready", http.NoBody)
	if err != nil {
		return err
	}
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the backend is not reached: %s", resp.Status)
	}
	return nil
}

func (p *pushpinInstance) Client(i int) Client {
	return Client{
		Path:    p.path + strconv.Itoa(i),
		Message: func(dst []byte, _ uint64, payload []byte) []byte { return append(dst, payload...) },
	}
}

func (p *pushpinInstance) Push(i int, _ string, text []byte) (string, []byte) {
	body := append([]byte(`{"items":[{"channel":"`), strconv.Itoa(i)...)
	body = appendString(append(body, `","formats":{"ws-message":{"content":`...), text)
	return p.publish, post(p.publish, "/publish/", "application/json", append(body, "}}}]}"...))
}
