package gateway

import (
	"time"
	"unique"

	"cleat/internal/apigw"
)

// Attachment is what the hub keeps of a connection for the gateway, so that a benchmark can call Message as the hub does.
func (g *Gateway) Attachment(id apigw.ConnectionID) any {
	info, err := g.hub.Info(id)
	if err != nil {
		return nil
	}
	return info.Attachment
}

// CheckUsageIdentifierKey connects as a client to which a Lambda authorizer gave an API key, as far as the check of that
// key, and returns the identity that events would show.
func (g *Gateway) CheckUsageIdentifierKey(api apigw.APIID, name, key string) (apigw.Identity, error) {
	st := g.directory.Load().stage(api, name)
	s := &session{stage: st, domainName: unique.Make(""), userAgent: unique.Make(""), grant: &grant{usageIdentifierKey: key}}
	ev := s.event(apigw.EventConnect, "", time.Now(), nil)
	p, _ := st.snapshot.Load().table.Lookup(apigw.RouteConnect)
	err := g.checkAPIKey(s, p, ev, time.Now())
	return ev.Context.Identity, err
}
