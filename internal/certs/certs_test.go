package certs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cleat/internal/certs"
)

// certmagic looks every five seconds whether a lock that it gave back is still its own.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.keepLockfileFresh"))
}

var now = time.Now()

// write makes the files of a certificate for names, which ends after a time.
func write(t *testing.T, dir string, after time.Duration, names ...string) certs.Files {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(after), DNSNames: names,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	f := certs.Files{Cert: filepath.Join(dir, names[0]+".pem"), Key: filepath.Join(dir, names[0]+".key")}
	for name, block := range map[string]*pem.Block{f.Cert: {Type: "CERTIFICATE", Bytes: der}, f.Key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// shake is a handshake: the common name of the certificate that a client gets.
func shake(t *testing.T, k *certs.Keeper, client *tls.Config) (string, error) {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	done := make(chan error, 1)
	go func() {
		s := tls.Server(b, k.TLSConfig())
		done <- s.Handshake()
		s.Close()
	}()
	client.InsecureSkipVerify = true
	c := tls.Client(a, client)
	deadline := time.Now().Add(10 * time.Second)
	if err := errors.Join(a.SetDeadline(deadline), b.SetDeadline(deadline)); err != nil {
		t.Fatal(err)
	}
	err := c.Handshake()
	if err != nil {
		a.Close() // the server may wait for more
	}
	if serverErr := <-done; serverErr != nil {
		err = serverErr
	}
	if err != nil {
		return "", err
	}
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

// Of several certificates a client gets the one for its name; with another name, or none, the first.
func TestCertificateByName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	set, err := certs.Load([]certs.Files{
		write(t, dir, time.Hour, "first.example"), write(t, dir, time.Hour, "*.ws.example"), write(t, dir, time.Hour, "own.ws.example", "Other.Example"),
	}, now)
	if err != nil {
		t.Fatal(err)
	}
	var k certs.Keeper
	k.Swap(set)
	for name, want := range map[string]string{
		"first.example": "first.example", "a.ws.example": "*.ws.example", "A.WS.Example": "*.ws.example", "own.ws.example": "own.ws.example",
		"a.b.ws.example": "first.example", "ws.example": "first.example", "other.example": "own.ws.example", "nobody.example": "first.example", "": "first.example",
	} {
		if got, err := shake(t, &k, &tls.Config{ServerName: name}); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
	if _, err := shake(t, &k, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 was spoken")
	}
	if !k.Covers("x.ws.example") || k.Covers("nobody.example") {
		t.Error("covers the wrong names")
	}
	again, err := certs.Load([]certs.Files{write(t, dir, 2*time.Hour, "next.example")}, now)
	if err != nil {
		t.Fatal(err)
	}
	k.Swap(again)
	if got, err := shake(t, &k, &tls.Config{ServerName: "first.example"}); err != nil || got != "next.example" {
		t.Errorf("after a change: %q, %v", got, err)
	}
	if e := k.Expiries(); len(e) != 1 || e[0].Name != "next.example" || !e[0].At.Equal(now.Add(2*time.Hour).Truncate(time.Second)) {
		t.Errorf("expiries %+v", e)
	}
}

func TestNoCertificate(t *testing.T) {
	t.Parallel()
	if _, err := shake(t, &certs.Keeper{}, &tls.Config{ServerName: "a.example"}); err == nil || !strings.Contains(err.Error(), `no certificate for "a.example"`) {
		t.Errorf("got %v", err)
	}
}

// Every pair at fault is told, and which it is.
func TestLoadFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := write(t, dir, time.Hour, "a.example"), write(t, dir, time.Hour, "b.example")
	ended := write(t, dir, -time.Minute, "ended.example")
	files := []certs.Files{a, {Cert: a.Cert, Key: b.Key}, ended, {Cert: filepath.Join(dir, "none"), Key: a.Key}, {Cert: a.Cert, Key: filepath.Join(dir, "none")}, {Cert: a.Key, Key: a.Key}}
	_, err := certs.Load(files, now)
	want := map[int]string{1: "private key does not match", 2: "ended at", 3: "the certificate: open", 4: "the private key: open", 5: "failed to find certificate"}
	many, ok := err.(interface{ Unwrap() []error })
	if !ok || len(many.Unwrap()) != len(want) {
		t.Fatalf("got %v", err)
	}
	for _, err := range many.Unwrap() {
		f, ok := errors.AsType[*certs.FileError](err)
		if !ok || want[f.Index] == "" || !strings.Contains(err.Error(), want[f.Index]) {
			t.Errorf("got %v", err)
		}
	}
}
