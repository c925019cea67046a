package access

import (
	"net"
	"net/http"
	"strconv"

	"cleat/internal/apigw"
	"cleat/internal/authorizer"
	"cleat/internal/awsapi"
	"cleat/internal/gateway"
	"cleat/internal/listen"
)

// isForwarded tells of requests that a proxy passed on, and of those that may well be: HTTP/1.0 is spoken by proxies that say
// nothing of it. This node's own integrations are such a proxy too: whoever may make one must not read through it what only
// this machine may. The last of the headers is on all their calls, and no mapping can take it off; others can be made empty.
func isForwarded(r *http.Request) bool {
	for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via", "Cf-Connecting-Ip", "True-Client-Ip", "X-Amzn-Apigateway-Api-Id"} {
		if len(r.Header.Values(h)) > 0 {
			return true
		}
	}
	return !r.ProtoAtLeast(1, 1)
}

// isLocalPeer tells whether a request's sender is on this machine: it came by loopback or by a Unix socket.
func isLocalPeer(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// The actions that let somebody see what a node tells of itself.
const (
	ActionReadMetrics = "cleat:ReadMetrics" // /metrics
	ActionReadConsole = "cleat:ReadConsole" // the console, and what it shows
	ActionReadDebug   = "cleat:ReadDebug"   // profiles and the like
)

// Login keeps next for who may see it: everybody on this machine where nobody else reaches the listener, and otherwise users
// whose policies allow the action, by a signature for the service "cleat" or by HTTP Basic with an access key's ID and
// secret. local tells of a listener that this machine alone reaches.
//
// A reverse proxy on this machine makes everybody look as if they were on it; what it passed on is therefore never local.
// Web pages that are open on this machine are kept out by their Origin and Host.
func (g *Gate) Login(action string, local bool, next http.Handler) http.Handler {
	here, anywhere := listen.Guard{}.Wrap(next), listen.Guard{Hosts: []string{"*"}}.Wrap(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := g.current.Load()
		if !who.enforced || local && isLocalPeer(r) && !isForwarded(r) {
			here.ServeHTTP(w, r)
			return
		}
		a := authorizer.Access{Service: serviceCleat, Action: action, Resource: nodeARN(g.o.Region, g.o.Account)}
		if err := logIn(who.iam, r, a); err != nil {
			refuseLogin(w, err)
			return
		}
		anywhere.ServeHTTP(w, r)
	})
}

const serviceCleat = "cleat"

// nodeARN is what policies call the node itself.
func nodeARN(region, account string) string {
	return "arn:" + awsapi.Partition(region) + ":" + serviceCleat + ":" + region + ":" + account + ":node"
}

// logIn finds out who sent a request, by Basic or by a signature, and whether they may have what it asks for.
func logIn(iam *authorizer.IAM, r *http.Request, a authorizer.Access) error {
	if id, secret, ok := r.BasicAuth(); ok {
		_, err := iam.Login(id, secret, originOf(r), a)
		return err
	}
	_, _, err := iam.Authorize(gateway.SignedRequest(r), originOf(r), a)
	return err
}

// refuseLogin answers who may not see what they asked for. Browsers ask their user on 401.
func refuseLogin(w http.ResponseWriter, err error) {
	switch apigw.KindOf(err) {
	case apigw.KindMissingAuthenticationToken, apigw.KindUnrecognizedClient, apigw.KindExpiredToken:
		const text = "Log in with an access key: its ID as the user name, its secret as the password.\n"
		h := w.Header()
		h.Set("WWW-Authenticate", `Basic realm="Cleat", charset="UTF-8"`)
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(len(text)))
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(text)) // the client may be gone; nothing is left to tell it
	default:
		awsapi.WriteError(w, err, apigw.NewRequestID())
	}
}
