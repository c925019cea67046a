package lambdaevent

import (
	"encoding/base64"
	"slices"
	"strconv"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/jsonpath"
)

// AppendProxy appends the event that an AWS_PROXY integration hands to its function: one JSON object without
// blanks, members in the order of captured events (spec events-and-integrations §1.1 to §1.3). Bytes that are not UTF-8
// become U+FFFD; a binary message goes as base64. It does not keep ev.
func AppendProxy(dst []byte, ev *apigw.Event) []byte {
	dst = append(dst, '{')
	switch ev.Context.EventType {
	case apigw.EventConnect:
		dst = appendHandshake(dst, ev.Headers, ev.Query, false)
	case apigw.EventDisconnect:
		dst = appendDisconnectHeaders(dst, ev)
	case apigw.EventMessage:
	}
	if len(ev.StageVariables) > 0 {
		dst = append(dst, `"stageVariables":`...)
		dst = appendMap(dst, ev.StageVariables)
		dst = append(dst, ',')
	}
	dst = append(dst, `"requestContext":`...)
	dst = appendContext(dst, &ev.Context)
	if ev.Context.EventType == apigw.EventMessage {
		dst = append(dst, `,"body":`...)
		if ev.Binary {
			dst = append(dst, '"')
			dst = base64.StdEncoding.AppendEncode(dst, ev.Body)
			return append(dst, `","isBase64Encoded":true}`...)
		}
		dst = jsonpath.AppendString(dst, ev.Body)
	}
	return append(dst, `,"isBase64Encoded":false}`...)
}

// Size is a little more than an event is likely to need.
func Size(ev *apigw.Event) int {
	n := 1024 + len(ev.Body) + len(ev.Body)/8
	for _, f := range ev.Headers {
		n += 2 * (len(f.Name) + len(f.Value) + 12)
	}
	for _, f := range ev.Query {
		n += 2 * (len(f.Name) + len(f.Value) + 12)
	}
	return n
}

// appendHandshake appends headers and query string. Without a query its members are left out, unless emptyQuery asks
// for them.
func appendHandshake(dst []byte, headers, query apigw.Fields, emptyQuery bool) []byte {
	var room [64]int // a handshake with more headers costs one allocation
	order := room[:0]
	for i := range headers {
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int { return compareFold(headers[a].Name, headers[b].Name) })
	dst = append(dst, `"headers":`...)
	dst = appendHeaders(dst, headers, order, false)
	dst = append(dst, `,"multiValueHeaders":`...)
	dst = appendHeaders(dst, headers, order, true)
	dst = append(dst, ',')
	if len(query) > 0 || emptyQuery {
		dst = append(dst, `"queryStringParameters":`...)
		dst = appendQuery(dst, query, false)
		dst = append(dst, `,"multiValueQueryStringParameters":`...)
		dst = appendQuery(dst, query, true)
		dst = append(dst, ',')
	}
	return dst
}

