package localca

import (
	"container/list"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/user"
	"sync"
	"time"
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	// authorityRest is the life that an authority must have left to be used on.
	authorityRest = 30 * 24 * time.Hour
	// leafLife is the life of an issued certificate: short, since a new one costs nothing. Some clients refuse more
	// than 398 days.
	leafLife = 30 * 24 * time.Hour
	// leafRest is the life that a kept certificate must have left to be handed out.
	leafRest = 24 * time.Hour
	// backdate makes up for clocks that differ.
	backdate = time.Hour
	// maxLeaves bounds the certificates that are kept, about 3 KB each.
	maxLeaves = 256
)

// newAuthority makes a key and a certificate that certifies itself.
func newAuthority(now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make the authority's key: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{Organization: []string{"Cleat local authority"}, CommonName: "Cleat local authority " + owner()},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(authorityLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true, // it issues leaves only
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, fmt.Errorf("make the authority's certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("read the authority's certificate back: %w", err)
	}
	return cert, key, nil
}

// owner tells apart the authorities that somebody may see in a list.
func owner() string {
	name := "somebody"
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

func newSerial() (*big.Int, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("draw a serial number: %w", err)
	}
	return serial, nil
}

// leaf returns a certificate for an allowed name: the kept one while it has some life left, else a new one.
func (a *Authority) leaf(name string) (*tls.Certificate, error) {
	now := time.Now()
	if c, ok := a.cache.get(name); ok && now.Add(leafRest).Before(c.Leaf.NotAfter) {
		return c, nil
	}
	c, err := a.issue(name, now)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for %s: %w", name, err)
	}
	a.cache.put(name, c)
	return c, nil
}

// issue makes a certificate for one name or address. The key is the certificate's own: the authority's never leaves
// this package.
func (a *Authority) issue(name string, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	end := now.Add(leafLife)
	if end.After(a.cert.NotAfter) {
		end = a.cert.NotAfter
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{Organization: []string{"Cleat development certificate"}},
		NotBefore:             now.Add(-backdate),
		NotAfter:              end,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key, Leaf: parsed}, nil
}

// cache keeps the certificates that were used last.
type cache struct {
	max int

	mu    sync.Mutex
	order *list.List // of entry; the one used last is in front
	names map[string]*list.Element
}

type entry struct {
	name string
	cert *tls.Certificate
}

func newCache(size int) *cache {
	return &cache{max: size, order: list.New(), names: map[string]*list.Element{}}
}

func (c *cache) get(name string) (*tls.Certificate, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.names[name]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	kept, ok := e.Value.(entry)
	return kept.cert, ok
}

func (c *cache) put(name string, cert *tls.Certificate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.names[name]; ok {
		c.order.Remove(old)
	}
	c.names[name] = c.order.PushFront(entry{name: name, cert: cert})
	for c.order.Len() > c.max {
		oldest := c.order.Back()
		if e, ok := c.order.Remove(oldest).(entry); ok {
			delete(c.names, e.name)
		}
	}
}
