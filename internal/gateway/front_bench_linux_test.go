package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cleat/internal/apigw"
	"cleat/internal/authorizer"
	"cleat/internal/awsapi"
	"cleat/internal/conn"
	"cleat/internal/listen"
)

// What a request from outside costs the process: its clients are another process, this program once more. Beside Cleat's
// own listener stands a bare net/http server with the same gateway behind it.
//
//	go test -run '^$' -bench 'Front' -benchtime 20000x -count 5 ./internal/gateway

const clientEnv = "CLEAT_BENCH_CLIENT"

func BenchmarkFrontPush(b *testing.B) {
	for _, bytes := range []int{1 << 10, 100 << 10} {
		for _, server := range []string{"listen", "net/http"} {
			b.Run(fmt.Sprintf("%dKB/%s", bytes>>10, server), func(b *testing.B) { benchPush(b, server, bytes, false) })
		}
	}
}

// A push that is signed, as all are to "cleat serve", beside the one above that is not.
func BenchmarkFrontPushSigned(b *testing.B) { benchPush(b, "listen", 1<<10, true) }

func benchPush(b *testing.B, server string, bytes int, sign bool) {
	b.Helper()
	n, addr := newFront(b, server, nil, helloConnect)
	c := newLoad(b)
	id := c.ask(b, "open %s", n.addr)
	if sign {
		n.SetIAM(authorizer.NewIAM(authorizer.IAMOptions{Region: iamRegion, Users: testUsers(b), Management: true, Failures: &authorizer.Failures{}}))
	}
	c.ask(b, "push %s %s %d %v 8 2000", addr, id, bytes, sign) // warm
	c.measure(b, "push %s %s %d %v 8 %d", addr, id, bytes, sign, b.N)
}

// pushRequest is a whole request of ann's.
func pushRequest(addr, id string, size int, sign bool) []byte {
	path, body := "/prod/@connections/"+strings.ReplaceAll(id, "=", "%3D"), bytes.Repeat([]byte("x"), size)
	headers := apigw.Fields{{Name: "User-Agent", Value: "bench"}, {Name: "Content-Type", Value: "application/json"}}
	if sign {
		var signer awsapi.SigV4
		u := &url.URL{Scheme: "http", Host: addr, Path: "/prod/@connections/" + id, RawPath: path}
		creds := awsapi.Credentials{AccessKeyID: ann.AccessKeyID, SecretAccessKey: ann.SecretAccessKey}
		headers = append(headers, signer.Sign("POST", u, headers, body, "execute-api", iamRegion, creds, time.Now())...)
	}
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", path, addr, size)
	for _, f := range headers {
		request = fmt.Appendf(request, "%s: %s\r\n", f.Name, f.Value)
	}
	return append(append(request, "\r\n"...), body...)
}

func BenchmarkFrontConnect(b *testing.B) {
	for _, secure := range []bool{false, true} {
		for _, server := range []string{"listen", "net/http"} {
			b.Run(fmt.Sprintf("tls=%v/%s", secure, server), func(b *testing.B) {
				var cfg *tls.Config
				if secure {
					cfg = benchTLS(b)
				}
				_, addr := newFront(b, server, cfg, helloConnect)
				c := newLoad(b)
				c.ask(b, "connect %s %v 16 1000", addr, secure)
				c.measure(b, "connect %s %v 16 %d", addr, secure, b.N)
			})
		}
	}
}

// A connect that nobody decides, for there is no $connect route: it waits for nobody.
func BenchmarkFrontConnectFree(b *testing.B) {
	for _, server := range []string{"listen", "net/http"} {
		b.Run(server, func(b *testing.B) {
			_, addr := newFront(b, server, nil, nil)
			c := newLoad(b)
			c.ask(b, "connect %s false 16 1000", addr)
			c.measure(b, "connect %s false 16 %d", addr, b.N)
		})
	}
}

// helloConnect has a function decide.
var helloConnect = map[string]string{"$connect": "hello"}

// newFront is a node whose records nobody reads, and the address of the server to measure.
func newFront(b *testing.B, server string, cfg *tls.Config, routes map[string]string) (n *node, addr string) {
	b.Helper()
	limits := apigw.LimitsAWS()
	limits.RequestRate, limits.ConnectRate = 0, 0
	n = newTestNode(b, api{routes: routes, keepAlive: -1}, limits)
	n.functions.fast.Store(&instant{answer: []byte(`{"statusCode":200}`)})
	ended, drained := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(drained)
		for {
			select {
			case <-n.records:
			case <-ended:
				return
			}
		}
	}()
	b.Cleanup(func() { close(ended); <-drained })
	ln, err := listen.Open(b.Context(), "127.0.0.1:0", 0)
	if err != nil {
		b.Fatal(err)
	}
	var running sync.WaitGroup
	if server == "listen" {
		o := listen.Options{Log: slog.New(slog.DiscardHandler), Handler: n.Gateway, Yields: true}
		if cfg != nil {
			o.TLS = func(c net.Conn) net.Conn { return conn.ServerTLS(c, cfg) }
		}
		s := listen.New(ln, o)
		ctx, cancel := context.WithCancel(context.Background())
		running.Go(func() { _ = s.Run(ctx) })
		b.Cleanup(func() { cancel(); running.Wait() })
		return n, ln.Addr().String()
	}
	addr = ln.Addr().String()
	if cfg != nil {
		ln = &tlsFront{ln, cfg}
	}
	s := &http.Server{Handler: n.Gateway, ReadHeaderTimeout: time.Minute}
	running.Go(func() { _ = s.Serve(ln) })
	b.Cleanup(func() { _ = s.Close(); running.Wait() })
	return n, addr
}

