package listen

import (
	"context"
	"net/http"
	"net/netip"
	"strings"

	"cleat/internal/apigw"
)

// Forwarded believes what trusted proxies say of their clients in headers. The zero value believes nothing.
type Forwarded struct {
	Trust Trust
	// Headers are those that count: X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host, or Forwarded (RFC 7239). A
	// proxy must set or remove every one of them, or its clients write them. In canonical spelling.
	Headers []string
}

// forwardedKey is the context key of a *forwarded.
type forwardedKey struct{}

// forwarded is what a request says of the connection that its client made to the outermost trusted proxy.
type forwarded struct {
	client netip.Addr // invalid: not said
	proto  string     // "http" or "https"; empty: not said
	host   string     // empty: not said
	// before is the part of X-Forwarded-For that the client sent itself, for the backend to see.
	before string
	chain  bool // X-Forwarded-For was read
}

// Wrap returns a handler that gives next the requests of trusted proxies as their clients sent them: RemoteAddr, Host, Fields
// and IsHTTPS are the client's. Other requests pass as they are.
func (f Forwarded) Wrap(next http.Handler) http.Handler {
	if len(f.Headers) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !f.Trust.requestPeer(r) {
			next.ServeHTTP(w, r)
			return
		}
		said := f.read(r.Header)
		r = r.WithContext(context.WithValue(r.Context(), forwardedKey{}, &said))
		if said.client.IsValid() {
			r.RemoteAddr = netip.AddrPortFrom(said.client, 0).String()
		}
		if said.host != "" {
			r.Host = said.host
		}
		next.ServeHTTP(w, r)
	})
}

// IsHTTPS tells whether a client used TLS: with this node, or with a trusted proxy that says so.
func IsHTTPS(r *http.Request) bool {
	if said, ok := r.Context().Value(forwardedKey{}).(*forwarded); ok && said.proto != "" {
		return said.proto == "https"
	}
	if c, ok := r.Context().Value(connKey{}).(*clientConn); ok && c.raw.origin.tls {
		return true
	}
	return r.TLS != nil
}

// read reads the headers that count. A list is read from its end, where the nearest proxy wrote: the client is the first
// address that is no proxy's. What is before it anybody may have written.
func (f Forwarded) read(h http.Header) forwarded {
	var out forwarded
	for _, name := range f.Headers {
		switch name {
		case "X-Forwarded-For":
			out.client, out.before = f.chain(strings.Join(h[name], ","))
			out.chain = true
		case "X-Forwarded-Proto":
			out.proto = protoOf(lastItem(h[name]))
		case "X-Forwarded-Host":
			out.host = hostOf(lastItem(h[name]))
		case "Forwarded":
			f.elements(strings.Join(h[name], ","), &out)
		}
	}
	return out
}

// chain reads X-Forwarded-For.
func (f Forwarded) chain(list string) (client netip.Addr, before string) {
	for list != "" {
		i := strings.LastIndexByte(list, ',')
		a, ok := nodeAddr(strings.Trim(list[i+1:], " \t"))
		if !ok {
			return client, "" // whoever wrote it: what is before it cannot be relied on either
		}
		client, list = a, strings.Trim(list[:max(i, 0)], " \t")
		if !f.Trust.Has(a) {
			return client, list
		}
	}
	return client, ""
}

// elements reads Forwarded.
func (f Forwarded) elements(list string, out *forwarded) {
	for list != "" {
		var element string
		list, element = cutLast(list)
		pairs, ok := splitQuoted(element, ';')
		if !ok {
			return
		}
		said := forwarded{}
		for _, pair := range pairs {
			name, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
			value, ok := unquote(value)
			if !ok {
				return
			}
			switch strings.ToLower(name) {
			case "for":
				said.client, _ = nodeAddr(value) // unknown and _hidden are none
			case "proto":
				said.proto = protoOf(value)
			case "host":
				said.host = hostOf(value)
			}
		}
		if !said.client.IsValid() {
			return // what a proxy does not say ends what can be known
		}
		out.client, out.proto, out.host = said.client, said.proto, said.host
		if !f.Trust.Has(said.client) {
			return
		}
	}
}

// nodeAddr reads an address with or without a port, IPv6 in brackets or not.
func nodeAddr(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		var ap netip.AddrPort
		ap, err = netip.ParseAddrPort(s)
		a = ap.Addr()
	}
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, false
	}
	return a.Unmap(), true
}

func protoOf(s string) string {
	switch strings.ToLower(s) {
	case "https", "wss":
		return "https"
	case "http", "ws":
		return "http"
	}
	return ""
}

// hostOf is a host that can stand in a Host header; empty when s is none.
func hostOf(s string) string {
	if len(s) > 255+len(":65535") || strings.ContainsFunc(s, notInHost) {
		return ""
	}
	return s
}

func notInHost(c rune) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '-', c == '_', c == ':', c == '[', c == ']':
		return false
	}
	return true
}

func lastItem(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	last := lines[len(lines)-1]
	return strings.Trim(last[strings.LastIndexByte(last, ',')+1:], " \t")
}

// cutLast cuts a list at its last comma outside of quoted strings. It looks from the end: what a client wrote at the
// beginning, such as a quote that does not end, must not change what is read of a proxy's own words.
func cutLast(list string) (before, last string) {
	quoted := false
	for i := len(list) - 1; i >= 0; i-- {
		switch {
		case list[i] == '"' && (len(list[:i])-len(strings.TrimRight(list[:i], `\`)))%2 == 0:
			quoted = !quoted
		case list[i] == ',' && !quoted:
			return list[:i], list[i+1:]
		}
	}
	return "", list
}

// splitQuoted splits at separators outside of quoted strings (RFC 9110 §5.6.4); false when the last one does not end.
func splitQuoted(s string, separator byte) ([]string, bool) {
	var out []string
	from, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == separator && !quoted:
			out = append(out, s[from:i])
			from = i + 1
		}
	}
	return append(out, s[from:]), !quoted
}

// unquote is a token, or what a quoted string says.
func unquote(s string) (string, bool) {
	if !strings.HasPrefix(s, `"`) {
		return s, !strings.Contains(s, `"`)
	}
	if len(s) < 2 || s[len(s)-1] != '"' {
		return "", false
	}
	s = s[1 : len(s)-1]
	if !strings.Contains(s, `\`) {
		return s, !strings.Contains(s, `"`)
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			if i++; i == len(s) {
				return "", false
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), true
}

// asSent makes the header lines of a forwarded request those that the client sent to the outermost trusted proxy: without
// what that proxy and those behind it said of it.
func (f *forwarded) asSent(host string, fields apigw.Fields) apigw.Fields {
	out, placed := fields[:0], false
	for _, line := range fields {
		switch {
		case f.chain && strings.EqualFold(line.Name, "X-Forwarded-For"):
			if placed || f.before == "" {
				continue
			}
			line.Value, placed = f.before, true
		case strings.EqualFold(line.Name, "Host"):
			line.Value = host
		}
		out = append(out, line)
	}
	return out
}
