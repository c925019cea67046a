package integration_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/backend"
	"cleat/internal/integration"
)

func mockIntegration(template string) apigw.Integration {
	return apigw.Integration{IntegrationType: apigw.IntegrationMock, RequestTemplates: map[string]string{"$default": template}}
}

func responding(template string) []apigw.IntegrationResponse {
	return []apigw.IntegrationResponse{{IntegrationResponseKey: "$default", ResponseTemplates: map[string]string{"$default": template}}}
}

// Spec events-and-integrations §8.3, mapping-templates §5 and §6.
func TestMockTemplates(t *testing.T) {
	ev := testEvent(apigw.EventMessage)
	ev.StageVariables = map[string]string{"env": "beta"}
	for name, tt := range map[string]struct {
		request, response string
		want              outcome
	}{
		"context":       {`{"statusCode": 200}`, `{"id":"$context.connectionId","route":"$context.routeKey","env":"$stageVariables.env"}`, outcome{status: 200, hasBody: true, body: `{"id":"Qyi07eCbtjMCJKw=","route":"say","env":"beta"}`}},
		"no body":       {`{"statusCode": 200}`, `$input.body`, outcome{status: 200, hasBody: true, body: "{}"}},
		"status":        {`{"statusCode": 404}`, `$context.status`, outcome{status: 404, hasBody: true, body: "404"}},
		"from the body": {`#if($input.path('$.text') == 'hi'){"statusCode": 201}#else{"statusCode": 400}#end`, "$context.status", outcome{status: 201, hasBody: true, body: "201"}},
		"override":      {`{"statusCode": 200}#set($context.responseOverride.status = 403)`, "x", outcome{status: 403, hasBody: true, body: "x"}},
		"last override": {`{"statusCode": 200}#set($context.responseOverride.status = 403)`, "x#set($context.responseOverride.status = 401)", outcome{status: 401, hasBody: true, body: "x"}},
		"no status":     {`{"statusCode": 200}`, "x#set($context.responseOverride.status = 99)", outcome{status: 200, hasBody: true, body: "x"}},
		"lenient":       {`{statusCode: 2#if(true)02#end}`, "x", outcome{status: 202, hasBody: true, body: "x"}},
		"no code":       {`{"status": 200}`, "x", outcome{kind: apigw.KindIntegrationConfig, failed: true}},
		"request fails": {`$input.path('$.text').substring(9)`, "x", outcome{kind: apigw.KindIntegrationConfig, failed: true}},
		"answer fails":  {`{"statusCode": 200}`, `$input.path('$.x').y.z $util.parseJson('{')`, outcome{kind: apigw.KindIntegrationConfig, failed: true}},
	} {
		t.Run(name, func(t *testing.T) {
			p := compile(t, mockIntegration(tt.request), responding(tt.response), integration.Dependencies{})
			res, err := p.Do(t.Context(), ev, new(integration.Room))
			if got := outcomeOf(res, err); got != tt.want {
				t.Errorf("got %+v %v, want %+v", got, err, tt.want)
			}
		})
	}
}

// An override in the request template of a MOCK without integration responses counts as well (spec mapping-templates §5).
func TestMockOverrideAlone(t *testing.T) {
	p := compile(t, mockIntegration(`{"statusCode": 200}#set($context.responseOverride.status = "418")`), nil, integration.Dependencies{})
	if res, err := p.Do(t.Context(), testEvent(apigw.EventConnect), new(integration.Room)); err != nil || res.Status != 418 {
		t.Errorf("got %d %v", res.Status, err)
	}
}

