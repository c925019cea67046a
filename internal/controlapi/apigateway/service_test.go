package apigateway_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/control"
	"cleat/internal/controlapi"
	"cleat/internal/controlapi/apigateway"
	"cleat/internal/store"
	"cleat/internal/store/memory"
)

// world is the service over an API with the stages prod and beta, and a data plane that says that everybody used three
// requests a day and has what is left.
type world struct {
	tb      testing.TB
	url     string
	api     apigw.APIID
	left    int64
	audited []string
	// names are what placeholders of earlier answers stand for.
	names map[string]string
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	c := control.New(store.New(memory.New()), control.Options{})
	api, err := c.CreateAPI(tb.Context(), apigw.API{Name: "shop", ProtocolType: "WEBSOCKET", RouteSelectionExpression: "$request.body.action"}, awsapi.DefaultRegion)
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range []string{"prod", "beta"} {
		if _, err := c.CreateStage(tb.Context(), api.APIID, apigw.Stage{StageName: name}); err != nil {
			tb.Fatal(err)
		}
	}
	w := &world{tb: tb, api: api.APIID, left: 7, names: map[string]string{"api": string(api.APIID)}}
	s := apigateway.Service(apigateway.Options{
		Control: c,
		Used: func(_ *apigw.UsagePlan, _ string, from, to time.Time) (days [][2]int64) {
			for d := from; !d.After(to); d = d.AddDate(0, 0, 1) {
				days = append(days, [2]int64{3, w.left})
			}
			return days
		},
		SetRemaining: func(_ *apigw.UsagePlan, _ string, remaining int64) error {
			w.left = remaining
			return nil
		},
		LinkLeads: func(l *apigw.VPCLink) bool { return l.Name == "known" },
	})
	server := httptest.NewServer(controlapi.New(controlapi.Options{
		Log: slog.New(slog.DiscardHandler), Services: []controlapi.Service{s},
		Audit: func(e controlapi.Entry) { w.audited = append(w.audited, e.Operation+" "+e.Resource) },
	}))
	tb.Cleanup(server.Close)
	w.url = server.URL
	return w
}

var placeholder = regexp.MustCompile(`<(\w+)>`)

// fill puts in what placeholders stand for.
func (w *world) fill(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(p string) string {
		if v, ok := w.names[p[1:len(p)-1]]; ok {
			return v
		}
		return p
	})
}

// match holds a body to what is wanted, in which <name> stands for a text that is taken for that name from then on, and
// <time> for a time of just now.
func (w *world) match(got, want string) bool {
	pattern, last := "^", 0
	want = w.fill(want)
	var names []string
	for _, at := range placeholder.FindAllStringSubmatchIndex(want, -1) {
		name := want[at[2]:at[3]]
		names = append(names, name)
		pattern += regexp.QuoteMeta(want[last:at[0]])
		if pattern += `([a-z0-9]+)`; name == "time" {
			pattern = strings.TrimSuffix(pattern, `([a-z0-9]+)`) + `(1[0-9]{9})`
		}
		last = at[1]
	}
	m := regexp.MustCompile(pattern + regexp.QuoteMeta(want[last:]) + "$").FindStringSubmatch(got)
	if m == nil {
		return false
	}
	for i, name := range names {
		if name != "time" {
			w.names[name] = m[i+1]
		}
	}
	return true
}

func (w *world) do(request, body string) (status int, answer string, header http.Header) {
	w.tb.Helper()
	method, path, _ := strings.Cut(w.fill(request), " ")
	r, err := http.NewRequestWithContext(w.tb.Context(), method, w.url+path, strings.NewReader(w.fill(body)))
	if err != nil {
		w.tb.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		w.tb.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		w.tb.Fatal(err)
	}
	return res.StatusCode, string(got), res.Header
}

// step is one request, and what it must be answered with.
type step struct {
	request, body string
	status        int
	want          string
}

func (w *world) play(steps []step) {
	w.tb.Helper()
	for _, s := range steps {
		if status, got, _ := w.do(s.request, s.body); status != s.status || !w.match(got, s.want) {
			w.tb.Errorf("%s %s\ngot  %d %s\nwant %d %s", s.request, s.body, status, got, s.status, w.fill(s.want))
		}
	}
}

