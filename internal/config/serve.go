package config

import (
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/cfn"
	"cleat/internal/input"
)

// Serve is what cleat.yaml says of the process that "cleat serve" is, beside the rest of Node. "cleat dev" passes over it.
// Zero values say nothing; nothing that is named here has been opened.
type Serve struct {
	Data    string // absolute path of the data directory
	Account string // 12 digits
	// Domain is the host name, with or without a port, below which every API has a name: {apiId}.{Domain}.
	Domain        string
	Public, Admin Listener
	// Certificates are the pairs of files that TLS is spoken with, in the order of cleat.yaml.
	Certificates []CertificateFiles
	ACME         *ACME // nil: none
	Stop         Stop
	LogFormat    string // "text" or "json"
	LogLevel     string // "debug", "info", "warn" or "error"
}

// TLS modes of a Listener.
const (
	TLSOn   = "on"
	TLSOff  = "off"
	TLSBoth = "both" // TLS and plain HTTP on one port: the first byte tells
)

// Listener is where and how a node listens.
type Listener struct {
	Listen []Address // empty: the default
	// TLS is one of the modes, never empty after Read: on for the public listener of a node that has certificates or ACME,
	// off otherwise.
	TLS string
	// SocketMode is the mode of Unix sockets. Zero: 0660.
	SocketMode uint32
	// Proxies are the addresses of proxies whose word on who a client is counts, and Sockets says the same of all who come
	// by a Unix socket.
	Proxies []netip.Prefix
	Sockets bool
	// ProxyProtocol tells that those begin every connection with a PROXY protocol header.
	ProxyProtocol bool
	// Forwarded are the headers that are believed of them, in canonical spelling.
	Forwarded []string
	Place     cfn.Place
}

// Trusts tells whether any proxy is trusted.
func (l *Listener) Trusts() bool { return l.Sockets || len(l.Proxies) > 0 }

// Address is an address to listen on.
type Address struct {
	Text  string // "host:port", or "unix:" and an absolute path
	Place cfn.Place
}

// CertificateFiles are a certificate's two files, PEM.
type CertificateFiles struct {
	Cert, Key string // absolute paths
	Place     cfn.Place
}

// ACME says from whom certificates are got, and for which names besides those of APIs.
type ACME struct {
	Email   string
	Domains []string
	// Directory is the URL of the authority's directory. Empty: Let's Encrypt.
	Directory string
	// Root is a file of authorities to trust when speaking with the directory. Empty: those of the system.
	Root string
	// HTTP is an address on which HTTP-01 challenges are answered and all else is redirected to HTTPS. Empty: none.
	HTTP  string
	Place cfn.Place
}

// Staging is the directory of Let's Encrypt whose certificates nobody trusts, for trying things out.
const Staging = "https://acme-staging-v02.api.letsencrypt.org/directory"

// Stop says how a node ends.
type Stop struct {
	// Timeout bounds the whole stop.
	Timeout time.Duration
	// Delay is how long the node goes on as before, but not ready, so that load balancers look elsewhere first.
	Delay time.Duration
	// CloseRate is how many connections are closed in a second. Zero: as many as it takes to be done in half the time.
	CloseRate int
}

// DefaultStopTimeout bounds the stop of a node that says nothing of it.
const DefaultStopTimeout = 30 * time.Second

var (
	hostText   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)
	socketMode = regexp.MustCompile(`^0?[0-7]{3}$`)
)

// forwardedNames are the headers that a proxy may tell of its client by.
var forwardedNames = []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded"}

// readServe reads the settings of a node's process.
func (s *reader) readServe() {
	out := &s.node.Serve
	if v := s.root.Get("data"); v != nil {
		if text, ok := s.Text(v, "data"); ok {
			out.Data = s.file(v, "data", text)
		}
	}
	if v := s.root.Get("account"); v != nil {
		if text, ok := s.Text(v, "account"); ok {
			if out.Account = text; !accountID.MatchString(text) {
				s.Faultf(v.Place, "account %s is not 12 digits; put quotes around one that begins with 0", text)
			}
		}
	}
	s.readCertificates()
	s.readACME()
	s.readListener(&out.Public, "public")
	s.readListener(&out.Admin, "admin")
	if v := s.root.Path("public", "domain"); v != nil {
		out.Domain = s.readDomain(v)
	}
	s.readStop()
	s.readOwnLog()
}

