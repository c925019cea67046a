package draft

import (
	"maps"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
)

// serviceURI wants the URI of a function or of an AWS service; stage variables and {name} may stand anywhere in it (spec
// events-and-integrations §7).
func (p *Problems) serviceURI(uri string) {
	if isLambdaURI(uri) {
		return
	}
	plain := placeholder.ReplaceAllString(stageVariable.ReplaceAllString(uri, "x"), "x")
	if _, err := awsapi.ParseServiceURI(plain); err != nil {
		p.Bad("integrationUri", "Invalid integration URI: %v", err)
	}
}

// signed are the headers that the signature of an AWS integration needs for itself, and those that belong to its hop
// (spec events-and-integrations §6).
var signed = []string{
	"authorization", "connection", "expect", "proxy-authenticate", "te", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token",
}

// signedParameters refuses mappings onto the headers of a signature.
func (p *Problems) signedParameters(in *apigw.Integration) {
	if in.IntegrationType != apigw.IntegrationAWS || isLambdaURI(in.IntegrationURI) {
		return
	}
	for _, target := range slices.Sorted(maps.Keys(in.RequestParameters)) {
		name, ok := strings.CutPrefix(target, "integration.request.header.")
		if ok && slices.Contains(signed, strings.ToLower(name)) {
			p.Bad("requestParameters", "Invalid mapping expression specified: %s: this header cannot be set on a signed request", target)
		}
	}
}

// private checks an integration that goes through a VPC link.
func (p *Problems) private(in *apigw.Integration) {
	if in.ConnectionType != ConnectionVPCLink {
		return
	}
	p.length("connectionId", in.ConnectionID, maxConnection)
	switch {
	case in.ConnectionID == "":
		p.Bad("connectionId", "The connection type VPC_LINK needs a connectionId")
	case in.IntegrationType != apigw.IntegrationHTTP && in.IntegrationType != apigw.IntegrationHTTPProxy:
		p.Bad("connectionType", "The connection type VPC_LINK is for integrations of type HTTP and HTTP_PROXY, not %s", in.IntegrationType)
	}
}