// API keys (spec control-plane §14): dates are seconds, values are shown where they are asked for.
func TestAPIKeys(t *testing.T) {
	w := newWorld(t)
	w.play([]step{
		{"GET /apikeys", "", 200, `{"item":[]}`},
		{
			"POST /apikeys", `{"name":"one","enabled":true,"value":"the-value-of-the-first-key","customerId":"c1","tags":{"a":"b"},"generateDistinctId":true}`, 201,
			`{"id":"<one>","value":"the-value-of-the-first-key","name":"one","customerId":"c1","enabled":true,"createdDate":<time>,"lastUpdatedDate":<time>,"stageKeys":[],"tags":{"a":"b"}}`,
		},
		{"POST /apikeys", `{}`, 201, `{"id":"<two>","value":"<value>","enabled":false,"createdDate":<time>,"lastUpdatedDate":<time>,"stageKeys":[]}`},
		{"GET /apikeys/<two>", "", 200, `{"id":"<two>","enabled":false,"createdDate":<time>,"lastUpdatedDate":<time>,"stageKeys":[]}`},
		{"GET /apikeys/<two>?includeValue=true", "", 200, `{"id":"<two>","value":"<value>","enabled":false,"createdDate":<time>,"lastUpdatedDate":<time>,"stageKeys":[]}`},
		{
			"PATCH /apikeys/<two>", `{"patchOperations":[{"op":"replace","path":"/enabled","value":"true"},{"op":"replace","path":"/name","value":"two"}]}`, 200,
			`{"id":"<two>","name":"two","enabled":true,"createdDate":<time>,"lastUpdatedDate":<time>,"stageKeys":[]}`,
		},
		{
			"GET /apikeys?name=tw&includeValues=true", "", 200,
			`{"item":[{"id":"<two>","value":"<value>","name":"two","enabled":true,"createdDate":<time>,"lastUpdatedDate":<time>,"stageKeys":[]}]}`,
		},
		{
			"GET /apikeys?customerId=c1", "", 200,
			`{"item":[{"id":"<one>","name":"one","customerId":"c1","enabled":true,"createdDate":<time>,"lastUpdatedDate":<time>,"stageKeys":[],"tags":{"a":"b"}}]}`,
		},
		{"POST /apikeys", `{"value":"the-value-of-the-first-key"}`, 409, `{"message":"API Key already exists"}`},
		{"POST /apikeys", `{"value":"short"}`, 400, `{"message":"API Key value should be at least 20 characters"}`},
		{"POST /apikeys", `{"enabled":"yes"}`, 400, `{"message":"Invalid request body: enabled must not be a JSON string"}`},
		{"GET /apikeys?limit=0", "", 400, `{"message":"limit must be a whole number from 1 to 500"}`},
		{"GET /apikeys?includeValues=some", "", 400, `{"message":"includeValues must be true or false"}`},
		{"DELETE /apikeys/<one>", "", 202, ""},
		{"GET /apikeys/<one>", "", 404, `{"message":"Invalid API Key identifier specified <one>"}`},
		{"DELETE /apikeys/<one>", "", 404, `{"message":"Invalid API Key identifier specified <one>"}`},
		{
			"POST /apikeys?mode=import&format=csv&failonwarnings=false", "Name,Key\nthree,the-value-of-the-third-key\nfour,short\n", 201,
			`{"ids":["<three>"],"warnings":["Line 3: API Key value should be at least 20 characters"]}`,
		},
		{"POST /apikeys?mode=import&format=csv&failonwarnings=true", "Name,Key\nfour,short\n", 400, `{"message":"Failed to import API keys: Line 2: API Key value should be at least 20 characters"}`},
		{"POST /apikeys?mode=import&format=json", "", 400, `{"message":"Invalid import: want mode=import and format=csv"}`},
	})
	if got, want := w.audited[0], w.fill("CreateApiKey arn:aws:apigateway:us-east-1::/apikeys/<one>"); got != want {
		t.Errorf("audited %q, want %q", got, want)
	}
}

