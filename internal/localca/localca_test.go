package localca_test

import (
	"bytes"
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
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"cleat/internal/localca"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const keyName = "ca-key.pem"

func open(t *testing.T, dir string, hosts ...string) *localca.Authority {
	t.Helper()
	a, err := localca.Open(dir, hosts...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// ask runs a TLS handshake against an authority's server side and returns the certificate that the client saw.
func ask(t *testing.T, a *localca.Authority, client *tls.Config) (*x509.Certificate, tls.ConnectionState, error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		_ = tls.Server(c, a.TLSConfig()).Handshake()
	}()
	defer func() { <-done }()
	raw, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(5 * time.Second))
	client.RootCAs = a.Pool()
	c := tls.Client(raw, client)
	if err := c.Handshake(); err != nil {
		return nil, tls.ConnectionState{}, err
	}
	state := c.ConnectionState()
	return state.PeerCertificates[0], state, nil
}

func TestCertificatesForNames(t *testing.T) {
	t.Parallel()
	a := open(t, t.TempDir(), "chat.example.test", "*.apps.example.test")
	names := map[string]bool{
		"localhost":     true,
		"LOCALHOST":     true,
		"api.localhost": true,
		"a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com":     true,
		"a1b2c3d4e5.execute-api.cn-north-1.amazonaws.com.cn": true,
		"a1b2c3d4e5.execute-api.eu-west-1.localhost":         true,
		"chat.example.test":   true,
		"x.apps.example.test": true,

		"example.test":                     false,
		"apps.example.test":                false,
		"evilchat.example.test":            false,
		"notlocalhost":                     false,
		"dynamodb.eu-west-1.amazonaws.com": false,
		"a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com.evil.test": false,
		"execute-api.eu-west-1.amazonaws.com":                      false,
		"a.b.execute-api.eu-west-1.amazonaws.com":                  false,
	}
	for name, want := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			leaf, state, err := ask(t, a, &tls.Config{ServerName: name, NextProtos: []string{"h2", "http/1.1"}})
			if got := err == nil; got != want {
				t.Fatalf("certificate made: %v, want %v (%v)", got, want, err)
			}
			if !want {
				return
			}
			if state.NegotiatedProtocol != "http/1.1" {
				t.Errorf("protocol %q, want http/1.1", state.NegotiatedProtocol)
			}
			if !slices.Equal(leaf.DNSNames, []string{strings.ToLower(name)}) {
				t.Errorf("names %q", leaf.DNSNames)
			}
			if left := time.Until(leaf.NotAfter); left > 31*24*time.Hour || left < 29*24*time.Hour {
				t.Errorf("valid for %s, want about 30 days", left)
			}
		})
	}
}

func TestRefusedNameIsTyped(t *testing.T) {
	t.Parallel()
	a := open(t, t.TempDir())
	for _, name := range []string{"example.test", "a..localhost", "-\x00.localhost", strings.Repeat("a.", 130) + "localhost", strings.Repeat("a", 64) + ".localhost", "fe80::1%eth0"} {
		_, err := a.TLSConfig().GetCertificate(&tls.ClientHelloInfo{ServerName: name})
		if _, ok := errors.AsType[*localca.NameError](err); !ok {
			t.Errorf("GetCertificate(%q) error %v, want a NameError", name, err)
		}
	}
}