// file is a file's absolute path; a relative one is relative to the folder of cleat.yaml.
func (s *reader) file(at *cfn.Value, what, text string) string {
	if text == "" {
		s.Faultf(at.Place, "%s is empty: name a file or folder", what)
		return ""
	}
	if filepath.IsAbs(text) {
		return filepath.Clean(text)
	}
	return filepath.Join(s.Dir, text)
}

func (s *reader) readCertificates() {
	v := s.root.Get("tls")
	for _, item := range s.listItems(v, "tls") {
		if !item.Is(cfn.Map) {
			if !s.broken(item) {
				s.Faultf(item.Place, "tls must be a map with cert and key, or a list of them, not %s", item.Kind)
			}
			continue
		}
		s.CheckKeys(item, "tls", Settings["certificate"])
		c := CertificateFiles{Place: item.Place}
		for _, f := range []struct {
			name string
			into *string
		}{{"cert", &c.Cert}, {"key", &c.Key}} {
			fv := item.Get(f.name)
			if text, ok := s.Text(fv, "tls."+f.name); ok {
				*f.into = s.file(fv, "tls."+f.name, text)
			} else if !s.broken(fv) && !fv.Is(cfn.Map) && !fv.Is(cfn.List) {
				s.Faultf(item.Place, "tls has no `%s`: the PEM file of the %s", f.name, map[string]string{"cert": "certificate with its chain", "key": "private key"}[f.name])
			}
		}
		s.node.Serve.Certificates = append(s.node.Serve.Certificates, c)
	}
}

func (s *reader) readACME() {
	v := s.root.Get("acme")
	if v == nil || v.Kind == cfn.Null {
		return
	}
	s.Entries(v, "acme")
	s.CheckKeys(v, "acme", Settings["acme"])
	a := &ACME{Place: v.Place}
	s.node.Serve.ACME = a
	a.Email, _ = s.Text(v.Get("email"), "acme.email")
	if a.Email != "" && !strings.Contains(a.Email, "@") {
		s.Faultf(v.Get("email").Place, "acme.email %q is not an address of mail", a.Email)
	}
	for _, item := range s.listItems(v.Get("domains"), "acme.domains") {
		if text, ok := s.Text(item, "acme.domains"); ok {
			a.Domains = append(a.Domains, s.host(item, "acme.domains", text))
		}
	}
	if at := v.Get("directory"); at != nil {
		a.Directory, _ = s.Text(at, "acme.directory")
		if a.Directory == "staging" {
			a.Directory = Staging
		} else if !input.IsHTTPURL(a.Directory) && !s.broken(at) {
			s.Faultf(at.Place, "acme.directory %q is neither staging nor the URL of an ACME directory", a.Directory)
		}
	}
	if at := v.Get("root"); at != nil {
		if text, ok := s.Text(at, "acme.root"); ok {
			a.Root = s.file(at, "acme.root", text)
		}
	}
	if at := v.Get("http"); at != nil {
		if text, ok := s.Text(at, "acme.http"); ok {
			if a.HTTP = text; !isTCPAddress(text) {
				s.Faultf(at.Place, "acme.http %q is not an address, such as :80", text)
			}
		}
	}
}

// host is a host name in lower case.
func (s *reader) host(v *cfn.Value, what, text string) string {
	name := strings.ToLower(text)
	if !hostText.MatchString(name) || len(name) > 253 {
		s.Faultf(v.Place, "%s: %q is not a host name, such as ws.example.com", what, text)
	}
	return name
}

