// Package certs has the certificates that a node of one's own speaks TLS with: those that files hold, chosen by the name
// that a client asks for, and those got from an ACME authority. It keeps them and tells when they end; when to read files
// again, and which names are the node's, its caller knows, package server.
package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Files are the two PEM files of a certificate: the leaf with its chain, and its private key.
type Files struct{ Cert, Key string }

// Set is an immutable set of certificates. The zero value and nil are empty.
type Set struct {
	list   []*tls.Certificate
	files  []Files
	byName map[string]*tls.Certificate // "a.example", "*.example"
}

// FileError says which of several pairs of files is at fault.
type FileError struct {
	Index int // in what Load was given
	Err   error
}

func (e *FileError) Error() string { return e.Err.Error() }

func (e *FileError) Unwrap() error { return e.Err }

// Load reads certificates. Its error joins a *FileError for each pair that cannot be used: what cannot be read, a key that
// does not fit, a certificate that has ended. Of two for the same name the first counts.
func Load(files []Files, now time.Time) (*Set, error) {
	s := &Set{files: files, byName: map[string]*tls.Certificate{}}
	var faults []error
	for i, f := range files {
		c, err := load(f, now)
		if err != nil {
			faults = append(faults, &FileError{i, err})
			continue
		}
		s.list = append(s.list, c)
		for _, name := range namesOf(c.Leaf) {
			if s.byName[name] == nil {
				s.byName[name] = c
			}
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return s, nil
}

func load(f Files, now time.Time) (*tls.Certificate, error) {
	cert, err := os.ReadFile(f.Cert)
	if err != nil {
		return nil, fmt.Errorf("the certificate: %w", err)
	}
	key, err := os.ReadFile(f.Key)
	if err != nil {
		return nil, fmt.Errorf("the private key: %w", err)
	}
	c, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s with %s: %w", f.Cert, f.Key, err)
	}
	if !now.Before(c.Leaf.NotAfter) {
		return nil, fmt.Errorf("%s ended at %s: put a new certificate in its place", f.Cert, c.Leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return &c, nil
}

// namesOf are the names that a certificate is for; the common name counts where there are no others.
func namesOf(c *x509.Certificate) []string {
	var names []string
	for _, name := range c.DNSNames {
		names = append(names, strings.ToLower(name))
	}
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 && c.Subject.CommonName != "" {
		names = append(names, strings.ToLower(c.Subject.CommonName))
	}
	return names
}

// find returns the certificate for a name, nil when there is none: its own before that of the wildcard above it.
func (s *Set) find(name string) *tls.Certificate {
	if s == nil {
		return nil
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if c := s.byName[name]; c != nil {
		return c
	}
	if _, rest, ok := strings.Cut(name, "."); ok {
		return s.byName["*."+rest]
	}
	return nil
}

// first is what clients get who name no host, or one that nobody knows.
func (s *Set) first() *tls.Certificate {
	if s == nil || len(s.list) == 0 {
		return nil
	}
	return s.list[0]
}

// Expiry is when a certificate ends.
type Expiry struct {
	Source string // the file, or "acme"
	Name   string // the first that it is for
	From   time.Time
	At     time.Time
}

func (s *Set) expiries() []Expiry {
	if s == nil {
		return nil
	}
	out := make([]Expiry, 0, len(s.list))
	for i, c := range s.list {
		out = append(out, expiry(s.files[i].Cert, c.Leaf))
	}
	return out
}

func expiry(source string, leaf *x509.Certificate) Expiry {
	e := Expiry{Source: source, From: leaf.NotBefore, At: leaf.NotAfter}
	if names := namesOf(leaf); len(names) > 0 {
		e.Name = names[0]
	}
	return e
}
