package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// ACMEOptions say from whom certificates are got, and how it is proved whose the names are.
type ACMEOptions struct {
	Log *slog.Logger // required
	// Dir keeps account, keys and certificates.
	Dir string
	// Directory is the authority's. Empty: Let's Encrypt.
	Directory string
	Email     string // where the authority writes to; may be empty
	Root      string // a PEM file of who is trusted when speaking with the directory; empty: the system's
	// Allow decides about a name that a client asks for and nobody has named before. It is asked during handshakes.
	Allow func(name string) bool
	// TLS and HTTP are the addresses at which challenges are answered by TLS-ALPN-01 (that of a listener with a
	// Keeper's configuration, which the authority reaches at port 443) and HTTP-01 (that of a server with HTTP, at port
	// 80). Empty: not in this way.
	TLS, HTTP string
}

// ACME gets certificates from an authority, keeps them, and renews them. All methods are safe for concurrent use.
type ACME struct {
	o         ACMEOptions
	cache     *certmagic.Cache
	config    *certmagic.Config
	issuer    *certmagic.ACMEIssuer
	challenge *tls.Config // of handshakes that are challenges
	ctx       context.Context
	cancel    context.CancelFunc

	mu    sync.Mutex
	names map[string]bool // under management; true: as long as Allow says so
}

// maxAsked bounds the names that clients have certificates got for, beside those that were named.
const maxAsked = 10_000

// NewACME returns an ACME that manages nothing yet. Close must be called.
func NewACME(o ACMEOptions) (*ACME, error) {
	a := &ACME{o: o, names: map[string]bool{}}
	issuer := certmagic.ACMEIssuer{
		CA: o.Directory, Email: o.Email, Agreed: true, DisableHTTPChallenge: o.HTTP == "", DisableTLSALPNChallenge: o.TLS == "", Logger: zap.NewNop(),
	}
	if o.Directory == "" {
		issuer.CA = certmagic.LetsEncryptProductionCA
	} else {
		issuer.TestCA = o.Directory // or failures would be tried out with Let's Encrypt
	}
	var err error
	if o.TLS != "" {
		if issuer.ListenHost, issuer.AltTLSALPNPort, err = splitPort(o.TLS); err != nil {
			return nil, fmt.Errorf("ACME: %w", err)
		}
	}
	if o.HTTP != "" {
		var host string
		if host, issuer.AltHTTPPort, err = splitPort(o.HTTP); err != nil {
			return nil, fmt.Errorf("ACME: %w", err)
		}
		if o.TLS == "" {
			issuer.ListenHost = host
		}
	}
	if o.Root != "" {
		pem, err := os.ReadFile(o.Root)
		if err != nil {
			return nil, fmt.Errorf("ACME: the authorities to trust: %w", err)
		}
		issuer.TrustedRoots = x509.NewCertPool()
		if !issuer.TrustedRoots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ACME: there is no certificate in %s", o.Root)
		}
	}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	a.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return a.config, nil },
		Logger:           zap.NewNop(),
	})
	a.config = certmagic.New(a.cache, certmagic.Config{Storage: &certmagic.FileStorage{Path: o.Dir}, OnEvent: a.event, Logger: zap.NewNop()})
	a.issuer = certmagic.NewACMEIssuer(a.config, issuer)
	a.config.Issuers = []certmagic.Issuer{a.issuer}
	a.challenge = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{challengeProtocol}, GetCertificate: a.config.GetCertificate}
	return a, nil
}

func splitPort(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	return host, port, err
}

// challengeProtocol is what a TLS-ALPN-01 challenge offers alone (RFC 8737 §4).
const challengeProtocol = "acme-tls/1"

func isChallenge(hello *tls.ClientHelloInfo) bool {
	return len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == challengeProtocol
}

// event tells of what was got and what was not.
func (a *ACME) event(_ context.Context, event string, data map[string]any) error {
	switch event {
	case "cert_obtained":
		a.o.Log.Info("a certificate was got from the ACME authority", "name", data["identifier"], "renewal", data["renewal"])
	case "cert_failed": // certmagic tries again, with ever longer pauses
		a.o.Log.Error("no certificate could be got from the ACME authority; it is tried again", "name", data["identifier"], "err", data["error"])
	}
	return nil
}

// Keep manages certificates for the given names, got as soon as can be, and lets those go that were given before and are
// not any more, or that clients asked for and Allow refuses by now.
func (a *ACME) Keep(names []string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var fresh []string
	var gone []certmagic.SubjectIssuer
	for name, asked := range a.names {
		if !slices.Contains(names, name) && (!asked || !a.o.Allow(name)) {
			gone = append(gone, certmagic.SubjectIssuer{Subject: name})
			delete(a.names, name)
		}
	}
	for _, name := range names {
		if _, known := a.names[name]; !known {
			fresh = append(fresh, name)
		}
		a.names[name] = false
	}
	if len(gone) > 0 {
		a.cache.RemoveManaged(gone)
	}
	if len(fresh) == 0 {
		return nil
	}
	return a.config.ManageAsync(a.ctx, fresh)
}

// certificate returns what there is for the name that a client asks for. If nothing is, and the name is allowed, it
// is got for the next one: nobody waits in a handshake.
func (a *ACME) certificate(hello *tls.ClientHelloInfo) *tls.Certificate {
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	if name == "" {
		return nil
	}
	if c, err := a.config.GetCertificate(hello); err == nil {
		return c
	}
	if !a.ask(name) {
		return nil
	}
	if err := a.config.ManageAsync(a.ctx, []string{name}); err != nil {
		a.o.Log.Error("no certificate can be got from the ACME authority", "name", name, "err", err)
		return nil
	}
	if c, err := a.config.GetCertificate(hello); err == nil { // it was kept from an earlier run
		return c
	}
	return nil
}

// ask tells whether a certificate has to be got for a name.
func (a *ACME) ask(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.names[name]; known || len(a.names) >= maxAsked || !a.o.Allow(name) {
		return false
	}
	a.names[name] = true
	return true
}

// HTTP answers HTTP-01 challenges; all else is sent to the same address under https.
func (a *ACME) HTTP() http.Handler {
	return a.issuer.HTTPChallengeHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead || host == "" || strings.ContainsAny(host, "/\\?#@") {
			http.Error(w, "Use HTTPS", http.StatusBadRequest)
			return
		}
		http.Redirect(w, r, "https://"+host+r.URL.RequestURI(), http.StatusPermanentRedirect) //nolint:gosec // G710: to the host that was asked
	}))
}

func (a *ACME) expiries() []Expiry {
	a.mu.Lock()
	names := make([]string, 0, len(a.names))
	for name := range a.names {
		names = append(names, name)
	}
	a.mu.Unlock()
	slices.Sort(names)
	var out []Expiry
	for _, name := range names {
		for _, c := range a.cache.AllMatchingCertificates(name) {
			if c.Leaf != nil {
				out = append(out, expiry("acme", c.Leaf))
			}
		}
	}
	return out
}

// Close ends what is under way; certificates are not renewed any more.
func (a *ACME) Close() {
	a.cancel()
	a.cache.Stop()
	certmagic.CleanUpOwnLocks(context.Background(), zap.NewNop()) // of certificates that were being got
}