// compareFold orders header names as captures do: alphabetically, without regard to case.
func compareFold(a, b string) int {
	for i := range min(len(a), len(b)) {
		if x, y := lower(a[i]), lower(b[i]); x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// appendHeaders appends an object of header names to their last value, or to all of them. Names that differ in case
// only are one header, spelled as it came first.
func appendHeaders(dst []byte, fields apigw.Fields, order []int, all bool) []byte {
	dst = append(dst, '{')
	for i := 0; i < len(order); {
		first := &fields[order[i]]
		end := i + 1
		for end < len(order) && compareFold(first.Name, fields[order[end]].Name) == 0 {
			end++
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsonpath.AppendString(dst, first.Name)
		dst = append(dst, ':')
		if all {
			dst = append(dst, '[')
			for j := i; j < end; j++ {
				if j > i {
					dst = append(dst, ',')
				}
				dst = jsonpath.AppendString(dst, fields[order[j]].Value)
			}
			dst = append(dst, ']')
		} else {
			dst = jsonpath.AppendString(dst, fields[order[end-1]].Value)
		}
		i = end
	}
	return append(dst, '}')
}

// appendQuery appends an object of parameters, in the order of their first appearance, to their last value or to all.
func appendQuery(dst []byte, fields apigw.Fields, all bool) []byte {
	dst = append(dst, '{')
	for i := range fields {
		name := fields[i].Name
		if slices.ContainsFunc(fields[:i], func(f apigw.Field) bool { return f.Name == name }) {
			continue
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsonpath.AppendString(dst, name)
		dst = append(dst, ':')
		if !all {
			last, _ := fields.Last(name)
			dst = jsonpath.AppendString(dst, last)
			continue
		}
		dst = append(dst, '[')
		dst = jsonpath.AppendString(dst, fields[i].Value)
		for _, f := range fields[i+1:] {
			if f.Name == name {
				dst = append(dst, ',')
				dst = jsonpath.AppendString(dst, f.Value)
			}
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// appendDisconnectHeaders appends the four odd headers of DISCONNECT events (spec events-and-integrations §1.3).
func appendDisconnectHeaders(dst []byte, ev *apigw.Event) []byte {
	dst = append(dst, `"headers":{"Host":`...)
	dst = jsonpath.AppendString(dst, ev.Context.DomainName)
	dst = append(dst, `,"x-api-key":"","X-Forwarded-For":"","x-restapi":""},"multiValueHeaders":{"Host":[`...)
	dst = jsonpath.AppendString(dst, ev.Context.DomainName)
	return append(dst, `],"x-api-key":[""],"X-Forwarded-For":[""],"x-restapi":[""]},`...)
}

func appendContext(dst []byte, c *apigw.RequestContext) []byte {
	dst = appendMember(dst, `{"routeKey":`, c.RouteKey)
	if c.EventType == apigw.EventDisconnect {
		dst = append(dst, `,"disconnectStatusCode":`...)
		dst = strconv.AppendInt(dst, int64(c.DisconnectStatusCode), 10)
	}
	if c.Authorizer != nil {
		dst = append(dst, `,"authorizer":`...)
		dst = appendAuthorizer(dst, c)
	}
	if c.EventType == apigw.EventMessage {
		dst = appendMember(dst, `,"messageId":`, c.MessageID)
	}
	dst = appendMember(dst, `,"eventType":`, c.EventType)
	dst = appendMember(dst, `,"extendedRequestId":`, c.RequestID)
	dst = append(dst, `,"requestTime":"`...)
	dst = c.AppendRequestTimeCLF(dst)
	dst = append(dst, `","messageDirection":"IN"`...)
	if c.EventType == apigw.EventDisconnect {
		dst = appendMember(dst, `,"disconnectReason":`, c.DisconnectReason)
	}
	dst = appendMember(dst, `,"stage":`, c.Stage)
	dst = appendMillis(append(dst, `,"connectedAt":`...), c.ConnectedAt)
	dst = appendMillis(append(dst, `,"requestTimeEpoch":`...), c.RequestTime)
	dst = append(dst, `,"identity":{`...)
	if c.Identity.APIKey != "" {
		dst = appendMember(dst, `"apiKey":`, c.Identity.APIKey)
		dst = appendMember(dst, `,"apiKeyId":`, c.Identity.APIKeyID)
		dst = append(dst, ',')
	}
	dst = appendKnown(dst, `"principalOrgId":`, c.Identity.PrincipalOrgID)
	dst = appendKnown(dst, `"userArn":`, c.Identity.UserARN)
	dst = appendKnown(dst, `"userAgent":`, c.Identity.UserAgent)
	dst = appendKnown(dst, `"accountId":`, c.Identity.AccountID)
	dst = appendKnown(dst, `"caller":`, c.Identity.Caller)
	dst = appendMember(dst, `"sourceIp":`, c.Identity.SourceIP)
	if c.Identity.AccessKey != "" {
		dst = appendMember(dst, `,"accessKey":`, c.Identity.AccessKey)
		dst = appendMember(dst, `,"user":`, c.Identity.User)
	}
	dst = appendMember(dst, `},"requestId":`, c.RequestID)
	dst = appendMember(dst, `,"domainName":`, c.DomainName)
	dst = appendMember(dst, `,"connectionId":`, c.ConnectionID)
	dst = appendMember(dst, `,"apiId":`, c.APIID)
	return append(dst, '}')
}

// integrationLatency is the one member of the authorizer's context that is a number; CONNECT alone has it.
const integrationLatency = "integrationLatency"

func appendAuthorizer(dst []byte, c *apigw.RequestContext) []byte {
	dst = append(dst, '{')
	start := len(dst)
	for _, f := range c.Authorizer {
		if f.Name == integrationLatency && c.EventType != apigw.EventConnect {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = appendMember(dst, "", f.Name)
		dst = append(dst, ':')
		if ms, err := strconv.ParseInt(f.Value, 10, 64); f.Name == integrationLatency && err == nil {
			dst = strconv.AppendInt(dst, ms, 10)
		} else {
			dst = jsonpath.AppendString(dst, f.Value)
		}
	}
	return append(dst, '}')
}

func appendMember[T ~string](dst []byte, before string, value T) []byte {
	return jsonpath.AppendString(append(dst, before...), string(value))
}

// appendKnown appends a member and a comma where there is a value.
func appendKnown(dst []byte, before, value string) []byte {
	if value == "" {
		return dst
	}
	return append(appendMember(dst, before, value), ',')
}

func appendMillis(dst []byte, t time.Time) []byte { return strconv.AppendInt(dst, t.UnixMilli(), 10) }

// appendMap appends a map as an object whose members are in alphabetical order.
func appendMap(dst []byte, m map[string]string) []byte {
	var room [32]string
	keys := room[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	dst = append(dst, '{')
	for i, k := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsonpath.AppendString(dst, k)
		dst = append(dst, ':')
		dst = jsonpath.AppendString(dst, m[k])
	}
	return append(dst, '}')
}
