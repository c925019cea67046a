package localca

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
)

// Names of the files in an authority's directory.
const (
	// certFile holds the authority's certificate alone, in PEM, for those who are to trust it.
	certFile = "ca.pem"
	// keyFile holds the private key and the certificate that belongs to it, in PEM. Both are in one file so that they
	// come and go together: there is no moment with a key and another key's certificate.
	keyFile = "ca-key.pem"
	// lockFile is locked while the others are looked at and written.
	lockFile = "lock"
)

// Authority issues certificates. It is safe for concurrent use and holds nothing open.
type Authority struct {
	loaded

	dir   string
	hosts []string
	more  atomic.Pointer[[]string] // of Allow
	cache *cache
	tls   *tls.Config
}

// Open loads the authority in dir, or makes a new one there: a P-256 key and a certificate for ten years. dir and its
// parents are made when they are missing. hosts are further names that certificates may be made for, in any case;
// "*.example.test" stands for every name below example.test.
//
// An authority is replaced by a new one when others could read its key or write to its directory, when it is damaged,
// and when its certificate has expired or will within a month; Replaced then says so, and processes that were given the
// old certificate have to be started again. A directory that others could only read is closed to them. Everything else,
// such as a directory that belongs to somebody else, is an error.
//
// Several processes may open the same directory at once: they end up with the same authority.
func Open(dir string, hosts ...string) (*Authority, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the directory of the local authority: %w", err)
	}
	l, err := load(dir)
	if err != nil {
		return nil, err
	}
	a := &Authority{loaded: l, dir: dir, cache: newCache(maxLeaves)}
	for _, h := range hosts {
		a.hosts = append(a.hosts, strings.ToLower(h))
	}
	a.tls = &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: a.certificateFor,
	}
	return a, nil
}

// Allow sets the names, beside those given to Open, that certificates may be made for from now on; it takes the place of
// earlier calls. It may be called at any time.
func (a *Authority) Allow(hosts ...string) {
	more := make([]string, len(hosts))
	for i, h := range hosts {
		more[i] = strings.ToLower(h)
	}
	a.more.Store(&more)
}

// Replaced says what was wrong with the authority that Open found and replaced, for the log; empty when it replaced
// none.
func (a *Authority) Replaced() string { return a.replaced }

// CertFile is the absolute path of the authority's certificate in PEM, for NODE_EXTRA_CA_CERTS, AWS_CA_BUNDLE, SSL_CERT_FILE and
// the like.
func (a *Authority) CertFile() string { return filepath.Join(a.dir, certFile) }

// Certificate is the authority's certificate. It must not be changed.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// Secret returns a text of 64 hexadecimal digits that only this authority's key gives, another one for each purpose. It is the
// same for as long as the authority is.
func (a *Authority) Secret(purpose string) (string, error) {
	der, err := x509.MarshalECPrivateKey(a.key)
	if err != nil {
		return "", fmt.Errorf("encode the key of the local authority: %w", err)
	}
	secret, err := hkdf.Key(sha256.New, der, nil, purpose, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("derive a secret from the local authority: %w", err)
	}
	return hex.EncodeToString(secret), nil
}

// Pool returns a new pool with the authority's certificate alone, for clients that are to trust it.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// TLSConfig is the authority's server configuration: TLS 1.2 or later, HTTP/1.1, and a certificate for whatever allowed
// name the client asks for by SNI, or for the local address when it asks for none. It is always the same one, so that
// clients can resume sessions; clone it to change it.
func (a *Authority) TLSConfig() *tls.Config { return a.tls }

// NameError tells that no certificate is made for a name.
type NameError struct{ Name string }

func (e *NameError) Error() string {
	return "no certificate is made for " + e.Name + ": it is neither local nor an execute-api name nor explicitly allowed"
}

func (a *Authority) certificateFor(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	if name == "" {
		name = localName(hello.Conn)
	}
	if !a.allows(name) {
		return nil, &NameError{Name: name}
	}
	return a.leaf(name)
}

// localName is the address that a client without SNI has reached: such a client has connected by address. Where there
// is no address it is localhost.
func localName(c net.Conn) string {
	if c != nil && c.LocalAddr() != nil {
		if ap, err := netip.ParseAddrPort(c.LocalAddr().String()); err == nil {
			return ap.Addr().Unmap().WithZone("").String()
		}
	}
	return "localhost"
}

// maxName is the longest name of a host (RFC 1035 §2.3.4).
const maxName = 253

// allows tells whether a certificate may be made for a name in lower case.
func (a *Authority) allows(name string) bool {
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.Zone() == "" // a zone means something on one machine only
	}
	if name == "" || len(name) > maxName || !isHostName(name) {
		return false
	}
	if name == "localhost" || strings.HasSuffix(name, ".localhost") || isExecuteName(name) || matches(a.hosts, name) {
		return true
	}
	more := a.more.Load()
	return more != nil && matches(*more, name)
}

// matches tells whether a name is among those given, of which "*.domain" stands for every name below it.
func matches(hosts []string, name string) bool {
	return slices.ContainsFunc(hosts, func(h string) bool {
		suffix, pattern := strings.CutPrefix(h, "*.")
		return h == name || pattern && strings.HasSuffix(name, "."+suffix)
	})
}

// isHostName tells whether a name is made of labels of letters, digits, hyphens and underscores.
func isHostName(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.IndexFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
		}) >= 0 {
			return false
		}
	}
	return true
}

// isExecuteName tells whether a name is {apiId}.execute-api.{region}.amazonaws.com or .amazonaws.com.cn (spec
// data-plane §1).
func isExecuteName(name string) bool {
	labels := strings.Split(name, ".")
	if len(labels) > 0 && labels[len(labels)-1] == "cn" {
		labels = labels[:len(labels)-1]
	}
	return len(labels) == 5 && labels[1] == "execute-api" && labels[3] == "amazonaws" && labels[4] == "com"
}