// A template that fails says in which template, and where.
func TestTemplateFaultsAreLocated(t *testing.T) {
	ev := testEvent(apigw.EventMessage)
	ev.Body = []byte("hello")
	for want, responses := range map[string][]apigw.IntegrationResponse{
		`request template "$default": line 2, column 7: the payload is not JSON (line 1, column 1: 'h' where a value should be); $input.body gives it as it is`: nil,
	} {
		p := compile(t, mockIntegration("{}\n$input.json('$')"), responses, integration.Dependencies{})
		if _, err := p.Do(t.Context(), ev, new(integration.Room)); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	p := compile(t, mockIntegration(`{"statusCode":200}`), responding("a\n$context.routeKey.substring(7)"), integration.Dependencies{})
	want := `integration response "$default": response template "$default": line 2, column 18: substring(): from 7 to 3 of a text of 3 characters; ask length() first`
	if _, err := p.Do(t.Context(), ev, new(integration.Room)); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Spec mapping-templates §5: $context.requestOverride of an HTTP integration.
func TestRequestOverrides(t *testing.T) {
	in := httpIntegration(apigw.IntegrationHTTP, "POST", "http://b.example/{room}/x?fixed=1", map[string]string{
		"integration.request.path.room": "'lobby'", "integration.request.querystring.q": "'mapped'", "integration.request.querystring.kept": "'k'",
		"integration.request.header.X-A": "'mapped'", "integration.request.header.X-Body": "route.request.body.text",
	})
	in.RequestTemplates = map[string]string{"$default": `#set($context.requestOverride.path.room = "blue room")
#set($context["requestOverride"].querystring["q"] = "first")
#set($context.requestOverride.querystring.q = $input.path('$.text'))
#set($void = $context.requestOverride.header.put("X-A", "over"))
#set($context.requestOverride.header["Content-Type"] = "text/plain")
#set($root = $input.path('$'))
#set($root.text = "changed")
$root.text`}
	f := &fakeHTTP{answer: backend.Response{Status: 200, Body: []byte("answer")}}
	p := compile(t, in, responding("$input.body"), integration.Dependencies{HTTP: f})
	res, err := p.Do(t.Context(), testEvent(apigw.EventMessage), new(integration.Room))
	if err != nil {
		t.Fatal(err)
	}
	if got := f.last.URL.String(); got != "http://b.example/blue%20room/x?fixed=1&q=hi&kept=k" {
		t.Errorf("got URL %s", got)
	}
	for name, want := range map[string]string{"X-A": "over", "Content-Type": "text/plain", "X-Body": "hi"} {
		if got, _ := f.last.Header.Last(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if string(res.Request) != "changed" || string(res.Response) != "answer" || string(res.Body) != "answer" {
		t.Errorf("got request %q, response %q, body %q", res.Request, res.Response, res.Body)
	}
}

// Headers that a mapping may not set, an override may not either.
func TestForbiddenOverrides(t *testing.T) {
	for _, name := range []string{"Content-Length", "X-Amzn-Trace-Id", "X-Cleat-Stage", "a b", "X\nY"} {
		in := httpIntegration(apigw.IntegrationHTTP, "POST", "http://b.example", nil)
		in.RequestTemplates = map[string]string{"$default": `#set($context.requestOverride.header["` + name + `"] = "1")`}
		p := compile(t, in, nil, integration.Dependencies{HTTP: &fakeHTTP{}})
		if _, err := p.Do(t.Context(), testEvent(apigw.EventMessage), new(integration.Room)); apigw.KindOf(err) != apigw.KindIntegrationConfig || !strings.Contains(err.Error(), "requestOverride.header") {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

// Spec events-and-integrations §5: a Lambda function behind templates, with the headers of its call.
func TestLambdaTemplates(t *testing.T) {
	f := answering(`{"n": 2, "who": "Ann"}`)
	in := apigw.Integration{
		IntegrationType: apigw.IntegrationAWS, IntegrationURI: functionURI,
		RequestParameters: map[string]string{"integration.request.header.X-Amz-Client-Context": "'eyJjdXN0b20iOnsiYSI6MX19'"},
		RequestTemplates:  map[string]string{"$default": `{"id":"$context.connectionId","body":$input.json('$')}`},
	}
	p := compile(t, in, responding(`$input.path('$.who'):$input.path('$.n')`), integration.Dependencies{Functions: f})
	res, err := p.Do(t.Context(), testEvent(apigw.EventMessage), new(integration.Room))
	if err != nil || string(res.Body) != "Ann:2" {
		t.Errorf("got %q %v", res.Body, err)
	}
	want := `{"id":"Qyi07eCbtjMCJKw=","body":{"action":"say","text":"hi"}}`
	if string(f.last.Payload) != want || string(f.last.ClientContext) != `{"custom":{"a":1}}` || f.last.Type != awsapi.InvokeRequestResponse {
		t.Errorf("got %+v", f.last)
	}
	if string(res.Request) != want || string(res.Response) != `{"n": 2, "who": "Ann"}` {
		t.Errorf("got request %q and response %q", res.Request, res.Response)
	}
	in.RequestTemplates["$default"] = `{}#set($context.requestOverride.header["X-Amz-Invocation-Type"] = "Event")`
	p = compile(t, in, nil, integration.Dependencies{Functions: f})
	if res, err := p.Do(t.Context(), testEvent(apigw.EventMessage), new(integration.Room)); err != nil || res.Status != 202 || f.last.Type != awsapi.InvokeEvent {
		t.Errorf("got %+v %v for a call of type %s", res, err, f.last.Type)
	}
	for template, want := range map[string]string{
		`hello`: "Could not parse request body into json",
		`{}#set($context.requestOverride.header["X-Amz-Client-Context"] = "e30")`: "",
		`{}#set($context.requestOverride.header["X-Amz-Client-Context"] = "!")`:   "is not JSON in base64",
	} {
		in.RequestTemplates["$default"] = template
		_, err := compile(t, in, nil, integration.Dependencies{Functions: f}).Do(t.Context(), testEvent(apigw.EventMessage), new(integration.Room))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", template, err, want)
		}
	}
}

// Spec events-and-integrations §8.1 and open-questions 40: which template, and what happens without one, for all types.
func TestSelection(t *testing.T) {
	type selection struct {
		expression  string
		keys        []string
		passthrough string
	}
	for name, tt := range map[string]struct {
		selection
		want string // the key of the template; "-": the message passes; "415": refused
	}{
		"by the message":              {selection{"${request.body.action}", []string{"say", "$default"}, ""}, "say"},
		"static":                      {selection{"200", []string{"200", "$default"}, ""}, "200"},
		"literal dollar":              {selection{`\$default`, []string{"say", "$default"}, ""}, "$default"},
		"expression without its key":  {selection{"${request.body.nope}", []string{"say", "$default"}, ""}, "$default"},
		"no expression":               {selection{"", []string{"application/json", "$default"}, ""}, "$default"},
		"no expression, content type": {selection{"", []string{"application/json", "b"}, ""}, "application/json"},
		"no expression, only one":     {selection{"", []string{"b"}, ""}, "b"},
		"no expression, neither":      {selection{"", []string{"b", "c"}, ""}, "-"},
		"no match":                    {selection{"x", []string{"b"}, ""}, "-"},
		"WHEN_NO_MATCH":               {selection{"x", []string{"b"}, "WHEN_NO_MATCH"}, "-"},
		"WHEN_NO_TEMPLATES":           {selection{"x", []string{"b"}, "WHEN_NO_TEMPLATES"}, "415"},
		"WHEN_NO_TEMPLATES, none":     {selection{"x", nil, "WHEN_NO_TEMPLATES"}, "-"},
		"NEVER":                       {selection{"x", nil, "NEVER"}, "415"},
		"NEVER with a match":          {selection{"x", []string{"x"}, "NEVER"}, "x"},
	} {
		templates := map[string]string{}
		for _, key := range tt.keys {
			templates[key] = `{"statusCode": 200, "key": "` + strings.Trim(key, "$") + `"}`
		}
		want := map[string]string{"-": `{"action":"say","text":"hi","statusCode":200}`, "415": ""}[tt.want]
		if template, ok := templates[tt.want]; ok {
			want = template
		}
		for _, in := range []apigw.Integration{
			{IntegrationType: apigw.IntegrationMock},
			httpIntegration(apigw.IntegrationHTTP, "POST", "http://b.example", nil),
			{IntegrationType: apigw.IntegrationAWS, IntegrationURI: functionURI},
		} {
			t.Run(name+" "+string(in.IntegrationType), func(t *testing.T) {
				in.TemplateSelectionExpression, in.RequestTemplates, in.PassthroughBehavior = tt.expression, templates, tt.passthrough
				p := compile(t, in, nil, integration.Dependencies{HTTP: &fakeHTTP{answer: backend.Response{Status: 200}}, Functions: answering("{}")})
				ev := testEvent(apigw.EventMessage)
				ev.Body = []byte(`{"action":"say","text":"hi","statusCode":200}`)
				res, err := p.Do(t.Context(), ev, new(integration.Room))
				if refused := apigw.KindOf(err) == apigw.KindUnsupportedMediaType; refused != (tt.want == "415") || err != nil && !refused {
					t.Errorf("got %v, want %s", err, tt.want)
				}
				if string(res.Request) != want {
					t.Errorf("got %s, want %s", res.Request, want)
				}
			})
		}
	}
}

// Spec events-and-integrations §8.1, §8.2: content handling both ways, with templates and without.
func TestContentHandling(t *testing.T) {
	for name, tt := range map[string]struct {
		request, response   string // strategies
		message             string
		binary              bool
		template, template2 string
		answer              string
		sent, got           string
	}{
		"none":                     {message: "aGk=", answer: "YQ==", sent: "aGk=", got: "YQ=="},
		"to binary":                {request: "CONVERT_TO_BINARY", response: "CONVERT_TO_BINARY", message: "aGk=", answer: "YQ==", sent: "hi", got: "a"},
		"text to text":             {request: "CONVERT_TO_TEXT", response: "CONVERT_TO_TEXT", message: "hi", answer: "a", sent: "hi", got: "a"},
		"binary to text":           {request: "CONVERT_TO_TEXT", response: "CONVERT_TO_TEXT", message: "hi", binary: true, answer: "\xff", sent: "aGk=", got: "/w=="},
		"to binary, then template": {request: "CONVERT_TO_BINARY", response: "CONVERT_TO_BINARY", message: "aGk=", answer: "YQ==", template: "<$input.body>", template2: "[$input.body]", sent: "<hi>", got: "[a]"},
		"to text, then template":   {request: "CONVERT_TO_TEXT", response: "CONVERT_TO_TEXT", message: "hi", binary: true, answer: "\xff", template: "<$input.body>", template2: "[$input.body]", sent: "<aGk=>", got: "[/w==]"},
	} {
		t.Run(name, func(t *testing.T) {
			in := httpIntegration(apigw.IntegrationHTTP, "POST", "http://b.example", nil)
			in.ContentHandlingStrategy = tt.request
			response := apigw.IntegrationResponse{IntegrationResponseKey: "$default", ContentHandlingStrategy: tt.response}
			if tt.template != "" {
				in.RequestTemplates = map[string]string{"$default": tt.template}
				response.ResponseTemplates = map[string]string{"$default": tt.template2}
			}
			f := &fakeHTTP{answer: backend.Response{Status: 200, Body: []byte(tt.answer)}}
			p := compile(t, in, []apigw.IntegrationResponse{response}, integration.Dependencies{HTTP: f})
			ev := testEvent(apigw.EventMessage)
			ev.Body, ev.Binary = []byte(tt.message), tt.binary
			res, err := p.Do(t.Context(), ev, new(integration.Room))
			if err != nil || string(f.last.Body) != tt.sent || string(res.Body) != tt.got {
				t.Errorf("sent %q, got %q %v; want %q and %q", f.last.Body, res.Body, err, tt.sent, tt.got)
			}
		})
	}
}

// At $connect a template sees the handshake: $input.params(), and no body (spec mapping-templates §4).
func TestParamsAtConnect(t *testing.T) {
	in := httpIntegration(apigw.IntegrationHTTP, "POST", "http://b.example", nil)
	in.RequestTemplates = map[string]string{"$default": `$input.params('room') $input.params('User-Agent') $input.body`}
	f := &fakeHTTP{answer: backend.Response{Status: 200}}
	p := compile(t, in, []apigw.IntegrationResponse{{IntegrationResponseKey: "$default"}}, integration.Dependencies{HTTP: f})
	ev := testEvent(apigw.EventConnect)
	ev.Query = apigw.Fields{{Name: "room", Value: "red"}, {Name: "room", Value: "blue"}}
	if _, err := p.Do(t.Context(), ev, new(integration.Room)); err != nil || string(f.last.Body) != "blue demo/1.0 {}" {
		t.Errorf("got %q %v", f.last.Body, err)
	}
	if _, err := p.Do(t.Context(), testEvent(apigw.EventDisconnect), new(integration.Room)); err != nil || string(f.last.Body) != "  {}" {
		t.Errorf("got %q %v at the end", f.last.Body, err)
	}
}

// A plan serves many events at once.
func TestTemplatesConcurrently(t *testing.T) {
	p := compile(t, mockIntegration(`#set($n = $input.path('$.n')){"statusCode": $n}`), responding("$context.status"), integration.Dependencies{})
	results := make(chan error)
	want := map[string]string{"200": "", "404": "", "501": ""}
	for _, status := range slices.Collect(maps.Keys(want)) {
		go func() {
			for range 100 {
				ev := testEvent(apigw.EventMessage)
				ev.Body = []byte(`{"n": ` + status + `}`)
				res, err := p.Do(t.Context(), ev, new(integration.Room))
				if err != nil || string(res.Body) != status {
					results <- errors.Join(err, errors.New("got "+string(res.Body)))
					return
				}
			}
			results <- nil
		}()
	}
	for range want {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}
