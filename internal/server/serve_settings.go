package server

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/certs"
	"cleat/internal/cfn"
	"cleat/internal/config"
	"cleat/internal/listen"
	"cleat/internal/project"
)

// The addresses of a node that names none.
const (
	DefaultPublic = ":3001"
	DefaultAdmin  = "127.0.0.1:3002"
)

// serveSettings are the settings of a node at one time, checked, with the certificates that they name.
type serveSettings struct {
	*project.NodeSettings
	certs *certs.Set
}

// readServe reads the settings of a node and the certificates that they name. Its error is a cfn.Faults with everything
// that is wrong.
func readServe(o ServeOptions) (*serveSettings, error) {
	n, err := project.LoadNode(o.Config, project.Options{Env: o.Env}, o.Overrides)
	faults, ok := errors.AsType[cfn.Faults](err)
	if err != nil && !ok {
		return nil, err
	}
	s := &serveSettings{NodeSettings: n}
	s.Region = cmp.Or(s.Region, awsapi.DefaultRegion)
	s.Serve.Account = cmp.Or(s.Serve.Account, awsapi.DefaultAccount)
	if s.Serve.Data == "" {
		s.Serve.Data = o.DataDir
	}
	s.Serve.Public.Listen = orAddress(s.Serve.Public.Listen, DefaultPublic)
	s.Serve.Admin.Listen = orAddress(s.Serve.Admin.Listen, DefaultAdmin)
	files := make([]certs.Files, len(s.Serve.Certificates))
	complete := true
	for i, c := range s.Serve.Certificates {
		files[i] = certs.Files{Cert: c.Cert, Key: c.Key}
		complete = complete && c.Cert != "" && c.Key != ""
		s.Files = append(s.Files, c.Cert, c.Key)
	}
	if complete { // otherwise it is a fault already
		var certErr error
		s.certs, certErr = certs.Load(files, time.Now())
		for _, err := range joined(certErr) {
			if f, ok := errors.AsType[*certs.FileError](err); ok {
				faults = append(faults, cfn.Fault{Place: s.Serve.Certificates[f.Index].Place, Message: "tls: " + f.Error()})
			}
		}
	}
	return s, faults.Err()
}

// joined are the errors that errors.Join joined.
func joined(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return many.Unwrap()
	}
	return nil
}

func orAddress(list []config.Address, fallback string) []config.Address {
	if len(list) == 0 {
		return []config.Address{{Text: fallback}}
	}
	return list
}

// ServeReport is what CheckServe found.
type ServeReport struct {
	// Definitions are settings of the file that define an API; "cleat apply" gives them to a node.
	Definitions []string
	Warnings    []cfn.Fault
}

// CheckServe reads the settings of a node as RunServe does, and opens nothing but files. Settings with faults are
// cfn.Faults.
func CheckServe(o ServeOptions) (ServeReport, error) {
	s, err := readServe(o)
	if s == nil {
		return ServeReport{}, err
	}
	return ServeReport{s.Definitions, append(s.Warnings, s.advice()...)}, err
}

// advice warns of what is not wrong but hardly meant.
func (s *serveSettings) advice() []cfn.Fault {
	var out cfn.Faults
	for _, a := range s.Serve.Admin.Listen {
		if s.Serve.Admin.TLS == config.TLSOff && !isPrivate(a.Text) {
			out.Addf(a.Place, "admin.listen: %s can be reached from other machines, in plain HTTP: anybody on the way can read what is sent; set admin.tls: on", a.Text)
		}
	}
	if s.Serve.ACME != nil && s.Serve.Public.TLS == config.TLSOff && s.Serve.Admin.TLS == config.TLSOff {
		out.Addf(s.Serve.ACME.Place, "acme has no effect: neither listener speaks TLS")
	}
	if s.Serve.ACME != nil && s.Serve.ACME.HTTP == "" && s.tlsAddress() == "" {
		out.Addf(s.Serve.ACME.Place, "acme: no challenge can be answered: the public listener has no TCP address with TLS, and acme.http is not set")
	}
	return out
}

