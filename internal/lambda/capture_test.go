//go:build unix

package lambda_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/lambda"
)

// authority is a throw-away certificate authority.
type authority struct {
	file string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, file: filepath.Join(t.TempDir(), "ca.pem")}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	rewrite(t, a.file, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	return a
}

// serve runs an HTTPS server that answers with the server name, Host and path that it was asked for. Its certificate
// is good for the names given.
func (a *authority) serve(t *testing.T, names ...string) (addr string) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, "%s %s %s", r.TLS.ServerName, r.Host, r.URL.Path)
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: a.key}}}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

var capturedNames = []string{"*.execute-api.us-east-1.amazonaws.com", "*.execute-api.cn-north-1.amazonaws.com.cn", "localhost"}

// serveProxy runs an HTTP proxy that leads CONNECT to a captured host to addr and everything else on, as Cleat does.
func serveProxy(t *testing.T, addr string) (url string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to := r.Host
		if strings.Contains(strings.ToLower(to), ".execute-api.") {
			to = addr
		}
		up, err := net.Dial("tcp", to)
		if r.Method != http.MethodConnect || err != nil {
			http.Error(w, fmt.Sprint(err), http.StatusBadGateway)
			return
		}
		defer up.Close()
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(up, conn) }()
		_, _ = io.Copy(conn, up)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

const nodeCalls = `
const https = require('https'), tls = require('tls')
const ask = (url, o = {}) => new Promise((ok, no) => https.get(url, o, (r) => { let b = ''; r.on('data', (c) => { b += c }); r.on('end', () => ok(b)) }).on('error', no))
const ways = {
  https: (url) => ask(url),
  agent: (url) => ask(url, { agent: new https.Agent({ keepAlive: true }) }),
  fetch: async (url) => (await fetch(url)).text(),
  tls: (url) => new Promise((ok, no) => { const u = new URL(url); const s = tls.connect(Number(u.port || 443), u.hostname, { servername: u.hostname }, () => { s.write('GET ' + u.pathname + ' HTTP/1.0\r\nHost: ' + u.host + '\r\n\r\n') }); let b = ''; s.on('data', (c) => { b += c }); s.on('end', () => ok(b.split('\r\n\r\n')[1])); s.on('error', no) }),
}
exports.h = async (e) => ways[e.way](e.url)
`

// Design §1 "Unmodified code": Node reaches Cleat under the names of AWS, whichever way it connects.
func TestCaptureNode(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "local")
	addr := ca.serve(t, capturedNames...)
	o := lambda.Options{Capture: lambda.Capture{Addr: addr, CAFile: ca.file}, TempDir: filepath.Join(t.TempDir(), `a "b`)}
	if err := os.Mkdir(o.TempDir, 0o700); err != nil {
		t.Fatal(err)
	}
	p := newTestPool(t, o, node(write(t, map[string]string{"app.js": nodeCalls}), "app.h"))
	_, port, _ := net.SplitHostPort(addr)
	for _, way := range []string{"https", "agent", "fetch", "tls"} {
		for url, want := range map[string]string{
			"https://abc123.execute-api.us-east-1.amazonaws.com/dev/x": `"abc123.execute-api.us-east-1.amazonaws.com abc123.execute-api.us-east-1.amazonaws.com /dev/x"`,
			"https://abc123.execute-api.cn-north-1.amazonaws.com.cn/":  `"abc123.execute-api.cn-north-1.amazonaws.com.cn abc123.execute-api.cn-north-1.amazonaws.com.cn /"`,
			"https://ABC123.Execute-API.us-east-1.amazonaws.com/":      `"abc123.execute-api.us-east-1.amazonaws.com abc123.execute-api.us-east-1.amazonaws.com /"`,
			"https://localhost:" + port + "/dev":                       `"localhost localhost:` + port + ` /dev"`,
		} {
			if got := p.succeed(t, `{"way":"`+way+`","url":"`+url+`"}`); got != want {
				t.Errorf("%s %s = %s, want %s", way, url, got, want)
			}
		}
	}
	if got, want := p.succeed(t, `{"way":"https","url":"https://`+addr+`/dev"}`), `" `+addr+` /dev"`; got != want {
		t.Errorf("by address: %s, want %s", got, want)
	}
}

