//go:build e2e

package e2e_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// buildPebble builds a program of the module pebble.
func buildPebble(t *testing.T, name string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), filepath.Base(name))
	build := exec.CommandContext(t.Context(), "go", "build", "-o", out, name)
	build.Dir = "pebble"
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, text)
	}
	return out
}

// background runs a program until the test ends.
func background(t *testing.T, env []string, program string, args ...string) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // if it has ended already, Wait says how
		if err := cmd.Wait(); t.Failed() {
			t.Logf("%s: %v\n%s", filepath.Base(program), err, out.String())
		}
	})
}

// freePorts are ports that nobody listens on.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		ports = append(ports, ln.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// selfSigned makes the files of a certificate for localhost.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// A node gets certificates from an ACME authority by itself: Pebble, Let's Encrypt's own for tests, whose challenges
// (TLS-ALPN-01) come to the public listener.
func TestACME(t *testing.T) {
	pebble, names := buildPebble(t, "github.com/letsencrypt/pebble/v2/cmd/pebble"), buildPebble(t, "github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv")
	ports := freePorts(t, 6)
	at := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", ports[i]) }
	dns, directory, public := at(0), ports[1], at(2)
	cert, key := selfSigned(t)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": at(1), "managementListenAddress": at(3), "certificate": cert, "privateKey": key, "httpPort": ports[4], "tlsPort": ports[2],
		"keyAlgorithm": "ecdsa", "profiles": map[string]any{"default": map[string]any{"description": "the only one", "validityPeriod": 7776000}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	settings := fmt.Sprintf("public: { listen: %q, domain: ws.example.com }\nadmin: { listen: '127.0.0.1:0' }\n"+
		"acme: { email: ops@example.org, domains: chat.example.com, directory: 'https://localhost:%d/dir', root: %q }\n", public, directory, cert)
	for name, text := range map[string][]byte{"pebble.json": config, "cleat.yaml": []byte(settings)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	background(t, nil, names, "-management", at(5), "-defaultIPv6", "", "-defaultIPv4", "127.0.0.1", "-dnsserver", dns, "-doh", "", "-http01", "", "-https01", "", "-tlsalpn01", "")
	background(t, []string{"PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0"}, pebble, "-config", filepath.Join(dir, "pebble.json"), "-dnsserver", dns)
	background(t, nil, built.cleat, "serve", "--config", filepath.Join(dir, "cleat.yaml"), "--data", filepath.Join(dir, "data"))

	for _, name := range []string{"ws.example.com", "chat.example.com"} {
		var got []string
		for end := time.Now().Add(90 * time.Second); !slices.Contains(got, name); time.Sleep(100 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("there is no certificate for %s, only for %q", name, got)
			}
			c, err := tls.Dial("tcp", public, &tls.Config{ServerName: name, InsecureSkipVerify: true})
			if err != nil {
				continue // not yet
			}
			got = c.ConnectionState().PeerCertificates[0].DNSNames
			c.Close()
		}
	}
	if _, err := tls.Dial("tcp", public, &tls.Config{ServerName: "evil.example.com", InsecureSkipVerify: true}); err == nil {
		t.Error("there is a certificate for a name that is not the node's")
	}
}
