package certs

import (
	"crypto/tls"
	"fmt"
	"sync/atomic"
)

// Keeper answers TLS handshakes. Its zero value has no certificates. All methods are safe for concurrent use.
type Keeper struct {
	set atomic.Pointer[Set]
	// ACME gets certificates for names that the files do not cover. Nil: nobody does. It is set before the first handshake.
	ACME *ACME
}

// Swap replaces the certificates of files. Connections keep what they were made with.
func (k *Keeper) Swap(s *Set) { k.set.Store(s) }

// Covers tells whether a file's certificate is for a name.
func (k *Keeper) Covers(name string) bool { return k.set.Load().find(name) != nil }

// Expiries are when the certificates end that there are now.
func (k *Keeper) Expiries() []Expiry {
	out := k.set.Load().expiries()
	if k.ACME != nil {
		out = append(out, k.ACME.expiries()...)
	}
	return out
}

// TLSConfig returns a configuration for servers that speak HTTP/1.1, from TLS 1.2 on.
func (k *Keeper) TLSConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, GetCertificate: k.certificate,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if k.ACME == nil || !isChallenge(hello) {
				return nil, nil //nolint:nilnil // the configuration stays what it is
			}
			return k.ACME.challenge, nil
		},
	}
}

// certificate chooses: a file for the name, then ACME for it, then the first file.
func (k *Keeper) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	set := k.set.Load()
	if c := set.find(hello.ServerName); c != nil {
		return c, nil
	}
	if k.ACME != nil {
		if c := k.ACME.certificate(hello); c != nil {
			return c, nil
		}
	}
	if c := set.first(); c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("there is no certificate for %q", hello.ServerName)
}