// Names may be allowed later, and taken away again.
func TestAllow(t *testing.T) {
	t.Parallel()
	a := open(t, t.TempDir(), "kept.test")
	made := func(name string) bool {
		_, err := a.TLSConfig().GetCertificate(&tls.ClientHelloInfo{ServerName: name})
		return err == nil
	}
	for _, step := range []struct {
		allow []string
		want  string
	}{
		{[]string{"WS.example.test", "*.wild.test"}, "kept.test ws.example.test a.wild.test"},
		{[]string{"other.test"}, "kept.test other.test"},
		{nil, "kept.test"},
	} {
		a.Allow(step.allow...)
		var got []string
		for _, name := range []string{"kept.test", "ws.example.test", "a.wild.test", "wild.test", "other.test"} {
			if made(name) {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != step.want {
			t.Errorf("with %q allowed certificates are made for %q, want %q", step.allow, got, step.want)
		}
	}
}

func TestCertificateForAddressWithoutSNI(t *testing.T) {
	t.Parallel()
	a := open(t, t.TempDir())
	// An address is never sent as SNI, so the server goes by the one that the client reached.
	leaf, _, err := ask(t, a, &tls.Config{ServerName: "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	if len(leaf.IPAddresses) != 1 || !leaf.IPAddresses[0].Equal(net.IPv4(127, 0, 0, 1)) {
		t.Errorf("addresses %v", leaf.IPAddresses)
	}
	c, err := a.TLSConfig().GetCertificate(&tls.ClientHelloInfo{})
	if err != nil || !slices.Equal(c.Leaf.DNSNames, []string{"localhost"}) {
		t.Errorf("without any address: %v, %v, want one for localhost", c, err)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	a := open(t, t.TempDir())
	if _, _, err := ask(t, a, &tls.Config{ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
}

func TestSessionsResume(t *testing.T) {
	t.Parallel()
	a := open(t, t.TempDir())
	// TLS 1.2 sends its ticket within the handshake, so nothing has to be read after it.
	client := &tls.Config{ServerName: "localhost", MaxVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	for i, want := range []bool{false, true} {
		_, state, err := ask(t, a, client)
		if err != nil || state.DidResume != want {
			t.Errorf("handshake %d resumed: %v, want %v (%v)", i, state.DidResume, want, err)
		}
	}
}

// A secret is the authority's own, one for each purpose.
func TestSecret(t *testing.T) {
	t.Parallel()
	secret := func(dir, purpose string) string {
		s, err := open(t, dir).Secret(purpose)
		if err != nil || len(s) != 64 {
			t.Fatalf("%q, %v", s, err)
		}
		return s
	}
	dir, other := t.TempDir(), t.TempDir()
	one := secret(dir, "one")
	if again := secret(dir, "one"); again != one {
		t.Errorf("%s became %s", one, again)
	}
	if secret(dir, "two") == one || secret(other, "one") == one {
		t.Error("another purpose or authority has the same secret")
	}
}

func TestReopenKeepsTheAuthority(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state", "ca")
	first := open(t, dir)
	second := open(t, dir)
	if !first.Certificate().Equal(second.Certificate()) {
		t.Error("the second Open made another authority")
	}
	if second.Replaced() != "" || first.Replaced() != "" {
		t.Errorf("replaced %q, %q", first.Replaced(), second.Replaced())
	}
	if life := time.Until(first.Certificate().NotAfter); life < 9*365*24*time.Hour {
		t.Errorf("valid for %s, want ten years", life)
	}
	data, err := os.ReadFile(first.CertFile())
	if err != nil {
		t.Fatal(err)
	}
	block, rest := pem.Decode(data)
	if block == nil || !bytes.Equal(block.Bytes, first.Certificate().Raw) || len(rest) != 0 {
		t.Error("CertFile does not hold the certificate alone")
	}
	if !filepath.IsAbs(first.CertFile()) {
		t.Errorf("CertFile %q is not absolute", first.CertFile())
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.tmp"))
	if err != nil || len(left) != 0 {
		t.Errorf("temporary files %v, %v", left, err)
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits")
	}
	dir := filepath.Join(t.TempDir(), "ca")
	a := open(t, dir)
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, keyName): 0o600, a.CertFile(): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
}

func TestOpenMendsWhatItFinds(t *testing.T) {
	t.Parallel()
	chmod := func(rel string, mode os.FileMode) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			if runtime.GOOS == "windows" {
				t.Skip("Windows has no permission bits")
			}
			if err := os.Chmod(filepath.Join(dir, rel), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	write := func(rel string, data []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, rel), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	expiring := func(t *testing.T, dir string) {
		t.Helper()
		write(keyName, selfMade(t, time.Now().Add(29*24*time.Hour), true))(t, dir)
	}
	cases := map[string]struct {
		damage   func(t *testing.T, dir string)
		replaced string // part of Replaced; empty: the authority stays
	}{
		"key readable by the group":    {chmod(keyName, 0o640), "read its key"},
		"key readable by everybody":    {chmod(keyName, 0o604), "read its key"},
		"directory writable by others": {chmod(".", 0o707), "write to its directory"},
		"directory readable by others": {chmod(".", 0o755), ""},
		"empty key file":               {write(keyName, nil), "damaged"},
		"key file of something else":   {write(keyName, []byte("hello")), "damaged"},
		"certificate file missing":     {func(t *testing.T, dir string) { t.Helper(); remove(t, filepath.Join(dir, "ca.pem")) }, ""},
		"certificate file of another":  {write("ca.pem", []byte("other")), ""},
		"key file missing":             {func(t *testing.T, dir string) { t.Helper(); remove(t, filepath.Join(dir, keyName)) }, "-"},
		"certificate about to expire":  {expiring, "expired"},
		"certificate that is no CA's": {func(t *testing.T, dir string) {
			t.Helper()
			write(keyName, selfMade(t, time.Now().Add(1e17), false))(t, dir)
		}, "damaged"},
		"lock left by an ended process": {write("lock", []byte("4711")), ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			before := open(t, dir)
			c.damage(t, dir)
			after := open(t, dir)
			if same := before.Certificate().Equal(after.Certificate()); same != (c.replaced == "") {
				t.Errorf("the same authority: %v (replaced %q)", same, after.Replaced())
			}
			if want := strings.TrimPrefix(c.replaced, "-"); !strings.Contains(after.Replaced(), want) {
				t.Errorf("Replaced() = %q, want it to say %q", after.Replaced(), want)
			}
			again := open(t, dir)
			if !again.Certificate().Equal(after.Certificate()) || again.Replaced() != "" {
				t.Errorf("the mended authority did not last: %q", again.Replaced())
			}
			if data, err := os.ReadFile(after.CertFile()); err != nil || !strings.Contains(string(data), "CERTIFICATE") {
				t.Errorf("certificate file %q, %v", data, err)
			}
			if _, _, err := ask(t, after, &tls.Config{ServerName: "localhost"}); err != nil {
				t.Errorf("handshake with the mended authority: %v", err)
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// selfMade is a key file as Open writes it, with another end or without the right to issue.
func selfMade(t *testing.T, end time.Time, ca bool) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: end, IsCA: ca, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})...)
}

func TestOpenReportsWhatItCannotMend(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	keyIsDir := t.TempDir()
	if err := os.Mkdir(filepath.Join(keyIsDir, keyName), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"the directory is a file": file, "the key file is a directory": keyIsDir} {
		if _, err := localca.Open(dir); err == nil || !strings.Contains(err.Error(), "local authority") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestManyOpenAtOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "ca")
	const openers = 16
	found := make([]*localca.Authority, openers)
	errs := make([]error, openers)
	var all sync.WaitGroup
	for i := range openers {
		all.Go(func() { found[i], errs[i] = localca.Open(dir) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for i, a := range found {
		if !a.Certificate().Equal(found[0].Certificate()) {
			t.Errorf("opener %d got another authority", i)
		}
	}
}

func TestCertificatesAreKeptAndBounded(t *testing.T) {
	t.Parallel()
	get := getter(t, open(t, t.TempDir()))
	first := get("localhost")
	if get("localhost") != first {
		t.Error("the second handshake got another certificate")
	}
	// 256 are kept; the one used least recently goes.
	for i := range 255 {
		get("n" + strconv.Itoa(i) + ".localhost")
	}
	if get("localhost") != first {
		t.Error("a full cache dropped a certificate")
	}
	last := get("n0.localhost")
	for i := range 255 {
		get("m" + strconv.Itoa(i) + ".localhost")
	}
	if get("n0.localhost") != last {
		t.Error("the cache dropped the certificate used last")
	}
	if get("localhost") == first {
		t.Error("the cache holds more than 256 certificates")
	}
}

func TestCertificateIsRenewed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		get := getter(t, open(t, dir))
		first := get("localhost")
		time.Sleep(28 * 24 * time.Hour)
		if get("localhost") != first {
			t.Error("renewed too early")
		}
		time.Sleep(30 * time.Hour)
		second := get("localhost")
		if second == first {
			t.Fatal("a certificate with less than a day left was handed out")
		}
		if left := time.Until(second.Leaf.NotAfter); left < 29*24*time.Hour {
			t.Errorf("the new one is valid for %s", left)
		}
	})
}

func getter(t *testing.T, a *localca.Authority) func(name string) *tls.Certificate {
	t.Helper()
	cfg := a.TLSConfig()
	return func(name string) *tls.Certificate {
		c, err := cfg.GetCertificate(&tls.ClientHelloInfo{ServerName: name})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}