// No other host is touched.
func TestCaptureLeavesOtherHosts(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "local")
	custom := func() []string { return []string{"ws.example.test", "*.wild.test"} }
	o := lambda.Options{Capture: lambda.Capture{Addr: "127.0.0.1:1", CAFile: ca.file, Hosts: custom}}
	dir := write(t, map[string]string{
		// A look-up of our own shows which names are still looked up.
		"app.js": `const net = require('net')
			exports.h = (to) => new Promise((ok) => {
				const [host, port = 443] = to.split(':')
				const s = net.connect({ host, port, lookup: (name, o, cb) => { ok('looked up ' + name + ':' + port); cb(new Error('enough')) } })
				s.on('error', (e) => ok(e.code + ' ' + e.address + ':' + e.port))
			})`,
		"app.py": "import socket, _socket\ndef fake(host, port, *rest):\n  return [(2, 1, 6, '', (str(host), port))]\n" +
			"def h(to, c):\n  host, _, port = to.partition(':')\n  real, _socket.getaddrinfo = _socket.getaddrinfo, fake\n  try:\n    return '%s:%s' % socket.getaddrinfo(host, int(port or 443))[0][4]\n  finally:\n    _socket.getaddrinfo = real\n",
	})
	hosts := map[string]bool{
		"a1.execute-api.us-east-1.amazonaws.com":           true,
		"A1.EXECUTE-API.us-east-1.AMAZONAWS.COM":           true,
		"a1.execute-api.cn-north-1.amazonaws.com.cn":       true,
		"execute-api.us-east-1.amazonaws.com":              false,
		"a1.execute-api.us-east-1.amazonaws.com.evil.test": false,
		"a1.execute-api.us-east-1.amazonaws.org":           false,
		"dynamodb.us-east-1.amazonaws.com":                 false,
		"x.a1.execute-api.us-east-1.amazonaws.com":         false,
		"example.test":       false,
		"ws.example.test":    true,
		"WS.Example.Test":    true,
		"a.ws.example.test":  false,
		"a.wild.test":        true,
		"wild.test":          false,
		"a.b.wild.test":      false,
		"ws.example.test:80": false,
		"ws.example.test:1":  true, // Cleat's own port
	}
	for name, tt := range map[string]struct {
		f               apigw.Function
		captured, other string
	}{
		"node":   {node(dir, "app.h"), `"ECONNREFUSED 127.0.0.1:1"`, `"looked up HOST:PORT"`},
		"python": {python(dir, "app.h"), `"127.0.0.1:1"`, `"HOST:PORT"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTestPool(t, o, tt.f)
			for host, captured := range hosts {
				name, port, ok := strings.Cut(host, ":")
				if !ok {
					port = "443"
				}
				want := strings.NewReplacer("HOST", name, "PORT", port).Replace(tt.other)
				if captured {
					want = tt.captured
				}
				if got := p.succeed(t, `"`+host+`"`); got != want {
					t.Errorf("%s: %s, want %s", host, got, want)
				}
			}
		})
	}
}

const pythonCalls = `
import http.client, json, os, ssl, urllib.request, urllib.parse, socket

def botocore_(url):
    try:
        import boto3
    except ImportError:
        return 'absent'
    from botocore.config import Config
    u = urllib.parse.urlsplit(url)
    c = boto3.client('apigatewaymanagementapi', endpoint_url='%s://%s/s' % (u.scheme, u.netloc), config=Config(retries={'max_attempts': 0}))
    seen = []
    c.meta.events.register('before-parse.apigatewaymanagementapi.*', lambda response_dict, **kw: seen.append(response_dict['body'].decode()))
    try:
        c.get_connection(ConnectionId='x')
    except Exception as e:
        if not seen:
            raise
    return seen[0].replace('/s/@connections/x', u.path)

def requests_(url):
    try:
        import requests
    except ImportError:
        return 'absent'
    return requests.get(url).text

def urllib3_(url):
    try:
        import urllib3
    except ImportError:
        return 'absent'
    return urllib3.PoolManager().request('GET', url).data.decode()

def plain(url):
    u = urllib.parse.urlsplit(url)
    raw = socket.socket()
    raw.connect((u.hostname, u.port or 443))
    with ssl.create_default_context().wrap_socket(raw, server_hostname=u.hostname) as s:
        s.sendall(('GET %s HTTP/1.0\r\nHost: %s\r\n\r\n' % (u.path, u.netloc)).encode())
        return s.makefile('rb').read().decode().split('\r\n\r\n')[1]

ways = {
    'urllib': lambda url: urllib.request.urlopen(url).read().decode(),
    'plain': plain, 'boto3': botocore_, 'requests': requests_, 'urllib3': urllib3_,
}

def h(e, c):
    return ways[e['way']](e['url'])
`

func TestCapturePython(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "local")
	addr := ca.serve(t, capturedNames...)
	// The machine's own environment names trusted authorities, or not; both must do.
	for name, env := range map[string][]string{"bare": testEnv(), "machine's": append(os.Environ(), "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTestPool(t, lambda.Options{Env: env, Capture: lambda.Capture{Addr: addr, CAFile: ca.file}}, python(write(t, map[string]string{"app.py": pythonCalls}), "app.h"))
			_, port, _ := net.SplitHostPort(addr)
			for _, way := range []string{"urllib", "plain", "boto3", "requests", "urllib3"} {
				for url, want := range map[string]string{
					"https://abc123.execute-api.us-east-1.amazonaws.com/dev": `"abc123.execute-api.us-east-1.amazonaws.com abc123.execute-api.us-east-1.amazonaws.com /dev"`,
					"https://localhost:" + port + "/dev":                     `"localhost localhost:` + port + ` /dev"`,
				} {
					got := p.succeed(t, `{"way":"`+way+`","url":"`+url+`"}`)
					if got == `"absent"` {
						t.Logf("%s is not installed", way)
					} else if got != want {
						t.Errorf("%s %s = %s, want %s", way, url, got, want)
					}
				}
			}
		})
	}
}

// goBootstrap makes this test's own program the bootstrap of a function: a Go program that knows nothing of Cleat.
func goBootstrap(t *testing.T) apigw.Function {
	t.Helper()
	f := node(write(t, map[string]string{"bootstrap": "#!/bin/sh\nCLEAT_TEST_BOOTSTRAP=1 exec '" + os.Args[0] + "'\n"}), "anything")
	f.Runtime = "provided.al2023"
	return f
}

// serveAsBootstrap is a custom runtime (spec lambda §3 and §7). Events are objects with one key, which says what to do.
func serveAsBootstrap() error {
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/"
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment}}
	post := func(path string, body []byte) (int, error) {
		r, err := client.Post(base+path, "application/json", bytes.NewReader(body))
		if err != nil {
			return 0, err
		}
		return r.StatusCode, r.Body.Close()
	}
	if os.Getenv("FAIL_INIT") != "" {
		_, err := post("init/error", []byte(`{"errorType":"Go.Init","errorMessage":"no database"}`))
		return fmt.Errorf("init: %w", err)
	}
	for {
		r, err := client.Get(base + "invocation/next")
		if err != nil {
			return err
		}
		event, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		var e struct {
			URL, Env, Error string
			Misuse, Twice   bool
		}
		if err := json.Unmarshal(event, &e); err != nil {
			return err
		}
		id := r.Header.Get("Lambda-Runtime-Aws-Request-Id")
		answer := event
		switch {
		case e.URL != "":
			answer = []byte(fetch(client, e.URL))
		case e.Env != "":
			answer, err = json.Marshal(os.Getenv(e.Env))
		case e.Error != "":
			_, err = post("invocation/"+id+"/error", []byte(e.Error))
			answer = nil
		case e.Misuse:
			answer, err = misuse(client, base, post)
		case e.Twice:
			var status int
			if status, err = post("invocation/"+id+"/response", []byte(`1`)); err == nil && status != http.StatusAccepted {
				return fmt.Errorf("status %d", status)
			}
			status, err = post("invocation/"+id+"/response", []byte(`2`))
			fmt.Println("second response", status)
			answer = nil
		}
		if err != nil {
			return err
		}
		if answer != nil {
			if _, err := post("invocation/"+id+"/response", answer); err != nil {
				return err
			}
		}
	}
}

func fetch(client *http.Client, url string) string {
	r, err := client.Get(url)
	if err != nil {
		return fmt.Sprintf("%q", err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return fmt.Sprintf("%q", err)
	}
	return fmt.Sprintf("%q", b)
}

// misuse makes calls that the Runtime API must refuse, and returns their statuses.
func misuse(client *http.Client, base string, post func(string, []byte) (int, error)) ([]byte, error) {
	got := map[string]int{}
	for _, path := range []string{"invocation/00000000-0000-4000-8000-000000000000/response", "invocation/x/error", "restore/next", "invocation/next"} {
		status, err := post(path, []byte(`{}`))
		if err != nil {
			return nil, err
		}
		got[path] = status
	}
	foreign := base[:strings.Index(base, "//")+2]
	host, _, _ := strings.Cut(strings.TrimPrefix(base, foreign), "/")
	for name, url := range map[string]string{"no secret": foreign + host + "/2018-06-01/runtime/invocation/next", "wrong secret": foreign + host + "/x/2018-06-01/runtime/invocation/next", "unknown": base + "x"} {
		r, err := client.Get(url)
		if err != nil {
			return nil, err
		}
		got[name] = r.StatusCode
		_ = r.Body.Close()
	}
	return json.Marshal(got)
}

// Design §1: a Go program comes through HTTPS_PROXY, and trusts the local authority through SSL_CERT_FILE.
func TestCaptureGoProgram(t *testing.T) {
	if runtime.GOOS == "darwin" {
		t.Skip("Go asks the system whom to trust there")
	}
	t.Parallel()
	ca, other := newAuthority(t, "local"), newAuthority(t, "user")
	addr, elsewhere := ca.serve(t, capturedNames...), other.serve(t, "localhost")
	c := lambda.Capture{Addr: addr, CAFile: ca.file, Proxy: serveProxy(t, addr)}
	p := newTestPool(t, lambda.Options{Capture: c, Env: append(testEnv(), "SSL_CERT_FILE="+other.file, "HTTPS_PROXY=http://127.0.0.1:1", "NO_PROXY=x.test")}, goBootstrap(t))
	for event, want := range map[string]string{
		`{"url":"https://abc123.execute-api.us-east-1.amazonaws.com/dev"}`: `"abc123.execute-api.us-east-1.amazonaws.com abc123.execute-api.us-east-1.amazonaws.com /dev"`,
		`{"url":"https://` + addr + `/dev"}`:                               `" ` + addr + ` /dev"`,
		`{"url":"https://` + elsewhere + `/dev"}`:                          `" ` + elsewhere + ` /dev"`,
		`{"env":"HTTPS_PROXY"}`:                                            `"` + c.Proxy + `"`,
		`{"env":"NO_PROXY"}`:                                               `"x.test,localhost,127.0.0.1,::1"`,
		`{"env":"AWS_EXECUTION_ENV"}`:                                      `""`,
	} {
		if got := p.succeed(t, event); got != want {
			t.Errorf("%s = %s, want %s", event, got, want)
		}
	}
}

// With a proxy of the user's, Node and Python programs that honour it come through Cleat's, too.
func TestCaptureBehindProxy(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "local")
	addr := ca.serve(t, capturedNames...)
	c := lambda.Capture{Addr: addr, CAFile: ca.file, Proxy: serveProxy(t, addr)}
	f := python(write(t, map[string]string{"app.py": pythonCalls}), "app.h")
	p := newTestPool(t, lambda.Options{Capture: c, Env: append(testEnv(), "HTTPS_PROXY=http://127.0.0.1:1")}, f)
	want := `"abc123.execute-api.us-east-1.amazonaws.com abc123.execute-api.us-east-1.amazonaws.com /dev"`
	const event = `{"way":"urllib","url":"https://abc123.execute-api.us-east-1.amazonaws.com/dev"}`
	if got := p.succeed(t, event); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// A function's own proxy is the user's word.
	f.Environment = map[string]string{"HTTPS_PROXY": c.Proxy + "/"}
	p.Swap([]apigw.Function{f}, nil)
	if got := p.succeed(t, event); got != want {
		t.Errorf("with the function's own proxy: %s, want %s", got, want)
	}
}

// What the user leaves out of proxying still reaches Cleat where it must, and stays left out where it may.
func TestCaptureKeepsNoProxy(t *testing.T) {
	t.Parallel()
	const always = "localhost,127.0.0.1,::1"
	dir := write(t, map[string]string{"app.py": "import os\ndef h(event, context): return [os.environ.get('NO_PROXY'), os.environ.get('HTTP_PROXY')]\n"})
	for list, want := range map[string]string{
		"":                         `["` + always + `", "http://127.0.0.1:1"]`,
		"localhost,.amazonaws.com": `["localhost,` + always + `", "http://127.0.0.1:1"]`,
		"*.execute-api.eu-west-1.amazonaws.com:443, corp.example": `["corp.example,` + always + `", "http://127.0.0.1:1"]`,
		"corp.example,.example.test,ws.example.test,a.wild.test":  `["corp.example,` + always + `", "http://127.0.0.1:1"]`,
		"s3.amazonaws.com,10.0.0.0/8,[::1]:80":                    `["s3.amazonaws.com,10.0.0.0/8,[::1]:80,` + always + `", "http://127.0.0.1:1"]`,
		"*":                                                       `["` + always + `", null]`,
	} {
		env := append(testEnv(), "HTTPS_PROXY=http://127.0.0.1:1", "HTTP_PROXY=http://127.0.0.1:1", "NO_PROXY="+list)
		c := lambda.Capture{Addr: "127.0.0.1:1", Proxy: "http://127.0.0.1:2", Hosts: func() []string { return []string{"ws.example.test", "*.wild.test"} }}
		p := newTestPool(t, lambda.Options{Capture: c, Env: env}, python(dir, "app.h"))
		if got := p.succeed(t, `{}`); got != want {
			t.Errorf("NO_PROXY=%s: got %s, want %s", list, got, want)
		}
	}
}

// The user's own authorities, preloads and site customizations stay in force.
func TestCaptureKeepsTheUsersOwn(t *testing.T) {
	t.Parallel()
	local, user := newAuthority(t, "local"), newAuthority(t, "user")
	addr, other := local.serve(t, capturedNames...), user.serve(t, "localhost")
	dir := write(t, map[string]string{
		"app.js":                nodeCalls + "\nways.env = (name) => process.env[name]; ways.preloaded = () => globalThis.preloaded",
		"app.py":                pythonCalls + "\nways['env'] = lambda name: os.environ.get(name)\nways['site'] = lambda _: __import__('sitecustomize').mine",
		"site/sitecustomize.py": "mine = 'user'",
		"pre load.cjs":          "globalThis.preloaded = 'user'",
	})
	env := append(testEnv(), "NODE_OPTIONS=--require \""+dir+"/pre load.cjs\"", "PYTHONPATH="+dir+"/site",
		"NODE_EXTRA_CA_CERTS="+user.file, "SSL_CERT_FILE="+user.file, "AWS_CA_BUNDLE="+user.file, "REQUESTS_CA_BUNDLE="+filepath.Dir(user.file))
	c := lambda.Capture{Addr: addr, CAFile: local.file, Endpoints: map[string]string{"AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": "https://" + addr}}
	const captured = "https://a1.execute-api.us-east-1.amazonaws.com/"
	const answer = `"a1.execute-api.us-east-1.amazonaws.com a1.execute-api.us-east-1.amazonaws.com /"`
	elsewhere := `" ` + other + ` /"`
	tests := map[string]struct {
		f     apigw.Function
		calls [][3]string // way, argument, answer
	}{
		"node": {node(dir, "app.h"), [][3]string{
			{"https", captured, answer},
			{"https", "https://" + other + "/", elsewhere},
			{"fetch", "https://" + other + "/", elsewhere},
			{"preloaded", "", `"user"`},
			{"env", "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", `"https://` + addr + `"`},
		}},
		"python": {python(dir, "app.h"), [][3]string{
			{"urllib", captured, answer},
			{"urllib", "https://" + other + "/", elsewhere},
			{"requests", "https://" + other + "/", elsewhere},
			{"boto3", "https://" + other + "/", elsewhere},
			{"site", "", `"user"`},
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTestPool(t, lambda.Options{Capture: c, Env: env}, tt.f)
			for _, call := range tt.calls {
				if got := p.succeed(t, `{"way":"`+call[0]+`","url":"`+call[1]+`"}`); got != call[2] && got != `"absent"` {
					t.Errorf("%s %s = %s, want %s", call[0], call[1], got, call[2])
				}
			}
		})
	}
}

// Spec lambda §3 and §7: a custom runtime, and what the Runtime API refuses.
func TestProvidedRuntime(t *testing.T) {
	t.Parallel()
	f := goBootstrap(t)
	p := newTestPool(t, lambda.Options{}, f)
	if got := p.succeed(t, `{"env":"_HANDLER"}`); got != `"anything"` {
		t.Errorf("_HANDLER = %s", got)
	}
	r, got := p.fail(t, `{"error":"{\"errorType\":\"Go.Error\",\"errorMessage\":\"boom\"}"}`)
	if got.ErrorType != "Go.Error" || r.Cause != "serverless.yml:7: Go.Error: boom" {
		t.Errorf("payload %s, cause %q", r.Payload, r.Cause)
	}
	if r, got := p.fail(t, `{"error":"no JSON"}`); got.ErrorMessage != "no JSON" {
		t.Errorf("payload %s", r.Payload)
	}
	var statuses map[string]int
	if err := json.Unmarshal([]byte(p.succeed(t, `{"misuse":true}`)), &statuses); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{
		"invocation/00000000-0000-4000-8000-000000000000/response": 400, "invocation/x/error": 400, "restore/next": 404,
		"invocation/next": 404, "no secret": 403, "wrong secret": 403, "unknown": 404,
	} {
		if statuses[name] != want {
			t.Errorf("%s: status %d, want %d", name, statuses[name], want)
		}
	}
	if got := p.succeed(t, `{"twice":true}`); got != "1" {
		t.Errorf("answered twice: %s, want the first answer", got)
	}
	eventually(t, "second answer is refused", func() bool {
		for _, l := range p.output() {
			if l.Text == "second response 400" {
				return true
			}
		}
		return false
	})
	f.Environment = map[string]string{"FAIL_INIT": "1"}
	p.Swap([]apigw.Function{f}, nil)
	if r, got := p.fail(t, `{}`); got.ErrorType != "Go.Init" || !strings.Contains(r.Cause, "no database") {
		t.Errorf("payload %s, cause %q", r.Payload, r.Cause)
	}
}