// readDomain reads a host name with or without a port.
func (s *reader) readDomain(v *cfn.Value) string {
	text, ok := s.Text(v, "public.domain")
	if !ok {
		return ""
	}
	host, port, cut := strings.Cut(text, ":")
	if n, err := strconv.Atoi(port); cut && (err != nil || n < 1 || n > 65535) {
		s.Faultf(v.Place, "public.domain %q: %q is not a port", text, port)
		return ""
	}
	host = s.host(v, "public.domain", host)
	if strings.HasSuffix(host, ".amazonaws.com") || host == "amazonaws.com" {
		s.Faultf(v.Place, "public.domain is %s: names of Amazon's lead to every node anyway; name a domain of your own", host)
	}
	if cut {
		return host + ":" + port
	}
	return host
}

func (s *reader) readListener(l *Listener, name string) {
	v := s.root.Get(name)
	l.TLS = TLSOff
	able := len(s.node.Serve.Certificates) > 0 || s.node.Serve.ACME != nil
	if name == "public" && able {
		l.TLS = TLSOn
	}
	s.Entries(v, name)
	s.CheckKeys(v, name, Settings[name])
	if !v.Is(cfn.Map) {
		return
	}
	l.Place = v.Place
	for _, item := range s.listItems(v.Get("listen"), name+".listen") {
		s.readAddress(l, item, name+".listen")
	}
	if at := v.Get("tls"); at != nil {
		text, _ := s.Text(at, name+".tls")
		on, ok := input.ParseSwitch(text)
		switch {
		case ok && on:
			l.TLS = TLSOn
		case ok:
			l.TLS = TLSOff
		case text == TLSBoth:
			l.TLS = TLSBoth
		case !s.broken(at):
			s.Faultf(at.Place, "%s.tls is %q: it must be on, off or both", name, text)
		}
		if l.TLS != TLSOff && !able {
			s.Faultf(at.Place, "%s.tls needs a certificate: name its files under `tls`, or set up `acme`", name)
		}
	}
	if at := v.Get("socketMode"); at != nil {
		if text, ok := s.Text(at, name+".socketMode"); ok {
			mode, err := strconv.ParseUint(text, 8, 32)
			if err != nil || !socketMode.MatchString(text) {
				s.Faultf(at.Place, "%s.socketMode %s is not the mode of a file, such as 0660", name, text)
			}
			l.SocketMode = uint32(mode)
		}
	}
	s.readTrust(l, v, name)
}

func (s *reader) readAddress(l *Listener, v *cfn.Value, what string) {
	text, ok := s.Text(v, what)
	if !ok {
		return
	}
	if path, unix := strings.CutPrefix(text, "unix:"); unix {
		if !filepath.IsAbs(path) {
			s.Faultf(v.Place, "%s: %q: a Unix socket has an absolute path, as in unix:/run/cleat/public.sock", what, text)
		}
	} else if !isTCPAddress(text) {
		s.Faultf(v.Place, "%s: %q is not an address, such as :3001, 127.0.0.1:3001 or unix:/run/cleat/public.sock", what, text)
	}
	l.Listen = append(l.Listen, Address{text, v.Place})
}

func isTCPAddress(text string) bool {
	_, port, err := net.SplitHostPort(text)
	n, convErr := strconv.Atoi(port)
	return err == nil && convErr == nil && n >= 0 && n <= 65535
}

