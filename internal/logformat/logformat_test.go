package logformat_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/logformat"
)

func record() *apigw.Record {
	at := time.UnixMilli(1710277042124)
	ev := &apigw.Event{Context: apigw.RequestContext{
		RouteKey: "say", EventType: apigw.EventMessage, RequestID: "Qyi3UG41tjMFlUg=", RequestTime: at, Stage: "prod",
		ConnectedAt: time.UnixMilli(1710277042000), DomainName: "a1.example", ConnectionID: "Qyi07eCbtjMCJKw=", APIID: "a1b2c3d4e5",
		MessageID:  "W9I-IeqhoAMCFvw=",
		Identity:   apigw.Identity{SourceIP: "192.0.2.7", UserAgent: "demo \"1\"\n", UserARN: "arn:aws:iam::123456789012:user/ann", User: "AIDA", Caller: "AIDA", AccountID: "123456789012"},
		Authorizer: apigw.Fields{{Name: "tenant", Value: "t1"}, {Name: "principalId", Value: "user1"}},
	}}
	return &apigw.Record{
		Time: at, Operation: "message", Event: ev, Status: 502, BackendStatus: 500, Err: errors.New("it broke"),
		ErrorMessage: "Internal server error", ResponseType: "INTEGRATION_FAILURE", ValidationError: "[object has missing required properties ([\"price\"])]",
		Integration: apigw.Step{Taken: true, Status: 200, Latency: 41500 * time.Microsecond, RequestID: "u-1", Error: "boom"},
		Authorizer:  apigw.Step{Taken: true, Status: 200, Latency: 7 * time.Millisecond, RequestID: "u-2"},
		Authorize:   apigw.Step{Taken: true, Status: 403, Error: "denied"},
	}
}

// Every variable of spec data-plane §9.1.
func TestVariables(t *testing.T) {
	for name, want := range map[string]string{
		"apiId": "a1b2c3d4e5", "stage": "prod", "domainName": "a1.example", "connectionId": "Qyi07eCbtjMCJKw=",
		"connectedAt": "1710277042000", "eventType": "MESSAGE", "routeKey": "say", "messageId": "W9I-IeqhoAMCFvw=",
		"messageDirection": "IN", "requestId": "Qyi3UG41tjMFlUg=", "extendedRequestId": "Qyi3UG41tjMFlUg=",
		"requestTime": "12/Mar/2024:20:57:22 +0000", "requestTimeEpoch": "1710277042124", "status": "502",
		"error.message": "Internal server error", "error.messageString": `"Internal server error"`,
		"error.responseType": "INTEGRATION_FAILURE", "error.validationErrorString": `[object has missing required properties (["price"])]`,
		"authorize.error": "denied", "authorize.latency": "0", "authorize.status": "403",
		"authenticate.error": "-", "authenticate.latency": "-", "authenticate.status": "-",
		"authorizer.error": "-", "authorizer.integrationLatency": "7", "authorizer.integrationStatus": "200", "authorizer.latency": "7",
		"authorizer.requestId": "u-2", "authorizer.status": "200", "authorizer.principalId": "user1", "authorizer.tenant": "t1", "authorizer.nope": "-",
		"identity.accountId": "123456789012", "identity.apiKey": "-", "identity.apiKeyId": "-", "identity.caller": "AIDA",
		"identity.cognitoAuthenticationProvider": "-", "identity.cognitoAuthenticationType": "-", "identity.cognitoIdentityId": "-",
		"identity.cognitoIdentityPoolId": "-", "identity.principalOrgId": "-", "identity.sourceIp": "192.0.2.7", "identity.user": "AIDA",
		"identity.userArn": "arn:aws:iam::123456789012:user/ann", "identity.userAgent": `demo "1"\n`,
		"integration.error": "boom", "integration.integrationStatus": "200", "integration.latency": "41", "integration.requestId": "u-1",
		"integration.status": "500", "integrationLatency": "41", "integrationStatus": "200", "integrationErrorMessage": "boom",
		"waf.error": "-", "waf.latency": "-", "waf.status": "-", "nonsense": "-",
	} {
		f, err := logformat.Parse("<$context." + name + "> $context.requestId")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := strings.TrimSuffix(string(f.Append(nil, record())), " Qyi3UG41tjMFlUg=")
		if got != "<"+want+">" {
			t.Errorf("$context.%s: got %s, want <%s>", name, got, want)
		}
		if unknown := slices.Contains(f.Unknown(), name); unknown != (name == "nonsense") {
			t.Errorf("$context.%s: unknown is %v", name, unknown)
		}
	}
}

