package listen

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
)

// Guard keeps web pages away from a development node, whose management, control, function and console endpoints ask for
// no credentials. A page that a developer visits could reach them in two ways: under a host name of its own that it lets
// point to this machine (DNS rebinding), and by requests across origins, which browsers send first and whose answers
// they withhold only afterwards. Guard refuses both with 403. Programs are not held up: they send no Origin.
//
// The zero value guards with the built-in names alone. It is read-only once in use.
type Guard struct {
	// Hosts are further names by which the node may be addressed, without ports, in any case, such as
	// "host.docker.internal". "*.example.test" allows every name below example.test, "*" every name at all.
	Hosts []string
	// Origins are further origins whose pages may call the guarded endpoints, such as "http://localhost:5173".
	Origins []string
	// Directory returns the APIs of the moment. A WebSocket handshake passes, from any origin and under any name, when
	// its address resolves to a socket: whom to let in is the app's business (spec data-plane §1). The custom domain names
	// of the moment are allowed too: the user has configured them, so that nobody else can have pages under them. Nil:
	// there are none, and a handshake must use an allowed name, as everything else; its Origin is not looked at.
	Directory func() Directory
}

// Wrap returns a handler that lets through to next what is not refused. It is safe for concurrent use. Proxy.Wrap
// belongs outside of it, because a CONNECT request names the host that it wants to reach.
func (g Guard) Wrap(next http.Handler) http.Handler {
	names := hostNames(g.Hosts)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handshake := IsUpgrade(r)
		if handshake && g.socket(r) {
			next.ServeHTTP(w, r)
			return
		}
		if !allowedHost(names, r.Host) && !g.customDomain(r.Host) {
			refuseGuarded(w, "The host name "+strconv.Quote(r.Host)+" is not one of this server's. Allow it in the server's configuration if it should be.")
			return
		}
		if origin := r.Header.Get("Origin"); !handshake && !g.allowedOrigin(origin, r) {
			refuseGuarded(w, "Requests from pages of the origin "+strconv.Quote(origin)+" are not allowed. Allow the origin in the server's configuration if they should be.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// socket tells whether a handshake's address means a socket of this node.
func (g Guard) socket(r *http.Request) bool {
	if g.Directory == nil {
		return false
	}
	t, err := Resolve(g.Directory(), r.Host, EscapedPath(r.URL))
	return err == nil && t.Rest == ""
}

// customDomain tells whether a Host header is a custom domain name of this node.
func (g Guard) customDomain(host string) bool {
	if g.Directory == nil {
		return false
	}
	_, ok := g.Directory().Mappings(HostName(host))
	return ok
}

// allowedHost tells whether a Host header is one that no foreign page can have. An IP address is: a page reaches it
// only by naming it, which makes the request one across origins. So are localhost and what is below it, Amazon's own
// names, which nobody else can point to this machine, and those that the user has allowed. AWS's form under any other
// domain is not: a page can be served there.
func allowedHost(names []string, host string) bool {
	name := HostName(host)
	return isLocalhost(name) || isAddress(name) || IsAWSHost(name) || matchesName(names, name)
}

// hostNames brings configured names into the form that matchesName compares.
func hostNames(hosts []string) []string {
	names := make([]string, len(hosts))
	for i, h := range hosts {
		names[i] = HostName(h)
	}
	return names
}

// matchesName tells whether a name is among some configured ones, of which "*" and "*.domain" are patterns.
func matchesName(names []string, name string) bool {
	return name != "" && slices.ContainsFunc(names, func(n string) bool {
		suffix, pattern := strings.CutPrefix(n, "*")
		return n == name || pattern && (suffix == "" || strings.HasPrefix(suffix, ".") && strings.HasSuffix(name, suffix))
	})
}

// allowedOrigin tells whether a request comes from a program, from a page of this very origin, or from one of the
// allowed ones. Requests without Origin that a foreign page causes, such as an image's, betray themselves by
// Sec-Fetch-Site; following a link is no such request.
func (g Guard) allowedOrigin(origin string, r *http.Request) bool {
	if origin == "" {
		return r.Header.Get("Sec-Fetch-Site") != "cross-site" || r.Header.Get("Sec-Fetch-Mode") == "navigate"
	}
	if slices.ContainsFunc(g.Origins, func(o string) bool { return strings.EqualFold(strings.TrimSuffix(o, "/"), origin) }) {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false // "null" among them: a sandboxed page or a file
	}
	scheme := "http"
	if IsHTTPS(r) {
		scheme = "https"
	}
	return u.Scheme == scheme && strings.EqualFold(withPort(u.Host, scheme), withPort(r.Host, scheme))
}

// withPort adds the scheme's port to a host that has none.
func withPort(host, scheme string) string {
	if strings.Contains(host, ":") && !strings.HasSuffix(host, "]") {
		return host
	}
	if scheme == "https" {
		return host + ":443"
	}
	return host + ":80"
}

func refuseGuarded(w http.ResponseWriter, message string) {
	awsapi.WriteError(w, &apigw.Error{Kind: apigw.KindForbidden, Message: message}, apigw.NewRequestID())
}