// readTrust reads whose word on who a client is counts, and how they give it.
func (s *reader) readTrust(l *Listener, v *cfn.Value, name string) {
	for _, item := range s.listItems(v.Get("trustedProxies"), name+".trustedProxies") {
		text, ok := s.Text(item, name+".trustedProxies")
		if !ok {
			continue
		}
		if text == "unix" {
			l.Sockets = true
			continue
		}
		prefix, err := netip.ParsePrefix(text)
		if addr, addrErr := netip.ParseAddr(text); addrErr == nil && addr.Zone() == "" {
			prefix, err = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()), nil
		}
		if err != nil {
			s.Faultf(item.Place, "%s.trustedProxies: %q is neither an address, nor a network such as 10.0.0.0/8, nor unix", name, text)
			continue
		}
		l.Proxies = append(l.Proxies, prefix.Masked())
	}
	l.ProxyProtocol = s.Flag(v.Get("proxyProtocol"), name+".proxyProtocol", false)
	trusted := v.Get("trustedProxies")
	if l.ProxyProtocol && trusted == nil {
		s.Faultf(v.Get("proxyProtocol").Place, "%s.proxyProtocol needs `trustedProxies`: anybody else could say whatever they like", name)
	}
	if l.Trusts() {
		l.Forwarded = forwardedNames[:2]
	}
	at := v.Get("forwardedHeaders")
	if at == nil {
		return
	}
	l.Forwarded = nil
	if at.Is(cfn.List) && len(at.Items) == 0 || at.Str() == "none" {
		return
	}
	for _, item := range s.listItems(at, name+".forwardedHeaders") {
		text, ok := s.Text(item, name+".forwardedHeaders")
		i := slices.IndexFunc(forwardedNames, func(f string) bool { return strings.EqualFold(f, text) })
		if ok && i < 0 {
			s.Faultf(item.Place, "%s.forwardedHeaders: %q is none of %s", name, text, strings.Join(forwardedNames, ", "))
		}
		if i >= 0 {
			l.Forwarded = append(l.Forwarded, forwardedNames[i])
		}
	}
	if slices.Contains(l.Forwarded, "Forwarded") && len(l.Forwarded) > 1 {
		s.Faultf(at.Place, "%s.forwardedHeaders: Forwarded cannot stand beside others: where they differ nobody knows which the proxy wrote and which its client", name)
	}
	if trusted == nil {
		s.Faultf(at.Place, "%s.forwardedHeaders needs `trustedProxies`: those of whom they are believed", name)
	}
}

func (s *reader) readStop() {
	v := s.root.Get("stop")
	s.Entries(v, "stop")
	s.CheckKeys(v, "stop", Settings["stop"])
	out := Stop{Timeout: DefaultStopTimeout}
	for _, f := range []struct {
		name string
		into *time.Duration
	}{{"timeout", &out.Timeout}, {"delay", &out.Delay}} {
		fv := v.Get(f.name)
		if fv == nil {
			continue
		}
		n, why := limitValue(fv, limitDuration)
		if why == "" && f.name == "timeout" && time.Duration(n) < time.Second {
			why = "a stop takes at least 1s"
		}
		if why != "" {
			s.Faultf(fv.Place, "stop.%s: %s", f.name, why)
			continue
		}
		*f.into = time.Duration(n)
	}
	if out.Delay >= out.Timeout {
		s.Faultf(v.At(), "stop.delay is %s, and stop.timeout, which holds for all of the stop, %s: it must be longer", out.Delay, out.Timeout)
	}
	if n, ok := s.Number(v.Get("closeRate"), "stop.closeRate", 1, 1<<20); ok {
		out.CloseRate = n
	}
	s.node.Serve.Stop = out
}

// readOwnLog reads the form and level of Cleat's own log.
func (s *reader) readOwnLog() {
	v := s.root.Get("logs")
	for _, f := range []struct {
		name  string
		into  *string
		known []string
	}{
		{"format", &s.node.Serve.LogFormat, []string{"text", "json"}},
		{"level", &s.node.Serve.LogLevel, []string{"debug", "info", "warn", "error"}},
	} {
		fv := v.Get(f.name)
		text, ok := s.Text(fv, "logs."+f.name)
		if !ok {
			continue
		}
		*f.into = strings.ToLower(text)
		if !slices.Contains(f.known, *f.into) {
			s.Faultf(fv.Place, "logs.%s is %q: it must be one of %s", f.name, text, strings.Join(f.known, ", "))
		}
	}
}

// ApplyServe is Apply for a node of one's own: the rates that AWS raises on request are off there unless they are set.
func (l Limits) ApplyServe() apigw.Limits {
	limits := l.Apply("")
	limits.ConnectRate, limits.RequestRate, limits.RequestBurst = 0, 0, 0
	set := Limits{Overrides: l.Overrides}.Apply("")
	for _, o := range l.Overrides {
		switch o.Name {
		case "connectRate":
			limits.ConnectRate = set.ConnectRate
		case "requestRate":
			limits.RequestRate = set.RequestRate
		case "requestBurst":
			limits.RequestBurst = set.RequestBurst
		}
	}
	return limits
}