func TestStatus(t *testing.T) {
	f, err := logformat.Parse("$context.status $context.requestId")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		operation string
		status    int
		err       error
		want      string
	}{
		"a handshake":                      {"connect", 101, nil, "101"},
		"a refused one":                    {"connect", 401, errors.New("no"), "401"},
		"a message, whatever was answered": {"message", 500, nil, "200"},
		"a message that failed":            {"message", 403, errors.New("no"), "403"},
		"a disconnect without a route":     {"disconnect", 0, nil, "200"},
	} {
		rec := record()
		rec.Operation, rec.Status, rec.Err = test.operation, test.status, test.err
		if got, _, _ := strings.Cut(string(f.Append(nil, rec)), " "); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

func TestParse(t *testing.T) {
	for name, test := range map[string]struct{ format, want, fault string }{
		"text around":          {format: "a $context.requestId.", want: "a Qyi3UG41tjMFlUg=."},
		"next to a word":       {format: "$context.stage-$context.requestId", want: "-Qyi3UG41tjMFlUg="}, // - belongs to names
		"line breaks":          {format: "$context.requestId\n$context.stage\r\n", want: "Qyi3UG41tjMFlUg= prod"},
		"dollar alone":         {format: "$ $context. $contextual $context.requestId", want: "$ $context. $contextual Qyi3UG41tjMFlUg="},
		"without a request ID": {format: "$context.stage", fault: "must contain $context.requestId"},
		"empty":                {format: " \n", fault: "is empty"},
		"too long":             {format: "$context.requestId" + strings.Repeat("x", logformat.MaxSize), fault: "at most 3072"},
		"the default":          {format: logformat.Default, want: `192.0.2.7 AIDA AIDA [12/Mar/2024:20:57:22 +0000] "MESSAGE say Qyi07eCbtjMCJKw=" Qyi3UG41tjMFlUg=`},
	} {
		f, err := logformat.Parse(test.format)
		if test.fault != "" {
			if err == nil || !strings.Contains(err.Error(), test.fault) {
				t.Errorf("%s: got %v, want a fault with %q", name, err, test.fault)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := string(f.Append(nil, record())); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

// What a client sends cannot steer the terminal that a line is shown on, and stays UTF-8.
func TestControlCharacters(t *testing.T) {
	for name, tc := range map[string]struct{ format, want string }{
		"text": {"$context.requestId $context.identity.userAgent", `a\u001b[2J\u007f\u009b2J\ufffdé\u0085b"\`},
		"JSON": {`{"id":"$context.requestId","agent":"$context.identity.userAgent"}`, `a\u001b[2J\u007f\u009b2J\ufffdé\u0085b\"\\`},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := logformat.Parse(tc.format)
			if err != nil {
				t.Fatal(err)
			}
			rec := record()
			rec.Event.Context.Identity.UserAgent = "a\x1b[2J\x7f\u009b2J\x9bé\u0085b\"\\"
			if got := string(f.Append(nil, rec)); !strings.Contains(got, tc.want) {
				t.Errorf("got %s, want …%s…", got, tc.want)
			}
		})
	}
}

// What a client sends cannot break a JSON line.
func TestJSONStaysJSON(t *testing.T) {
	f, err := logformat.Parse(`{"id":"$context.requestId","agent":"$context.identity.userAgent","error":$context.error.messageString}`)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(f.Append(nil, record()), &got); err != nil {
		t.Fatal(err)
	}
	if got["agent"] != "demo \"1\"\n" || got["error"] != "Internal server error" {
		t.Errorf("got %q", got)
	}
	ok := record()
	ok.Err, ok.ErrorMessage = nil, ""
	if err := json.Unmarshal(f.Append(nil, ok), &got); err != nil || got["error"] != "-" {
		t.Errorf("without an error: %v, %q", err, got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(logformat.Default)
	f.Add(`{"a":"$context.authorizer.x-y","r":"$context.requestId"}`)
	f.Add("$context..$context.-$context.extendedRequestId")
	f.Fuzz(func(t *testing.T, format string) {
		p, err := logformat.Parse(format)
		if err != nil {
			return
		}
		if line := p.Append(nil, record()); strings.ContainsAny(string(line), "\n\r") {
			t.Errorf("%q gave more than one line: %q", format, line)
		}
	})
}

// TestAppendAllocates: the time of the request is a text of its own; the rest of a line costs nothing but room.
func TestAppendAllocates(t *testing.T) {
	f, err := logformat.Parse(logformat.Default)
	if err != nil {
		t.Fatal(err)
	}
	rec, buf := record(), make([]byte, 0, 512)
	if n := testing.AllocsPerRun(100, func() { buf = f.Append(buf[:0], rec) }); n > 1 {
		t.Errorf("%v allocations, want 1 at most", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	f, err := logformat.Parse(logformat.Default)
	if err != nil {
		b.Fatal(err)
	}
	rec, buf := record(), make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		buf = f.Append(buf[:0], rec)
	}
}
