package lambdaevent_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/lambdaevent"
)

const (
	tailOfContext = `"requestId":"Qyi3UG41tjMFlUg=","domainName":"a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com","connectionId":"Qyi07eCbtjMCJKw=","apiId":"a1b2c3d4e5"}`
	times         = `"stage":"prod","connectedAt":1710277042123,"requestTimeEpoch":1710277042124,"identity":{"userAgent":"demo/1.0","sourceIp":"192.0.2.7"},` + tailOfContext
	headOfContext = `"extendedRequestId":"Qyi3UG41tjMFlUg=","requestTime":"12/Mar/2024:20:57:22 +0000","messageDirection":"IN",`
)

// TestAppendProxy holds the layouts of spec events-and-integrations §1.1 to §1.3 to the byte.
func TestAppendProxy(t *testing.T) {
	authorizer := apigw.Fields{{Name: "tenant", Value: "t1"}, {Name: "principalId", Value: "user1"}, {Name: "integrationLatency", Value: "41"}}
	tests := map[string]struct {
		kind   apigw.EventType
		change func(*apigw.Event)
		want   string
	}{
		"connect": {
			apigw.EventConnect, func(ev *apigw.Event) {
				ev.Query = apigw.Fields{{Name: "room", Value: "red"}, {Name: "q", Value: "ü&"}, {Name: "room", Value: "blue"}}
				ev.StageVariables = map[string]string{"env": "beta", "a": "1"}
				ev.Context.Authorizer = authorizer
				ev.Headers = append(ev.Headers, apigw.Field{Name: "x-two", Value: "1"}, apigw.Field{Name: "X-Two", Value: "2"})
			},
			`{"headers":{"Host":"a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com","Sec-WebSocket-Key":"Q0FGRUJBQkVERUFEQkVFRg==","Sec-WebSocket-Version":"13","User-Agent":"demo/1.0","X-Amzn-Trace-Id":"Root=1-65f0c1d2-0123456789abcdef01234567","X-Forwarded-For":"192.0.2.7","X-Forwarded-Port":"443","X-Forwarded-Proto":"https","x-two":"2"},` +
				`"multiValueHeaders":{"Host":["a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"],"Sec-WebSocket-Key":["Q0FGRUJBQkVERUFEQkVFRg=="],"Sec-WebSocket-Version":["13"],"User-Agent":["demo/1.0"],"X-Amzn-Trace-Id":["Root=1-65f0c1d2-0123456789abcdef01234567"],"X-Forwarded-For":["192.0.2.7"],"X-Forwarded-Port":["443"],"X-Forwarded-Proto":["https"],"x-two":["1","2"]},` +
				`"queryStringParameters":{"room":"blue","q":"ü&"},"multiValueQueryStringParameters":{"room":["red","blue"],"q":["ü&"]},` +
				`"stageVariables":{"a":"1","env":"beta"},` +
				`"requestContext":{"routeKey":"$connect","authorizer":{"tenant":"t1","principalId":"user1","integrationLatency":41},"eventType":"CONNECT",` + headOfContext + times + `,"isBase64Encoded":false}`,
		},
		"connect without a query": {
			apigw.EventConnect, func(ev *apigw.Event) { ev.Headers = ev.Headers[:1]; ev.Context.Identity.UserAgent = "" },
			`{"headers":{"Host":"a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"},"multiValueHeaders":{"Host":["a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"]},` +
				`"requestContext":{"routeKey":"$connect","eventType":"CONNECT",` + headOfContext + strings.Replace(times, `"userAgent":"demo/1.0",`, "", 1) + `,"isBase64Encoded":false}`,
		},
		"message": {
			apigw.EventMessage, func(ev *apigw.Event) { ev.Context.Authorizer = authorizer },
			`{"requestContext":{"routeKey":"say","authorizer":{"tenant":"t1","principalId":"user1"},"messageId":"W9I-IeqhoAMCFvw=","eventType":"MESSAGE",` + headOfContext + times + `,"body":"{\"action\":\"say\",\"text\":\"hi\"}","isBase64Encoded":false}`,
		},
		"message with stage variables": {
			apigw.EventMessage, func(ev *apigw.Event) { ev.StageVariables = map[string]string{"env": "beta"}; ev.Body = nil },
			`{"stageVariables":{"env":"beta"},"requestContext":{"routeKey":"say","messageId":"W9I-IeqhoAMCFvw=","eventType":"MESSAGE",` + headOfContext + times + `,"body":"","isBase64Encoded":false}`,
		},
		"binary message": {
			apigw.EventMessage, func(ev *apigw.Event) { ev.Body, ev.Binary = []byte{0, 255, 16}, true },
			`{"requestContext":{"routeKey":"say","messageId":"W9I-IeqhoAMCFvw=","eventType":"MESSAGE",` + headOfContext + times + `,"body":"AP8Q","isBase64Encoded":true}`,
		},
		"message escapes": {
			apigw.EventMessage, func(ev *apigw.Event) { ev.Body = []byte("<&>\u2028\"\\/\b\f\n\r\t\x01\x1f\x7f\xff😀") },
			`{"requestContext":{"routeKey":"say","messageId":"W9I-IeqhoAMCFvw=","eventType":"MESSAGE",` + headOfContext + times + `,"body":"<&>` + "\u2028" + `\"\\/\b\f\n\r\t\u0001\u001F` + "\x7f\ufffd" + `😀","isBase64Encoded":false}`,
		},
		"disconnect": {
			apigw.EventDisconnect, func(ev *apigw.Event) { ev.Context.Authorizer = apigw.Fields{{Name: "principalId", Value: "user1"}} },
			`{"headers":{"Host":"a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com","x-api-key":"","X-Forwarded-For":"","x-restapi":""},` +
				`"multiValueHeaders":{"Host":["a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"],"x-api-key":[""],"X-Forwarded-For":[""],"x-restapi":[""]},` +
				`"requestContext":{"routeKey":"$disconnect","disconnectStatusCode":1005,"authorizer":{"principalId":"user1"},"eventType":"DISCONNECT",` + headOfContext + `"disconnectReason":"Client-side close frame status not set",` + times + `,"isBase64Encoded":false}`,
		},
		"signature": {
			apigw.EventMessage, func(ev *apigw.Event) {
				ev.Body = nil
				ev.Context.Identity = apigw.Identity{
					SourceIP: "192.0.2.7", UserAgent: "demo/1.0", AccountID: "123456789012", AccessKey: "AKIA", Caller: "AIDA", User: "AIDA",
					UserARN: "arn:aws:iam::123456789012:user/ann", PrincipalOrgID: "o-1",
				}
			},
			`{"requestContext":{"routeKey":"say","messageId":"W9I-IeqhoAMCFvw=","eventType":"MESSAGE",` + headOfContext +
				strings.Replace(times, `{"userAgent":"demo/1.0","sourceIp":"192.0.2.7"}`, `{"principalOrgId":"o-1","userArn":"arn:aws:iam::123456789012:user/ann","userAgent":"demo/1.0","accountId":"123456789012","caller":"AIDA","sourceIp":"192.0.2.7","accessKey":"AKIA","user":"AIDA"}`, 1) + `,"body":"","isBase64Encoded":false}`,
		},
		"API key": {
			apigw.EventDisconnect, func(ev *apigw.Event) {
				ev.Context.Identity = apigw.Identity{SourceIP: "::1", APIKey: "k", APIKeyID: "i"}
			},
			`{"headers":{"Host":"a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com","x-api-key":"","X-Forwarded-For":"","x-restapi":""},` +
				`"multiValueHeaders":{"Host":["a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"],"x-api-key":[""],"X-Forwarded-For":[""],"x-restapi":[""]},` +
				`"requestContext":{"routeKey":"$disconnect","disconnectStatusCode":1005,"eventType":"DISCONNECT",` + headOfContext + `"disconnectReason":"Client-side close frame status not set",` +
				strings.Replace(times, `{"userAgent":"demo/1.0","sourceIp":"192.0.2.7"}`, `{"apiKey":"k","apiKeyId":"i","sourceIp":"::1"}`, 1) + `,"isBase64Encoded":false}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ev := testEvent(tt.kind)
			tt.change(ev)
			got := string(lambdaevent.AppendProxy([]byte("before"), ev))
			if got != "before"+tt.want {
				t.Errorf("got\n%s\nwant\nbefore%s", got, tt.want)
			}
			if !json.Valid([]byte(got[len("before"):])) {
				t.Error("it is not JSON")
			}
		})
	}
}

// generic is the event as encoding/json would have it, for comparison.
func generic(ev *apigw.Event) map[string]any {
	c := &ev.Context
	ctx := map[string]any{
		"routeKey": c.RouteKey, "eventType": string(c.EventType), "extendedRequestId": string(c.RequestID), "requestTime": c.RequestTimeCLF(),
		"messageDirection": "IN", "stage": c.Stage, "connectedAt": c.ConnectedAt.UnixMilli(), "requestTimeEpoch": c.RequestTime.UnixMilli(),
		"identity": map[string]any{"sourceIp": c.Identity.SourceIP}, "requestId": string(c.RequestID), "domainName": c.DomainName,
		"connectionId": string(c.ConnectionID), "apiId": string(c.APIID),
	}
	out := map[string]any{"requestContext": ctx, "isBase64Encoded": false}
	if c.Authorizer != nil {
		a := map[string]any{}
		for _, f := range c.Authorizer {
			a[f.Name] = f.Value
		}
		ctx["authorizer"] = a
	}
	if len(ev.StageVariables) > 0 {
		out["stageVariables"] = ev.StageVariables
	}
	switch c.EventType {
	case apigw.EventConnect:
		single, multi := map[string]string{}, map[string][]string{}
		for _, f := range ev.Headers {
			single[f.Name] = f.Value
			multi[f.Name] = append(multi[f.Name], f.Value)
		}
		out["headers"], out["multiValueHeaders"] = single, multi
		single, multi = map[string]string{}, map[string][]string{}
		for _, f := range ev.Query {
			single[f.Name] = f.Value
			multi[f.Name] = append(multi[f.Name], f.Value)
		}
		if len(ev.Query) > 0 {
			out["queryStringParameters"], out["multiValueQueryStringParameters"] = single, multi
		}
	case apigw.EventMessage:
		ctx["messageId"] = c.MessageID
		out["body"] = string(ev.Body)
		if ev.Binary {
			out["body"], out["isBase64Encoded"] = base64.StdEncoding.EncodeToString(ev.Body), true
		}
	case apigw.EventDisconnect:
	}
	return out
}

// TestAppendProxyAgainstEncodingJSON compares random events, rich in control characters and bytes that are not
// UTF-8, with what encoding/json makes of the same values.
func TestAppendProxyAgainstEncodingJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"a", "Z", " ", "\"", "\\", "\x00", "\x1f", "\n", "\r", "\t", "\b", "\f", "\x7f", "\x80", "\xff", "\xc3", "\xe2\x80", "é", "\u2028", "😀", "\xed\xa0\x80", "\xf4\x90\x80\x80", "<", "&", "/"}
	random := func() string {
		var s strings.Builder
		for range r.IntN(12) {
			s.WriteString(pieces[r.IntN(len(pieces))])
		}
		return s.String()
	}
	for i := range 3000 {
		ev := testEvent([]apigw.EventType{apigw.EventConnect, apigw.EventMessage}[i%2])
		ev.Context.Identity.UserAgent = ""
		ev.Context.RouteKey, ev.Context.DomainName, ev.Context.Stage = random(), random(), random()
		ev.Headers, ev.StageVariables = nil, map[string]string{}
		for j := range r.IntN(6) {
			name := fmt.Sprint("h", j%4)
			ev.Headers = append(ev.Headers, apigw.Field{Name: name, Value: random()})
			ev.Query = append(ev.Query, apigw.Field{Name: name, Value: random()})
			ev.StageVariables[name] = random()
			ev.Context.Authorizer = append(ev.Context.Authorizer, apigw.Field{Name: name + fmt.Sprint(j), Value: random()})
		}
		ev.Body, ev.Binary = []byte(random()+random()), r.IntN(4) == 0
		reference, err := json.Marshal(generic(ev))
		if err != nil {
			t.Fatal(err)
		}
		mine := lambdaevent.AppendProxy(nil, ev)
		if got, want := decode(t, mine), decode(t, reference); !reflect.DeepEqual(got, want) {
			t.Fatalf("got\n%s\nwant\n%s", mine, reference)
		}
	}
}

func decode(t *testing.T, b []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %q", err, b)
	}
	return v
}

func TestAppendProxyAllocations(t *testing.T) {
	for _, kind := range []apigw.EventType{apigw.EventConnect, apigw.EventMessage, apigw.EventDisconnect} {
		ev := testEvent(kind)
		ev.StageVariables = map[string]string{"a": "1", "b": "2"}
		buf := make([]byte, 0, 8192)
		if n := testing.AllocsPerRun(100, func() { lambdaevent.AppendProxy(buf, ev) }); n != 0 {
			t.Errorf("%s: %v allocations, want 0", kind, n)
		}
	}
}

// TestManyHeaders: a hostile handshake costs time in proportion.
func TestManyHeaders(t *testing.T) {
	ev := testEvent(apigw.EventConnect)
	ev.Headers = nil
	for i := range 2000 {
		ev.Headers = append(ev.Headers, apigw.Field{Name: fmt.Sprint(2000 - i), Value: "x"})
	}
	decode(t, lambdaevent.AppendProxy(nil, ev))
}

func BenchmarkAppendProxy(b *testing.B) {
	for _, kind := range []apigw.EventType{apigw.EventConnect, apigw.EventMessage} {
		b.Run(string(kind), func(b *testing.B) {
			ev := testEvent(kind)
			if kind == apigw.EventMessage {
				ev.Body = []byte(`{"action":"say","text":"` + strings.Repeat("x", 488) + `"}`)
			}
			buf := make([]byte, 0, 8192)
			b.ReportAllocs()
			for b.Loop() {
				buf = lambdaevent.AppendProxy(buf[:0], ev)
			}
		})
	}
}