// isPrivate tells of an address that only this machine reaches.
func isPrivate(address string) bool {
	if strings.HasPrefix(address, "unix:") {
		return true
	}
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// tlsAddress is the first TCP address at which the public listener speaks TLS; empty: there is none.
func (s *serveSettings) tlsAddress() string {
	if s.Serve.Public.TLS == config.TLSOff {
		return ""
	}
	i := slices.IndexFunc(s.Serve.Public.Listen, func(a config.Address) bool { return !strings.HasPrefix(a.Text, "unix:") })
	if i < 0 {
		return ""
	}
	return s.Serve.Public.Listen[i].Text
}

// limits are those of the node's connections.
func (s *serveSettings) limits() apigw.Limits { return s.Limits.ApplyServe() }

// domain is the node's domain without its port.
func (s *serveSettings) domain() string { return listen.HostName(s.Serve.Domain) }

// endpoint is what an API shows as its apiEndpoint: below the node's domain. port is that of the public listener, which
// counts where clients come straight to it and the domain names no other.
func (s *serveSettings) endpoint(id apigw.APIID, port string) string {
	host, own, named := strings.Cut(s.Serve.Domain, ":")
	behind := s.Serve.Public.Trusts()
	scheme, usual := "wss", "443"
	if s.Serve.Public.TLS == config.TLSOff && !behind {
		scheme, usual = "ws", "80"
	}
	switch {
	case named:
		port = own
	case behind:
		port = usual
	}
	out := scheme + "://" + string(id) + "." + host
	if port != usual && port != "" {
		out += ":" + port
	}
	return out
}

// fixed are the settings that a running node does not change, as texts to compare.
func (s *serveSettings) fixed() map[string]string {
	v := &s.Serve
	listener := func(l *config.Listener) string {
		return fmt.Sprint(l.TLS, l.SocketMode, l.Proxies, l.Sockets, l.ProxyProtocol, l.Forwarded)
	}
	addresses := func(l *config.Listener) string {
		var b strings.Builder
		for _, a := range l.Listen {
			b.WriteString(a.Text + " ")
		}
		return b.String()
	}
	out := map[string]string{
		"data": v.Data, "region": s.Region, "account": v.Account, "public.domain": v.Domain,
		"public.listen": addresses(&v.Public), "public": listener(&v.Public), "admin.listen": addresses(&v.Admin), "admin": listener(&v.Admin),
		"logs.format": v.LogFormat, "logs.access": fmt.Sprint(s.Logs.Access), "logs.execution": fmt.Sprint(s.Logs.Execution), "connectionHeaders": fmt.Sprint(s.ConnectionHeaders), "acme": "",
	}
	if a := v.ACME; a != nil {
		out["acme"] = fmt.Sprint(a.Email, a.Directory, a.Root, a.HTTP)
	}
	return out
}

// keepFixed makes next keep what a running node does not change, and returns the names of what differs.
func (s *serveSettings) keepFixed(next *serveSettings) []string {
	var differ []string
	is := next.fixed()
	for name, was := range s.fixed() {
		if is[name] != was {
			differ = append(differ, name)
		}
	}
	slices.Sort(differ)
	keep := s.Serve
	keep.Stop, keep.LogLevel, keep.Certificates = next.Serve.Stop, next.Serve.LogLevel, next.Serve.Certificates
	if keep.ACME != nil && next.Serve.ACME != nil {
		acme := *keep.ACME
		acme.Domains = next.Serve.ACME.Domains
		keep.ACME = &acme
	}
	next.Serve, next.Region, next.ConnectionHeaders = keep, s.Region, s.ConnectionHeaders
	next.Logs.Access, next.Logs.Execution = s.Logs.Access, s.Logs.Execution
	return differ
}

// stamp is what is compared of files to see that they changed: a link counts as what it leads to, for certificates are
// often put in place by turning a link.
func stamp(files []string) string {
	var b strings.Builder
	for _, f := range files {
		info, err := os.Stat(f)
		switch {
		case err == nil:
			real, _ := filepath.EvalSymlinks(f) // of what was there a moment ago; if it is gone now, that is a change too
			_, _ = fmt.Fprintln(&b, f, real, info.Size(), info.ModTime().UnixNano())
		case errors.Is(err, fs.ErrNotExist):
			_, _ = fmt.Fprintln(&b, f, "-")
		default:
			_, _ = fmt.Fprintln(&b, f, err)
		}
	}
	return b.String()
}
