package server_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// What a policy says of a resource holds for it however a request names it.
func TestPoliciesAreNotGotRound(t *testing.T) {
	s := serve(t, nil)
	const but = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":%q}]}`
	only := func(action, resource string) string {
		return fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":%q,"Resource":%q}}`, action, resource)
	}
	const function = `{"FunctionName":%q,"Role":"arn:aws:iam::123456789012:role/x","Runtime":"nodejs22.x","Handler":"a.b","Code":{}}`
	n := 0
	for name, test := range map[string]struct {
		policy, service, method, path, body string
		want                                string
	}{
		"a domain name in another case":        {fmt.Sprintf(but, "arn:aws:apigateway:*::/domainnames/prod.example.com*"), "apigateway", "GET", "/v2/domainnames/PROD.example.com/apimappings", "", "403 AccessDenied"},
		"another domain name":                  {fmt.Sprintf(but, "arn:aws:apigateway:*::/domainnames/prod.example.com*"), "apigateway", "GET", "/v2/domainnames/test.example.com/apimappings", "", "404 "},
		"a function that is made":              {fmt.Sprintf(but, "arn:aws:lambda:*:*:function:prod-*"), "lambda", "POST", "/2015-03-31/functions", fmt.Sprintf(function, "prod-x"), "403 AccessDenied"},
		"a function by its ARN":                {fmt.Sprintf(but, "arn:aws:lambda:*:*:function:prod-*"), "lambda", "POST", "/2015-03-31/functions", fmt.Sprintf(function, "arn:aws:lambda:eu-west-1:111111111111:function:prod-x"), "403 AccessDenied"},
		"a function whose name is there twice": {fmt.Sprintf(but, "arn:aws:lambda:*:*:function:prod-*"), "lambda", "POST", "/2015-03-31/functions", `{"FunctionName":"x","functionname":"prod-x"}`, "403 AccessDenied"},
		"functions of a prefix alone":          {only("lambda:CreateFunction", "arn:aws:lambda:*:*:function:dev-*"), "lambda", "POST", "/2015-03-31/functions", fmt.Sprintf(function, "dev-x"), "400 "},
		"functions of another prefix":          {only("lambda:CreateFunction", "arn:aws:lambda:*:*:function:dev-*"), "lambda", "POST", "/2015-03-31/functions", fmt.Sprintf(function, "prod-x"), "403 AccessDenied"},
		"an API named like a route":            {only("apigateway:DELETE", "arn:aws:apigateway:*::/apis/*/routes/*"), "apigateway", "DELETE", "/v2/apis/a%2Froutes%2Fb", "", "403 AccessDenied"},
		"a function's tags by another ARN":     {fmt.Sprintf(but, "arn:aws:lambda:*:*:function:prod-*"), "lambda", "GET", "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aeu-west-1%3A1%3Afunction%3Aprod-x", "", "403 AccessDenied"},
		"a function as its latest version":     {fmt.Sprintf(but, "arn:aws:lambda:*:*:function:prod-x"), "lambda", "PUT", "/2015-03-31/functions/prod-x%3A%24LATEST/code", "{}", "403 AccessDenied"},
		"the same by a parameter":              {fmt.Sprintf(but, "arn:aws:lambda:*:*:function:prod-x"), "lambda", "DELETE", "/2015-03-31/functions/prod-x?Qualifier=%24LATEST", "", "403 AccessDenied"},
		"the use of somebody else's key":       {only("iam:GetAccessKeyLastUsed", "arn:aws:iam::*:user/eve*"), "iam", "POST", "/", "Action=GetAccessKeyLastUsed&PathPrefix=%2Feve&AccessKeyId=" + s.key.AccessKeyID, "403 "},
		"a user in another case":               {fmt.Sprintf(but, "arn:aws:iam::*:user/admin"), "iam", "POST", "/", "Action=DeleteAccessKey&UserName=ADMIN&AccessKeyId=" + s.key.AccessKeyID, "403 "},
		"a change by a link":                   {only("*", "*"), "iam", "GET", "/?Action=CreateUser&UserName=x", "", "400 "},
		"another service's signature":          {only("*", "*"), "sts", "POST", "/v2/apis", createAPI, "403 InvalidSignatureException"},
		"an action in the query string":        {only("sts:*", "*"), "iam", "POST", "/?Action=ListUsers", "Action=CreateUser&UserName=x", "403 "},
	} {
		n++
		key := s.newUser(t, fmt.Sprintf("eve%d", n), test.policy)
		if got := statusOf(t, s.admin, test.service, key, test.method, test.path, test.body); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

// Whoever may make an integration can have the node itself call its own admin listener. That is no call from this machine.
func TestIntegrationsAreNotLocal(t *testing.T) {
	s := serve(t, nil)
	for header, want := range map[string]int{"X-Other": 200, "X-Amzn-Apigateway-Api-Id": 401, "X-Forwarded-For": 401} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+s.admin.String()+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Close = true
		req.Header.Set(header, "") // a mapping can make it empty
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: got %d, want %d", header, res.StatusCode, want)
		}
	}
}

