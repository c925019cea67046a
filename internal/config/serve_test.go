package config_test

import (
	"net/netip"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"cleat/internal/config"
)

func TestServe(t *testing.T) {
	t.Parallel()
	r, n := read(t, `-- cleat.yaml --
data: state
account: '000000000001'
public:
  listen: [':443', 'unix:/run/p.sock']
  domain: WS.example.com:8443
  socketMode: '0600'
  trustedProxies: [10.1.2.3/8, '::1', unix]
  proxyProtocol: on
admin: { listen: '127.0.0.1:1', tls: both, trustedProxies: 127.0.0.1, forwardedHeaders: forwarded }
tls: { cert: a.pem, key: /k/a.key }
acme: { email: a@b.example, domains: Chat.example.com, directory: staging, http: ':80', root: root.pem }
stop: { timeout: 1m, delay: 5, closeRate: 100 }
logs: { format: JSON, level: Debug }
`)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	got := n.Serve
	for _, l := range []*config.Listener{&got.Public, &got.Admin} {
		l.Place.Line, l.Place.Column, l.Place.File = 0, 0, ""
		for i := range l.Listen {
			l.Listen[i].Place = l.Place
		}
	}
	none := got.Public.Place
	got.Certificates[0].Place, got.ACME.Place = none, none
	want := config.Serve{
		Data: filepath.Join(r.Dir, "state"), Account: "000000000001", Domain: "ws.example.com:8443",
		Public: config.Listener{
			Listen: []config.Address{{Text: ":443"}, {Text: "unix:/run/p.sock"}}, TLS: config.TLSOn, SocketMode: 0o600,
			Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}, Sockets: true, ProxyProtocol: true,
			Forwarded: []string{"X-Forwarded-For", "X-Forwarded-Proto"},
		},
		Admin: config.Listener{
			Listen: []config.Address{{Text: "127.0.0.1:1"}}, TLS: config.TLSBoth, Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
			Forwarded: []string{"Forwarded"},
		},
		Certificates: []config.CertificateFiles{{Cert: filepath.Join(r.Dir, "a.pem"), Key: "/k/a.key"}},
		ACME: &config.ACME{
			Email: "a@b.example", Domains: []string{"chat.example.com"}, Directory: config.Staging, Root: filepath.Join(r.Dir, "root.pem"), HTTP: ":80",
		},
		Stop:      config.Stop{Timeout: time.Minute, Delay: 5 * time.Second, CloseRate: 100},
		LogFormat: "json", LogLevel: "debug",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestServeDefaults(t *testing.T) {
	t.Parallel()
	r, n := read(t, "-- cleat.yaml --\nlimits: open\n")
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(n.Serve, config.Default().Serve) {
		t.Errorf("got %+v, want the default", n.Serve)
	}
	// The rates that AWS raises on request are off on a node of one's own (design §3).
	for limits, want := range map[string]int{"limits: aws": 0, "limits: { requestRate: 7 }": 7} {
		_, n := read(t, "-- cleat.yaml --\n"+limits+"\n")
		if got := n.Limits.ApplyServe(); got.RequestRate != want || got.ConnectRate != 0 || got.FrameSize != 32<<10 {
			t.Errorf("%s: got %+v", limits, got)
		}
	}
}

// Every fault has its line, and all are told at once.
func TestServeFaults(t *testing.T) {
	t.Parallel()
	r, _ := read(t, `-- cleat.yaml --
data: ''
account: 12
public:
  listen: [x, ':99999', 'unix:p.sock']
  domain: -x-
  tls: on
  socketMode: rw
  proxyProtocol: on
  forwardedHeaders: [X-Real-IP]
  nothing: 1
admin:
  listen: []
  tls: perhaps
  trustedProxies: [10.0.0, fe80::1%eth0]
  forwardedHeaders: [Forwarded, X-Forwarded-For]
stop: { timeout: 10ms, delay: 40s, closeRate: 0 }
logs: { format: xml, level: loud }
`)
	want := []string{
		"cleat.yaml:1: data is empty",
		"cleat.yaml:2: account 12 is not 12 digits",
		`cleat.yaml:4: public.listen: "x" is not an address`,
		`cleat.yaml:4: public.listen: ":99999" is not an address`,
		`cleat.yaml:4: public.listen: "unix:p.sock": a Unix socket has an absolute path`,
		`cleat.yaml:5: public.domain: "-x-" is not a host name`,
		"cleat.yaml:6: public.tls needs a certificate",
		"cleat.yaml:7: public.socketMode rw is not the mode of a file",
		"cleat.yaml:8: public.proxyProtocol needs `trustedProxies`",
		`cleat.yaml:9: public.forwardedHeaders: "X-Real-IP" is none of`,
		"cleat.yaml:9: public.forwardedHeaders needs `trustedProxies`",
		`cleat.yaml:10: public has no setting "nothing"`,
		"cleat.yaml:12: admin.listen is empty",
		`cleat.yaml:13: admin.tls is "perhaps"`,
		`cleat.yaml:14: admin.trustedProxies: "10.0.0" is neither`,
		`cleat.yaml:14: admin.trustedProxies: "fe80::1%eth0" is neither`,
		"cleat.yaml:15: admin.forwardedHeaders: Forwarded cannot stand beside others",
		"cleat.yaml:16: stop.timeout: a stop takes at least 1s",
		"cleat.yaml:16: stop.delay is 40s",
		"cleat.yaml:16: stop.closeRate is 0",
		`cleat.yaml:17: logs.format is "xml"`,
		`cleat.yaml:17: logs.level is "loud"`,
	}
	check(t, r.Err(), want)
	r, _ = read(t, `-- cleat.yaml --
tls: [{ cert: a.pem }, 5]
acme:
  email: nobody
  domains: [ 'a b' ]
  directory: mine
  http: '80'
public: { domain: x.execute-api.eu-west-1.amazonaws.com }
`)
	check(t, r.Err(), []string{
		"cleat.yaml:1: tls has no `key`",
		"cleat.yaml:1: tls must be a map with cert and key",
		`cleat.yaml:3: acme.email "nobody"`,
		`cleat.yaml:4: acme.domains: "a b" is not a host name`,
		`cleat.yaml:5: acme.directory "mine" is neither`,
		`cleat.yaml:6: acme.http "80" is not an address`,
		"cleat.yaml:7: public.domain is x.execute-api",
	})
}

func check(t *testing.T, err error, want []string) {
	t.Helper()
	if err == nil {
		t.Fatal("no faults")
	}
	got := strings.Split(err.Error(), "\n")
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("missing: %s", want[i])
		case i >= len(want):
			t.Errorf("unexpected: %s", got[i])
		case !strings.HasPrefix(got[i], want[i]):
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
}
