package vtl_test

import (
	"strings"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/vtl"
)

// contextNames are all that $context has, some that it has not, and some that only other APIs have.
var contextNames = []string{
	"apiId", "stage", "domainName", "connectionId", "connectedAt", "eventType", "routeKey", "messageId", "messageDirection", "requestId",
	"extendedRequestId", "requestTime", "requestTimeEpoch", "isBase64Encoded", "disconnectStatusCode", "disconnectReason", "status", "accountId",
	"nothing", "error", "authorizer", "requestOverride", "identity.sourceIp", "identity.userAgent", "identity.apiKey", "identity.apiKeyId",
	"identity.accountId", "identity.caller", "identity.user", "identity.userArn", "identity.cognitoIdentityId", "identity.nothing",
}

// Printing a variable of $context takes a short way (direct.go), which must print what get() gives (spec mapping-templates
// §5), whatever the template has done to $context before.
func TestContextIsPrintedAsItIsGot(t *testing.T) {
	for name, before := range map[string]string{
		"as it is":                 "",
		"looked at":                "#set($x = $context.identity)#set($x = $context.stage)",
		"with members of its own":  `#set($context.stage = "mine")#set($context.status = 7)#set($context.nothing = [1, 2])`,
		"with an identity changed": `#set($context.identity.sourceIp = "mine")`,
		"with another identity":    `#set($context.identity = {"sourceIp": 3})`,
		"overridden":               `#set($context.requestOverride.header.a = "b")`,
	} {
		for _, kind := range []apigw.EventType{apigw.EventConnect, apigw.EventMessage, apigw.EventDisconnect} {
			t.Run(name+", "+string(kind), func(t *testing.T) {
				for _, variable := range contextNames {
					direct := before + "[$context." + variable + "|${context." + variable + "}|$!context." + variable + "|\"$context." + variable + "\"]"
					parts := strings.Split(variable, ".")
					got := "$context"
					for _, p := range parts[:len(parts)-1] {
						got += "." + p
					}
					got += `.get("` + parts[len(parts)-1] + `")`
					want := before + "[" + got + "|" + got + "|" + got + "|\"" + got + "\"]"
					if a, b := renderContext(t, direct, kind), renderContext(t, want, kind); a != b {
						t.Errorf("$context.%s: got %s, want %s", variable, a, b)
					}
				}
			})
		}
	}
	// A template may use the name for something else.
	if got := renderContext(t, `#set($context = {"stage": "other"})$context.stage`, apigw.EventMessage); got != "other" {
		t.Errorf("got %q", got)
	}
}

func renderContext(t *testing.T, text string, kind apigw.EventType) string {
	t.Helper()
	template, err := vtl.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	out, err := template.Render(nil, &vtl.Input{Status: 201, Event: &apigw.Event{Context: apigw.RequestContext{
		EventType: kind, APIID: "a1b2c3d4e5", Stage: "prod", ConnectionID: "L0SM9cOFvHcCIhw=", RequestID: "r1", MessageID: "m1", RouteKey: "say",
		DomainName: "example.com", ConnectedAt: time.UnixMilli(1), RequestTime: time.UnixMilli(2), DisconnectStatusCode: 1001,
		Identity: apigw.Identity{SourceIP: "192.0.2.1", UserAgent: "a browser", APIKey: "k"},
	}}})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return string(out)
}

// A rendering that turns out to be long says so, once, before it goes on.
func TestRenderYields(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want int
	}{
		"short":          {`#foreach($i in [1..10])$i #end`, 0},
		"constant":       {strings.Repeat("x", 1000), 0},
		"a long loop":    {`#foreach($i in [1..1000])$i $i $i #end`, 1},
		"a longer one":   {`#foreach($i in [1..1000])#foreach($j in [1..50])$j#end#end`, 1},
		"too long a one": {`#foreach($i in [1..1000])#foreach($j in [1..1000])$j $i $j#end#end`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			template, err := vtl.Parse(tc.text)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second one with what the first one left
				got := 0
				in := &vtl.Input{Event: &apigw.Event{}, Yield: func() { got++ }}
				if _, err := template.Render(nil, in); (err != nil) != strings.HasPrefix(name, "too") {
					t.Errorf("got %v", err)
				}
				if got != tc.want {
					t.Errorf("yielded %d times, want %d", got, tc.want)
				}
			}
		})
	}
}