// A web page that a developer visits must not control their node, which asks for no credentials: neither by fetch, whose header
// Authorization a browser asks about first, nor by forms, links and sockets, which can have the scope of a signature in their
// URL.
func TestPagesDoNotControlDev(t *testing.T) {
	r := start(t, map[string]string{"serverless.yml": "service: s\nprovider: {name: aws, runtime: nodejs20.x}\nfunctions: {}\n"})
	scope := func(service string) string { return "AKIA%2F20260101%2Fus-east-1%2F" + service + "%2Faws4_request" }
	page := http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"cors"}}
	with := func(h http.Header, pairs ...string) http.Header {
		h = h.Clone()
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	link := http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}}
	authorization := "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/apigateway/aws4_request, SignedHeaders=host, Signature=0"
	for name, test := range map[string]struct {
		method, path string
		header       http.Header
		want         int
	}{
		"asking about a fetch":  {"OPTIONS", "/v2/apis", with(page, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization"), 403},
		"asking about a stack":  {"OPTIONS", "/_cleat/stacks/x", with(page, "Access-Control-Request-Method", "PUT"), 403},
		"a fetch":               {"POST", "/v2/apis", with(page, "Authorization", authorization), 403},
		"a form":                {"POST", "/v2/apis?X-Amz-Credential=" + scope("apigateway"), with(page, "Content-Type", "text/plain"), 403},
		"a form of a file":      {"POST", "/v2/apis?X-Amz-Credential=" + scope("apigateway"), with(page, "Origin", "null"), 403},
		"an image":              {"GET", "/?Action=CreateUser&UserName=x&X-Amz-Credential=" + scope("iam"), http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"no-cors"}}, 403},
		"a link":                {"GET", "/?Action=CreateUser&UserName=x&X-Amz-Credential=" + scope("iam"), link, 400},
		"a link that reads":     {"GET", "/?Action=ListUsers&X-Amz-Credential=" + scope("iam"), link, 200}, // whose answer the page never sees
		"a socket":              {"GET", "/?Action=CreateUser&UserName=x&X-Amz-Credential=" + scope("iam"), with(page, "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="), 400},
		"a name of the page's":  {"POST", "/v2/apis?X-Amz-Credential=" + scope("apigateway"), http.Header{"Host": {"evil.example"}}, 403},
		"a program, to be sure": {"GET", "/v2/apis", http.Header{"Authorization": {authorization}}, 200},
	} {
		req, err := http.NewRequestWithContext(t.Context(), test.method, "http://"+r.info.Addr+test.path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Close, req.Header, req.Host = true, test.header, test.header.Get("Host")
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != test.want || res.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: got %d %v, want %d", name, res.StatusCode, res.Header, test.want)
		}
	}
}