// Usage plans, their keys and their usage (spec control-plane §14): limits that are zero are shown.
func TestUsagePlans(t *testing.T) {
	w := newWorld(t)
	const plan = `{"id":"<plan>","name":"gold","description":"for all","apiStages":[{"apiId":"<api>","stage":"prod","throttle":{"say":{"burstLimit":0,"rateLimit":0.5}}}],"throttle":{"burstLimit":5,"rateLimit":0},"quota":{"limit":10,"offset":0,"period":"DAY"},"tags":{"a":"b"}}`
	w.play([]step{
		{"GET /usageplans", "", 200, `{"item":[]}`},
		{
			"POST /usageplans", `{"name":"gold","description":"for all","apiStages":[{"apiId":"<api>","stage":"prod","throttle":{"say":{"rateLimit":0.5}}}],"throttle":{"burstLimit":5},"quota":{"limit":10,"period":"DAY"},"tags":{"a":"b"}}`,
			201, plan,
		},
		{"GET /usageplans/<plan>", "", 200, plan},
		{"GET /usageplans", "", 200, `{"item":[` + plan + `]}`},
		{"POST /usageplans", `{"name":"bare"}`, 201, `{"id":"<bare>","name":"bare","apiStages":[]}`},
		{"POST /usageplans", `{"name":"x","apiStages":[{"apiId":"<api>","stage":"test"}]}`, 404, `{"message":"API Stage not found: <api>:test"}`},
		{
			"PATCH /usageplans/<bare>", `{"patchOperations":[{"op":"add","path":"/apiStages","value":"<api>:beta"}]}`, 200,
			`{"id":"<bare>","name":"bare","apiStages":[{"apiId":"<api>","stage":"beta"}]}`,
		},
		{"DELETE /usageplans/<bare>", "", 400, `{"message":"Cannot delete Usage Plan <bare> because there are API Stages associated with it"}`},
		{"PATCH /usageplans/<bare>", `{"patchOperations":[{"op":"remove","path":"/apiStages","value":"<api>:beta"}]}`, 200, `{"id":"<bare>","name":"bare","apiStages":[]}`},
		{"PATCH /usageplans/<bare>", `{}`, 200, `{"id":"<bare>","name":"bare","apiStages":[]}`},
		{"DELETE /usageplans/<bare>", "", 202, ""},
		{"GET /usageplans/<bare>", "", 404, `{"message":"Invalid Usage Plan ID specified <bare>"}`},

		{"POST /apikeys", `{"name":"one"}`, 201, `{"id":"<one>","value":"<value>","name":"one","enabled":false,"createdDate":<time>,"lastUpdatedDate":<time>,"stageKeys":[]}`},
		{"POST /usageplans/<plan>/keys", `{"keyId":"<one>","keyType":"API_KEY"}`, 201, `{"id":"<one>","type":"API_KEY","value":"<value>","name":"one"}`},
		{"POST /usageplans/<plan>/keys", `{"keyId":"<one>","keyType":"API_KEY"}`, 409, `{"message":"The API Key <one> is in the usage plan already"}`},
		{"POST /usageplans/<plan>/keys", `{"keyId":"<one>","keyType":"TOKEN"}`, 400, `{"message":"Invalid key type \"TOKEN\". Must be API_KEY"}`},
		{"GET /usageplans/<plan>/keys/<one>", "", 200, `{"id":"<one>","type":"API_KEY","value":"<value>","name":"one"}`},
		{"GET /usageplans/<plan>/keys", "", 200, `{"item":[{"id":"<one>","type":"API_KEY","value":"<value>","name":"one"}]}`},
		{"GET /usageplans/<plan>/keys?name=two", "", 200, `{"item":[]}`},
		{"GET /usageplans?keyId=<one>", "", 200, `{"item":[` + plan + `]}`},
		{"GET /usageplans?keyId=none", "", 404, `{"message":"Invalid API Key identifier specified none"}`},

		{
			"GET /usageplans/<plan>/usage?startDate=2024-03-12&endDate=2024-03-13", "", 200,
			`{"usagePlanId":"<plan>","startDate":"2024-03-12","endDate":"2024-03-13","values":{"<one>":[[3,7],[3,7]]}}`,
		},
		{
			"GET /usageplans/<plan>/usage?startDate=2024-03-12&endDate=2024-03-12&keyId=<one>", "", 200,
			`{"usagePlanId":"<plan>","startDate":"2024-03-12","endDate":"2024-03-12","values":{"<one>":[[3,7]]}}`,
		},
		{"GET /usageplans/<plan>/usage?startDate=2024-03-12&endDate=2024-03-11", "", 400, `{"message":"startDate must not be after endDate"}`},
		{"GET /usageplans/<plan>/usage?startDate=2024-01-01&endDate=2024-12-01", "", 400, `{"message":"startDate and endDate must not be more than 90 days apart"}`},
		{"GET /usageplans/<plan>/usage", "", 400, `{"message":"Invalid startDate or endDate specified. Must be dates such as 2024-03-12"}`},
		{"GET /usageplans/<plan>/usage?startDate=2024-03-12&endDate=2024-03-12&keyId=none", "", 404, `{"message":"Invalid API Key identifier specified none"}`},
		{"PATCH /usageplans/<plan>/keys/<one>/usage", `{"patchOperations":[{"op":"replace","path":"/remaining","value":"-1"}]}`, 400, `{"message":"Invalid value '-1' specified for path '/remaining': want a whole number that is not negative"}`},
		{
			"PATCH /usageplans/<plan>/keys/<one>/usage", `{"patchOperations":[{"op":"replace","path":"/remaining","value":"99"}]}`, 200,
			`{"usagePlanId":"<plan>","startDate":"` + time.Now().UTC().Format(time.DateOnly) + `","endDate":"` + time.Now().UTC().Format(time.DateOnly) + `","values":{"<one>":[[3,99]]}}`,
		},
		{"PATCH /usageplans/<plan>", `{"patchOperations":[{"op":"remove","path":"/quota"}]}`, 200, strings.Replace(plan, `"quota":{"limit":10,"offset":0,"period":"DAY"},`, "", 1)},
		{"PATCH /usageplans/<plan>/keys/<one>/usage", `{"patchOperations":[{"op":"replace","path":"/remaining","value":"99"}]}`, 400, `{"message":"Usage Plan <plan> has no quota, so that there is nothing remaining"}`},

		{"DELETE /usageplans/<plan>/keys/<one>", "", 202, ""},
		{"GET /usageplans/<plan>/keys/<one>", "", 404, `{"message":"Invalid API Key identifier specified <one>"}`},
	})
}

