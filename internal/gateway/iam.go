package gateway

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/authorizer"
	"cleat/internal/awsapi"
	"cleat/internal/iampolicy"
	"cleat/internal/listen"
	"cleat/internal/push"
)

// SetIAM changes whose signatures let clients through AWS_IAM routes and let callers use the management API, from the next
// request on. Open connections stay (spec data-plane §3).
func (g *Gateway) SetIAM(i *authorizer.IAM) { g.iam.Store(i) }

// authorizeBySignature is AWS_IAM authorization of $connect (spec data-plane §2.6, events-and-integrations §4).
func (g *Gateway) authorizeBySignature(r *http.Request, s *session, ev *apigw.Event, rec *apigw.Record) error {
	identity, err := g.iam.Load().Connect(SignedRequest(r), origin(r, ev.Context.RequestTime, ev.Context.Identity.SourceIP), s.stage.api, s.stage.name, rec)
	if err != nil {
		return err
	}
	s.learn(ev, func(g *grant) { g.identity = identity })
	return nil
}

// AuthorizeEvents decides whether who sent a request may be told of all that goes on: who may list the connections may
// (spec management-api §2). Its error is the answer.
func (g *Gateway) AuthorizeEvents(r *http.Request) error {
	t := g.directory.Load().narrow(listen.Target{})
	return g.authorizePush(r, push.Call{API: t.API, Stage: t.Stage})
}

// authorizePush is push's look at who calls (spec management-api §2).
func (g *Gateway) authorizePush(r *http.Request, c push.Call) error {
	i := g.iam.Load()
	if !i.GuardsManagement() {
		return nil
	}
	signed, _ := signedRequests.Get().(*awsapi.SignedRequest)
	defer func() {
		clear(signed.Headers[:cap(signed.Headers)])
		*signed = awsapi.SignedRequest{Headers: signed.Headers[:0]}
		signedRequests.Put(signed)
	}()
	fillSigned(signed, r)
	signed.Body = c.Body
	m := authorizer.Management{API: c.API, Stage: c.Stage, Method: r.Method, ConnectionID: c.ConnectionID}
	if c.ConnectionID == "" && (c.API == "" || c.Stage == "") {
		m.Stages = g.directory.Load().meant(c.API, c.Stage)
	}
	return i.Manage(signed, origin(r, time.Now(), remoteText(r)), m)
}

// SignedRequest is a request as its sender signed it, without its body. The host is the one that the address was read
// from: a request line with a whole URL in it comes before the Host header, and what was signed for one API must not
// reach another.
func SignedRequest(r *http.Request) *awsapi.SignedRequest {
	s := &awsapi.SignedRequest{}
	fillSigned(s, r)
	return s
}

// signedRequests are used again: nobody keeps one, nor its fields, longer than a decision takes.
var signedRequests = sync.Pool{New: func() any { return &awsapi.SignedRequest{} }}

// fillSigned is SignedRequest into memory that is there.
func fillSigned(s *awsapi.SignedRequest, r *http.Request) {
	s.Method, s.Path, s.Query = r.Method, listen.EscapedPath(r.URL), r.URL.RawQuery
	fields := slices.DeleteFunc(listen.AppendFields(s.Headers[:0], r), func(f apigw.Field) bool { return strings.EqualFold(f.Name, "Host") })
	s.Headers = append(fields, apigw.Field{Name: "Host", Value: r.Host})
}

func origin(r *http.Request, now time.Time, sourceIP string) iampolicy.Origin {
	return iampolicy.Origin{Time: now, SourceIP: sourceIP, UserAgent: r.UserAgent(), Referer: r.Referer(), TLS: listen.IsHTTPS(r)}
}