type tlsFront struct {
	net.Listener
	cfg *tls.Config
}

func (l *tlsFront) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return conn.ServerTLS(c, l.cfg), nil
}

func benchTLS(b *testing.B) *tls.Config {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		b.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
}

// load is a process of clients.
type load struct {
	in  io.Writer
	out *bufio.Scanner
}

func newLoad(b *testing.B) *load {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), self, "-test.run=^TestBenchClient$")
	cmd.Env = append(os.Environ(), clientEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return &load{in, bufio.NewScanner(out)}
}

func (l *load) ask(b *testing.B, format string, args ...any) string {
	b.Helper()
	if _, err := fmt.Fprintf(l.in, format+"\n", args...); err != nil {
		b.Fatal(err)
	}
	if !l.out.Scan() {
		b.Fatal("the clients are gone")
	}
	answer, ok := strings.CutPrefix(l.out.Text(), "ok ")
	if !ok {
		b.Fatal(l.out.Text())
	}
	return answer
}

func (l *load) measure(b *testing.B, format string, args ...any) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu(b)
	l.ask(b, format, args...)
	b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/1e3/float64(b.N), "cpu-us/op")
}

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestBenchClient is the process of clients; of itself it does nothing.
func TestBenchClient(*testing.T) {
	if os.Getenv(clientEnv) == "" {
		return
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		answer, err := obey(lines.Text())
		if err != nil {
			answer = fmt.Sprintf("error %v", err)
		} else {
			answer = "ok " + answer
		}
		fmt.Println(answer)
	}
}

func obey(line string) (string, error) {
	var addr, id string
	var secure bool
	var size, width, n int
	switch what, rest, _ := strings.Cut(line, " "); what {
	case "open":
		return openSocket(rest)
	case "push":
		if _, err := fmt.Sscan(rest, &addr, &id, &size, &secure, &width, &n); err != nil {
			return "", err
		}
		request := pushRequest(addr, id, size, secure)
		return "", parallel(width, n, func(n int) error { return pushAll(addr, request, n) })
	case "connect":
		if _, err := fmt.Sscan(rest, &addr, &secure, &width, &n); err != nil {
			return "", err
		}
		return "", parallel(width, n, func(n int) error { return connectAll(addr, secure, n) })
	}
	return "", fmt.Errorf("what is %q", line)
}

func parallel(width, n int, f func(n int) error) error {
	failed := make(chan error, width)
	for i := range width {
		go func() { failed <- f((n + i) / width) }()
	}
	var err error
	for range width {
		if e := <-failed; e != nil {
			err = e
		}
	}
	return err
}

const shake = "GET /prod HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\nUpgrade: websocket\r\nOrigin: http://localhost\r\n" +
	"Sec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n" +
	"Sec-WebSocket-Key: Q0FGRUJBQkVERUFEQkVFRg==\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"

// openSocket opens a connection that discards what comes, and returns its ID, which the function is told and answers.
func openSocket(addr string) (string, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return "", err
	}
	if _, err := io.WriteString(c, shake); err != nil {
		return "", err
	}
	in := bufio.NewReaderSize(c, 256<<10)
	if err := head(in, "101"); err != nil {
		return "", err
	}
	go func() { _, _ = io.Copy(io.Discard, in) }()
	res, err := http.Get("http://" + addr + "/prod/@connections")
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	_, rest, _ := strings.Cut(string(body), `"connectionId":"`)
	id, _, ok := strings.Cut(rest, `"`)
	if !ok {
		return "", fmt.Errorf("no connection in %s", body)
	}
	return id, nil
}

// head reads the head of an answer.
func head(in *bufio.Reader, status string) error {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 "+status)) {
		return fmt.Errorf("answer %q", line)
	}
	for len(line) > 2 {
		if line, err = in.ReadSlice('\n'); err != nil {
			return err
		}
	}
	return nil
}

func pushAll(addr string, request []byte, n int) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	in := bufio.NewReader(c)
	for range n {
		if _, err := c.Write(request); err != nil {
			return err
		}
		if err := head(in, "200"); err != nil {
			return err
		}
	}
	return nil
}

func connectAll(addr string, secure bool, n int) error {
	in := bufio.NewReader(nil)
	for range n {
		raw, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		c := raw
		if secure {
			c = tls.Client(raw, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
		}
		if _, err := io.WriteString(c, shake); err != nil {
			return err
		}
		in.Reset(c)
		if err := head(in, "101"); err != nil {
			return err
		}
		if tcp, ok := raw.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // only spares the machine its TIME_WAITs
		}
		_ = raw.Close()
	}
	return nil
}