// VPC links of both versions (spec control-plane §13): one that leads nowhere here says so.
func TestVPCLinks(t *testing.T) {
	w := newWorld(t)
	const target = `"targetArns":["arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/main/0123456789abcdef"]`
	const nowhere = `This link leads nowhere here: name its targets in the node's cleat.yaml, under vpcLinks, by its ID <l> or its name \"main\"`
	w.play([]step{
		{"GET /vpclinks", "", 200, `{"item":[]}`},
		{"POST /vpclinks", `{"name":"known",` + target + `,"tags":{"a":"b"}}`, 202, `{"id":"<k>","name":"known",` + target + `,"status":"PENDING","tags":{"a":"b"}}`},
		{"GET /vpclinks/<k>", "", 200, `{"id":"<k>","name":"known",` + target + `,"status":"AVAILABLE","tags":{"a":"b"}}`},
		{"DELETE /vpclinks/<k>", "", 202, ""},
		{"POST /vpclinks", `{"name":"main","description":"text",` + target + `}`, 202, `{"id":"<l>","name":"main","description":"text",` + target + `,"status":"PENDING","statusMessage":"` + nowhere + `"}`},
		{"GET /vpclinks", "", 200, `{"item":[{"id":"<l>","name":"main","description":"text",` + target + `,"status":"AVAILABLE","statusMessage":"` + nowhere + `"}]}`},
		{"PATCH /vpclinks/<l>", `{"patchOperations":[{"op":"replace","path":"/name","value":"known"}]}`, 200, `{"id":"<l>","name":"known","description":"text",` + target + `,"status":"AVAILABLE"}`},
		{"PATCH /vpclinks/<l>", `{"patchOperations":[]}`, 200, `{"id":"<l>","name":"known","description":"text",` + target + `,"status":"AVAILABLE"}`},
		{"GET /v2/vpclinks/<l>", "", 404, `{"message":"Invalid VpcLink identifier specified <l>"}`},
		{"GET /vpclinks/none", "", 404, `{"message":"Invalid VpcLink identifier specified none"}`},

		{"GET /v2/vpclinks", "", 200, `{"items":[]}`},
		{"POST /v2/vpclinks", `{"name":"x"}`, 400, `{"message":"subnetIds is required"}`},
	})
	status, body, _ := w.do("POST /v2/vpclinks", `{"name":"known","subnetIds":["subnet-1"],"tags":{"a":"b"}}`)
	v2 := regexp.MustCompile(`^\{"vpcLinkId":"([a-z0-9]{6})","name":"known","createdDate":"20[0-9-]{8}T[0-9:]{8}Z","subnetIds":\["subnet-1"\],"securityGroupIds":\[\],"vpcLinkStatus":"PENDING","vpcLinkStatusMessage":"VPC link is ready to route traffic","vpcLinkVersion":"V2","tags":\{"a":"b"\}\}$`)
	m := v2.FindStringSubmatch(body)
	if status != 201 || m == nil {
		t.Fatalf("got %d %s", status, body)
	}
	w.names["v"] = m[1]
	made := strings.Replace(body, "PENDING", "AVAILABLE", 1)
	w.play([]step{
		{"GET /v2/vpclinks/<v>", "", 200, made},
		{"GET /v2/vpclinks", "", 200, `{"items":[` + made + `]}`},
		{"PATCH /v2/vpclinks/<v>", `{}`, 200, made},
		{"GET /tags/arn:aws:apigateway:us-east-1::%2Fvpclinks%2F<v>", "", 200, `{"tags":{"a":"b"}}`},
		{"DELETE /v2/vpclinks/<v>", "", 202, `{}`},
		{"DELETE /v2/vpclinks/<v>", "", 404, `{"message":"Invalid VpcLink identifier specified <v>"}`},
	})
}

