package lambdaevent

import (
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/jsonpath"
)

// AppendAuthorizer appends the event that a REQUEST authorizer decides on (spec events-and-integrations §3): that of
// $connect with Connection, Upgrade and content-length among the headers, with empty maps where the CONNECT event leaves
// them out, and with the ARN of what is asked for. It does not keep ev.
func AppendAuthorizer(dst []byte, ev *apigw.Event, methodARN string) []byte {
	dst = append(dst, `{"type":"REQUEST","methodArn":`...)
	dst = jsonpath.AppendString(dst, methodARN)
	dst = append(dst, ',')
	dst = appendHandshake(dst, frontHeaders(ev.Headers), ev.Query, true)
	dst = append(dst, `"stageVariables":`...)
	dst = appendMap(dst, ev.StageVariables)
	dst = append(dst, `,"requestContext":`...)
	c := ev.Context
	c.Authorizer = nil // the function is about to say
	return append(appendContext(dst, &c), '}')
}

// frontHeaders are the headers with those of the connection itself, in the front end's own spelling.
func frontHeaders(headers apigw.Fields) apigw.Fields {
	out := make(apigw.Fields, 0, len(headers)+3)
	for _, f := range headers {
		if !strings.EqualFold(f.Name, "content-length") {
			out = append(out, f)
		}
	}
	return append(out,
		apigw.Field{Name: "Connection", Value: "upgrade"},
		apigw.Field{Name: "content-length", Value: "0"},
		apigw.Field{Name: "Upgrade", Value: "websocket"})
}
