package peer

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"text/template"
)

// nchan is nginx with its module nchan.
type nchan struct{}

// Nchan returns Debian's nginx with the module nchan.
func Nchan() Server { return nchan{} }

func (nchan) Name() string { return "nchan" }

func (nchan) Install(ctx context.Context, _ string) (string, error) {
	return debian(ctx, "libnginx-mod-nchan", "nginx-core")
}

func (nchan) Notes() string {
	return `Each client is publisher and subscriber of a channel of its own (` + "`nchan_pubsub`" + `). A message goes to the backend as
` + "`nchan_publisher_upstream_request`" + `, whose answer is published to the channel; an HTTP connect is
` + "`nchan_authorize_request`" + `; a push is a POST to a publisher location. Two workers, one for each core, with a listening socket each
(` + "`reuseport`" + `), so that both have as many clients. All connections to the backend are kept (there is one for each message under way), headers of clients are not
passed on, and nothing is logged. A channel keeps one message: none is kept for clients that come later, and keeping none at all
has nchan lose messages between workers.`
}

func (nchan) Can(s Scenario) (string, bool) {
	switch s {
	case ScenarioFunction:
		return "nchan calls HTTP backends only, no functions", false
	case ScenarioMock:
		return "nchan has no mapping templates: what it sends back without a backend is the message itself", false
	default:
		return "", true
	}
}

var nchanConfig = template.Must(template.New("nginx.conf").Parse(`
load_module /usr/lib/nginx/modules/ngx_nchan_module.so;
daemon off;
pid {{.Dir}}/nginx.pid;
worker_processes 2;
error_log stderr crit;
events { worker_connections 19000; multi_accept on; }
http {
	access_log off;
	client_body_temp_path {{.Dir}}/body;
	proxy_temp_path {{.Dir}}/proxy;
	fastcgi_temp_path {{.Dir}}/fastcgi;
	uwsgi_temp_path {{.Dir}}/uwsgi;
	scgi_temp_path {{.Dir}}/scgi;
	keepalive_requests 1000000000;
	keepalive_timeout 1h;
	tcp_nodelay on;
	nchan_shared_memory_size 1g;
	nchan_message_buffer_length 1;
	nchan_message_timeout 5s;
	upstream backend {
		server {{.Backend}};
		keepalive {{.KeepAlive}};
		keepalive_requests 1000000000;
		keepalive_timeout 1h;
	}
	proxy_http_version 1.1;
	proxy_pass_request_headers off;
	proxy_set_header Connection "";
	server {
		listen {{.Addr}} reuseport backlog=4096 {{if .CertFile}}ssl{{end}};
		{{if .CertFile}}
		ssl_certificate {{.CertFile}};
		ssl_certificate_key {{.KeyFile}};
		ssl_protocols TLSv1.2 TLSv1.3;
		{{end}}
		location ~ ^/ws/(\d+)$ {
			nchan_pubsub websocket;
			nchan_channel_id $1;
			nchan_subscriber_first_message newest;
			nchan_publisher_upstream_request /message;
			{{if .Authorize}}nchan_authorize_request /connect;{{end}}
		}
		location = /message { internal; proxy_pass http://backend/nchan/message; }
		location = /connect { internal; proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_pass http://backend/nchan/connect; }
	}
	server {
		listen {{.PushAddr}} reuseport;
		location ~ ^/push/(\d+)$ {
			nchan_publisher http;
			nchan_channel_id $1;
		}
	}
}
`))

func (nchan) Start(ctx context.Context, s Setup) (Instance, error) {
	addrs, err := freeAddrs(ctx, 2)
	if err != nil {
		return nil, err
	}
	i := &nchanInstance{instance: newInstance(s.Dir, addrs[0]), pushAddr: addrs[1]}
	config := filepath.Join(s.Dir, "nginx.conf")
	if err := render(config, nchanConfig, map[string]any{
		"Dir": s.Dir, "Backend": s.Backend, "Addr": i.addr, "PushAddr": i.pushAddr,
		"CertFile": s.CertFile, "KeyFile": s.KeyFile, "Authorize": s.Scenario == ScenarioConnectHTTP,
		"KeepAlive": max(512, s.Connections), // nginx has a connection for each call that is under way: all are kept
	}); err != nil {
		return nil, err
	}
	if err := i.start("nginx", nil, "nginx", "-c", config, "-p", s.Dir); err != nil {
		return nil, err
	}
	if err := i.ready(ctx, i.addr); err != nil {
		return nil, err
	}
	return i, nil
}

func (nchan) Routes() []Route {
	return []Route{
		{Path: "/nchan/message", Answer: func(_ string, _ func(string) string, body []byte) (int, []string, []byte) {
			return 200, nil, body
		}},
		{Path: "/nchan/connect", Answer: func(string, func(string) string, []byte) (int, []string, []byte) {
			return 200, nil, nil
		}},
	}
}

type nchanInstance struct {
	instance
	pushAddr string
}

func (*nchanInstance) Client(i int) Client {
	return Client{
		Path:    "/ws/" + strconv.Itoa(i),
		Message: func(dst []byte, _ uint64, payload []byte) []byte { return append(dst, payload...) },
	}
}

func (n *nchanInstance) Push(i int, _ string, text []byte) (string, []byte) {
	return n.pushAddr, post(n.pushAddr, "/push/"+strconv.Itoa(i), "text/plain", text)
}

// render makes a file of a template.
func render(file string, t *template.Template, data any) error {
	f, err := os.Create(file) //nolint:gosec // G304: below Setup.Dir
	if err != nil {
		return err
	}
	if err := t.Execute(f, data); err != nil {
		_ = f.Close() // the first error counts
		return err
	}
	return f.Close()
}
