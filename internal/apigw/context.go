package apigw

import (
	"strconv"
	"strings"
)

// contextVariable is one variable of $context: its name, and its text for an event, where it has one.
type contextVariable struct {
	name string
	of   func(*RequestContext) (value string, ok bool)
}

// contextVariables is the one list of what $context holds for an event (spec mapping-templates §5). Mappings, identity
// sources, templates and access logs all read it, so that a name means the same everywhere. Those at the end are legal
// and have no value here.
var contextVariables = append([]contextVariable{
	{"apiId", func(c *RequestContext) (string, bool) { return present(string(c.APIID)) }},
	{"stage", func(c *RequestContext) (string, bool) { return present(c.Stage) }},
	{"domainName", func(c *RequestContext) (string, bool) { return present(c.DomainName) }},
	{"connectionId", func(c *RequestContext) (string, bool) { return present(string(c.ConnectionID)) }},
	{"connectedAt", func(c *RequestContext) (string, bool) { return strconv.FormatInt(c.ConnectedAt.UnixMilli(), 10), true }},
	{"eventType", func(c *RequestContext) (string, bool) { return present(string(c.EventType)) }},
	{"routeKey", func(c *RequestContext) (string, bool) { return present(c.RouteKey) }},
	{"messageId", func(c *RequestContext) (string, bool) { return present(c.MessageID) }},
	{"messageDirection", func(*RequestContext) (string, bool) { return "IN", true }},
	{"requestId", func(c *RequestContext) (string, bool) { return present(string(c.RequestID)) }},
	{"extendedRequestId", func(c *RequestContext) (string, bool) { return present(string(c.RequestID)) }},
	{"requestTime", func(c *RequestContext) (string, bool) { return c.RequestTimeCLF(), true }},
	{"requestTimeEpoch", func(c *RequestContext) (string, bool) { return strconv.FormatInt(c.RequestTime.UnixMilli(), 10), true }},
	{"isBase64Encoded", func(c *RequestContext) (string, bool) { return "false", c.EventType == EventMessage }},
	{"disconnectStatusCode", func(c *RequestContext) (string, bool) {
		return strconv.Itoa(c.DisconnectStatusCode), c.EventType == EventDisconnect
	}},
	{"disconnectReason", func(c *RequestContext) (string, bool) { return c.DisconnectReason, c.EventType == EventDisconnect }},
	{"identity.sourceIp", func(c *RequestContext) (string, bool) { return present(c.Identity.SourceIP) }},
	{"identity.userAgent", func(c *RequestContext) (string, bool) { return present(c.Identity.UserAgent) }},
	{"identity.apiKey", func(c *RequestContext) (string, bool) { return present(c.Identity.APIKey) }},
	{"identity.apiKeyId", func(c *RequestContext) (string, bool) { return present(c.Identity.APIKeyID) }},
	{"identity.accountId", func(c *RequestContext) (string, bool) { return present(c.Identity.AccountID) }},
	{"identity.accessKey", func(c *RequestContext) (string, bool) { return present(c.Identity.AccessKey) }},
	{"identity.caller", func(c *RequestContext) (string, bool) { return present(c.Identity.Caller) }},
	{"identity.user", func(c *RequestContext) (string, bool) { return present(c.Identity.User) }},
	{"identity.userArn", func(c *RequestContext) (string, bool) { return present(c.Identity.UserARN) }},
	{"identity.principalOrgId", func(c *RequestContext) (string, bool) { return present(c.Identity.PrincipalOrgID) }},
},
	// What became of the event: only logs know, and response templates the status.
	valueless("status", "error.message", "error.messageString", "error.responseType", "error.validationErrorString",
		// No Cognito pool vouches for callers.
		"identity.cognitoAuthenticationProvider", "identity.cognitoAuthenticationType", "identity.cognitoIdentityId", "identity.cognitoIdentityPoolId",
		// REST APIs have these.
		"accountId", "path", "protocol", "httpMethod", "resourcePath")...)

var contextByName = func() map[string]func(*RequestContext) (string, bool) {
	m := make(map[string]func(*RequestContext) (string, bool), len(contextVariables))
	for _, v := range contextVariables {
		m[v.name] = v.of
	}
	return m
}()

func valueless(names ...string) []contextVariable {
	out := make([]contextVariable, len(names))
	for i, name := range names {
		out[i] = contextVariable{name, func(*RequestContext) (string, bool) { return "", false }}
	}
	return out
}

func present(s string) (string, bool) { return s, s != "" }

// authorizerVariables begins the names of an authorizer's context, of which nobody knows the keys before.
const authorizerVariables = "authorizer."

// IsContextVariable reports whether $context.{name} can have a meaning: it is on the list, or a key of an authorizer's
// context.
func IsContextVariable(name string) bool {
	if _, ok := contextByName[name]; ok {
		return true
	}
	return len(name) > len(authorizerVariables) && strings.HasPrefix(name, authorizerVariables)
}

// ContextText returns how to get the text of $context.{name} from an event, as RequestContext.Lookup does; nil when no such
// variable is on the list. It is for those who know the name long before the event.
func ContextText(name string) func(*RequestContext) (value string, ok bool) {
	return contextByName[name]
}

// Lookup returns the variable that $context.{name} names, as text, and whether the event has it. It is safe for
// concurrent use.
func (c *RequestContext) Lookup(name string) (string, bool) {
	if of, ok := contextByName[name]; ok {
		return of(c)
	}
	if key, ok := strings.CutPrefix(name, authorizerVariables); ok {
		return c.Authorizer.Last(key)
	}
	return "", false
}