func TestAccountAndTags(t *testing.T) {
	w := newWorld(t)
	const rest = `"throttleSettings":{"burstLimit":5000,"rateLimit":10000},"features":["UsagePlans"],"apiKeyVersion":"4"}`
	w.play([]step{
		{"GET /account", "", 200, `{` + rest},
		{
			"PATCH /account", `{"patchOperations":[{"op":"replace","path":"/cloudwatchRoleArn","value":"arn:aws:iam::123456789012:role/logs"}]}`, 200,
			`{"cloudwatchRoleArn":"arn:aws:iam::123456789012:role/logs",` + rest,
		},
		{"GET /account", "", 200, `{"cloudwatchRoleArn":"arn:aws:iam::123456789012:role/logs",` + rest},
		{"POST /apikeys", `{}`, 201, `{"id":"<k>","value":"<value>","enabled":false,"createdDate":<time>,"lastUpdatedDate":<time>,"stageKeys":[]}`},
		{"PUT /tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Fapikeys%2F<k>", `{"tags":{"a":"1","b":"2"}}`, 204, ""},
		{"GET /tags/arn:aws:apigateway:us-east-1::/apikeys/<k>", "", 200, `{"tags":{"a":"1","b":"2"}}`},
		{"DELETE /tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Fapikeys%2F<k>?tagKeys=a&tagKeys=z", "", 204, ""},
		{"GET /apikeys/<k>", "", 200, `{"id":"<k>","enabled":false,"createdDate":<time>,"lastUpdatedDate":<time>,"stageKeys":[],"tags":{"b":"2"}}`},
		{"PUT /tags/arn:aws:sqs:us-east-1::q", `{"tags":{}}`, 400, `{"message":"Invalid resource ARN: want arn:aws:apigateway:us-east-1::/apikeys/…, /usageplans/… or /vpclinks/…"}`},
		{"GET /tags/arn:aws:apigateway:us-east-1::/restapis/x", "", 404, `{"message":"Invalid resource specified /restapis/x"}`},
	})
	if got, want := w.audited[len(w.audited)-2], w.fill("UntagResource arn:aws:apigateway:us-east-1::/tags/arn:aws:apigateway:us-east-1::%2Fapikeys%2F<k>"); got != want {
		t.Errorf("audited %q, want %q", got, want)
	}
}

// A list comes in pages; a limit that is reached says when to try again.
func TestPagesAndLimits(t *testing.T) {
	w := newWorld(t)
	for range 30 {
		if status, body, _ := w.do("POST /apikeys", `{}`); status != 201 {
			t.Fatal(body)
		}
	}
	position := regexp.MustCompile(`"position":"([a-z0-9]+)"`)
	seen := map[string]bool{}
	for path, pages := "/apikeys?limit=12", 0; ; pages++ {
		_, body, _ := w.do("GET "+path, "")
		for _, m := range regexp.MustCompile(`"id":"([a-z0-9]+)"`).FindAllStringSubmatch(body, -1) {
			seen[m[1]] = true
		}
		m := position.FindStringSubmatch(body)
		if m == nil {
			if pages != 2 {
				t.Errorf("%d pages", pages+1)
			}
			break
		}
		path = "/apikeys?limit=12&position=" + m[1]
	}
	if len(seen) != 30 {
		t.Errorf("%d keys on all pages", len(seen))
	}
	for range apigw.QuotaVPCLinks {
		w.do("POST /vpclinks", `{"name":"x","targetArns":["http://10.0.0.7:80"]}`)
	}
	status, _, header := w.do("POST /vpclinks", `{"name":"x","targetArns":["http://10.0.0.7:80"]}`)
	if got := header.Get("x-amzn-ErrorType"); status != 429 || got != "LimitExceededException" || header.Get("Retry-After") == "" {
		t.Errorf("got %d %s %v", status, got, header)
	}
}
