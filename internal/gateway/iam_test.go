package gateway_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/gorilla/websocket"

	"cleat/internal/apigw"
	"cleat/internal/authorizer"
	"cleat/internal/awsapi"
	"cleat/internal/credentials"
	"cleat/internal/iampolicy"
)

const iamRegion = "eu-west-1"

// The users of these tests: ann may do everything on the API, bob may connect, mia manage
// connections of stage prod, eve nothing; zoe is of another account.
var (
	ann     = aws.Credentials{AccessKeyID: "AKIAANN", SecretAccessKey: "ann's secret"}
	annTemp = aws.Credentials{AccessKeyID: "ASIAANN", SecretAccessKey: "ann's other secret", SessionToken: "a+token/=="}
	bob     = aws.Credentials{AccessKeyID: "AKIABOB", SecretAccessKey: "bob's secret"}
	eve     = aws.Credentials{AccessKeyID: "AKIAEVE", SecretAccessKey: "eve's secret"}
	mia     = aws.Credentials{AccessKeyID: "AKIAMIA", SecretAccessKey: "mia's secret"}
	ned     = aws.Credentials{AccessKeyID: "AKIANED", SecretAccessKey: "ned's secret"}
	zoe     = aws.Credentials{AccessKeyID: "AKIAZOE", SecretAccessKey: "zoe's secret"}
)

func testUsers(tb testing.TB) *credentials.Set {
	tb.Helper()
	statement := func(text string) []*iampolicy.Policy {
		p, err := iampolicy.Parse([]byte(`{"Version":"2012-10-17","Statement":{`+text+`}}`), iampolicy.UseIdentity)
		if err != nil {
			tb.Fatal(err)
		}
		return []*iampolicy.Policy{p}
	}
	policy := func(text string) []*iampolicy.Policy { return statement(`"Effect":"Allow",` + text) }
	key := func(c aws.Credentials) credentials.AccessKey {
		return credentials.AccessKey{Credentials: awsapi.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}}
	}
	old := key(aws.Credentials{AccessKeyID: "ASIAOLD", SecretAccessKey: "old", SessionToken: "t"})
	old.Expires = time.Now().Add(-time.Hour)
	s, err := credentials.NewSet([]credentials.User{
		{Name: "ann", Keys: []credentials.AccessKey{key(ann), key(annTemp), old}, Policies: policy(`"Action":"execute-api:*","Resource":"arn:aws:execute-api:*:*:` + apiID + `/*"`)},
		{Name: "bob", Keys: []credentials.AccessKey{key(bob)}, Policies: policy(`"Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/prod/$connect","Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"},"Bool":{"aws:SecureTransport":"false"}}`)},
		{Name: "mia", Keys: []credentials.AccessKey{key(mia)}, Policies: policy(`"Action":"execute-api:ManageConnections","Resource":"arn:aws:execute-api:*:*:*/prod/*/@connections*"`)},
		{Name: "ned", Keys: []credentials.AccessKey{key(ned)}, Policies: append(policy(`"Action":"*","Resource":"*"`), statement(`"Effect":"Deny","Action":"execute-api:ManageConnections","Resource":"arn:aws:execute-api:*:*:*/dev/*"`)...)},
		{Name: "eve", Keys: []credentials.AccessKey{key(eve)}},
		{Name: "zoe", Account: "111122223333", Keys: []credentials.AccessKey{key(zoe)}, Policies: policy(`"Action":"*","Resource":"*"`)},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// newIAMNode is a node whose $connect route asks for a signature, and whose management API does where users are given.
func newIAMNode(t *testing.T, users *credentials.Set) *node {
	t.Helper()
	a := api{routes: map[string]string{"$connect": "connect", "$default": "say"}}
	n := newTestNode(t, a, apigw.LimitsAWS())
	serving := a.serving(2)
	routes := definition(serving).Routes
	for i := range routes {
		if routes[i].RouteKey == apigw.RouteConnect {
			routes[i].AuthorizationType = apigw.AuthorizationIAM
		}
	}
	dev := serving.Stages[0]
	stage := *dev.Stage
	stage.StageName = "dev"
	dev.Stage = &stage
	serving.Stages = append(serving.Stages, dev)
	if err := n.Swap(serving); err != nil {
		t.Fatal(err)
	}
	n.SetIAM(authorizer.NewIAM(authorizer.IAMOptions{Region: iamRegion, Users: users, Management: users != nil}))
	return n
}

func hashOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// signing says how a request of these tests is signed; the zero value of a field is right.
type signing struct {
	creds                 aws.Credentials
	region, service, host string
	at                    time.Time
	query                 bool // in the query form
}

// handshake dials the node with a signed handshake.
func (n *node) handshake(t *testing.T, s signing, change func(*http.Request)) (*websocket.Conn, *http.Response) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+n.addr+"/prod?room=a%20b", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if s.host != "" {
		r.Host = s.host
	}
	if s.at.IsZero() {
		s.at = time.Now()
	}
	if s.region == "" {
		s.region = iamRegion
	}
	if s.service == "" {
		s.service = "execute-api"
	}
	signer := v4.NewSigner()
	if s.query {
		uri, _, err := signer.PresignHTTP(t.Context(), s.creds, r, hashOf(""), s.service, s.region, s.at)
		if err != nil {
			t.Fatal(err)
		}
		if r.URL, err = url.Parse(uri); err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{} // a browser sends none of its own
	} else if err := signer.SignHTTP(t.Context(), s.creds, r, hashOf(""), s.service, s.region, s.at); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	ws, res, err := n.dial(t, r.URL.RequestURI(), r.Header)
	if res == nil {
		t.Fatal(err)
	}
	return ws, res
}

// AWS_IAM on $connect: spec events-and-integrations §4, data-plane §2.
func TestConnectSigned(t *testing.T) {
	n := newIAMNode(t, testUsers(t))
	unsigned := func(r *http.Request) { r.Header = http.Header{} }
	for name, test := range map[string]struct {
		sign    signing
		change  func(*http.Request)
		status  int
		errType string
		want    string // part of the body
	}{
		"header":              {signing{creds: ann}, nil, 101, "", ""},
		"header, temporary":   {signing{creds: annTemp}, nil, 101, "", ""},
		"query":               {signing{creds: ann, query: true}, nil, 101, "", ""},
		"query, temporary":    {signing{creds: annTemp, query: true}, nil, 101, "", ""},
		"policy's conditions": {signing{creds: bob}, nil, 101, "", ""},
		"four minutes old":    {signing{creds: ann, at: time.Now().Add(-4 * time.Minute)}, nil, 101, "", ""},
		"unsigned":            {signing{creds: ann}, unsigned, 403, "MissingAuthenticationTokenException", "Missing Authentication Token"},
		"bearer":              {signing{creds: ann}, func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, 403, "IncompleteSignatureException", "Invalid key=value pair"},
		"wrong secret":        {signing{creds: aws.Credentials{AccessKeyID: "AKIAANN", SecretAccessKey: "x"}}, nil, 403, "InvalidSignatureException", `should have been\n'GET\n/prod\nroom=a%20b\nhost:`},
		"wrong region":        {signing{creds: ann, region: "us-east-1"}, nil, 403, "InvalidSignatureException", "Credential should be scoped to a valid region"},
		"wrong service":       {signing{creds: ann, service: "lambda"}, nil, 403, "InvalidSignatureException", "Credential should be scoped to correct service: 'execute-api'"},
		"wrong host":          {signing{creds: ann, host: "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"}, nil, 403, "InvalidSignatureException", "The request signature we calculated"},
		"another query":       {signing{creds: ann, query: true}, func(r *http.Request) { r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "room=", "rooms=", 1) }, 403, "InvalidSignatureException", "The request signature we calculated"},
		"too old":             {signing{creds: ann, at: time.Now().Add(-6 * time.Minute)}, nil, 403, "InvalidSignatureException", "Signature expired: "},
		"from the future":     {signing{creds: ann, at: time.Now().Add(6 * time.Minute), query: true}, nil, 403, "InvalidSignatureException", "Signature not yet current: "},
		"unknown key":         {signing{creds: aws.Credentials{AccessKeyID: "AKIAX", SecretAccessKey: "x"}}, nil, 403, "UnrecognizedClientException", "The security token included in the request is invalid."},
		"wrong token":         {signing{creds: aws.Credentials{AccessKeyID: annTemp.AccessKeyID, SecretAccessKey: annTemp.SecretAccessKey, SessionToken: "x"}}, nil, 403, "UnrecognizedClientException", "The security token included in the request is invalid."},
		"token missing":       {signing{creds: aws.Credentials{AccessKeyID: annTemp.AccessKeyID, SecretAccessKey: annTemp.SecretAccessKey}, query: true}, nil, 403, "UnrecognizedClientException", "invalid"},
		"expired token":       {signing{creds: aws.Credentials{AccessKeyID: "ASIAOLD", SecretAccessKey: "old", SessionToken: "t"}}, nil, 403, "ExpiredTokenException", "The security token included in the request is expired"},
		"no policy":           {signing{creds: eve}, nil, 403, "AccessDeniedException", `{"Message":"User is not authorized to access this resource"}`},
		"of another account":  {signing{creds: zoe}, nil, 403, "AccessDeniedException", `{"Message":"User is not authorized to access this resource"}`},
		"token after signing": {signing{creds: aws.Credentials{AccessKeyID: annTemp.AccessKeyID, SecretAccessKey: annTemp.SecretAccessKey}, query: true}, func(r *http.Request) {
			r.URL.RawQuery += "&X-Amz-Security-Token=" + url.QueryEscape(annTemp.SessionToken)
		}, 403, "InvalidSignatureException", "The request signature we calculated"},
		"header after signing": {signing{creds: aws.Credentials{AccessKeyID: annTemp.AccessKeyID, SecretAccessKey: annTemp.SecretAccessKey}}, func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", annTemp.SessionToken) }, 403, "InvalidSignatureException", "'X-Amz-Security-Token' must be a 'SignedHeader'"},
	} {
		t.Run(name, func(t *testing.T) {
			before := n.functions.count("connect")
			ws, res := n.handshake(t, test.sign, test.change)
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if ws != nil {
				_ = ws.Close()
			}
			if res.StatusCode != test.status || res.Header.Get("x-amzn-ErrorType") != test.errType || !strings.Contains(string(body), test.want) {
				t.Errorf("got %d %s %s, want %d %s …%s…", res.StatusCode, res.Header.Get("x-amzn-ErrorType"), body, test.status, test.errType, test.want)
			}
			if called := n.functions.count("connect") > before; called != (test.status == 101) {
				t.Errorf("$connect was called: %v", called)
			}
		})
	}
}

// Who connected is shown in every event (spec events-and-integrations §1.1 and §4), and the steps are on record.
func TestSignedIdentity(t *testing.T) {
	n := newIAMNode(t, testUsers(t))
	ws, _ := n.handshake(t, signing{creds: annTemp}, nil)
	say(t, ws, "hi")
	for _, function := range []string{"connect", "say"} {
		identity, _ := requestContext(t, n.functions.await(t, function))["identity"].(map[string]any)
		for key, want := range map[string]string{"accountId": "123456789012", "accessKey": "ASIAANN", "userArn": "arn:aws:iam::123456789012:user/ann", "sourceIp": "127.0.0.1"} {
			if identity[key] != want {
				t.Errorf("%s: %s: got %v, want %s", function, key, identity[key], want)
			}
		}
		if id, _ := identity["user"].(string); len(id) != 21 || identity["caller"] != id {
			t.Errorf("%s: got user %v, caller %v", function, identity["user"], identity["caller"])
		}
	}
	rec := n.record(t, "connect")
	if !rec.Authenticate.Taken || rec.Authenticate.Status != 200 || !rec.Authorize.Taken || rec.Authorize.Status != 200 {
		t.Errorf("got %+v", rec)
	}
	_, _ = n.handshake(t, signing{creds: eve}, nil)
	for rec.Status != 403 {
		rec = n.record(t, "connect")
	}
	if want := "User is not authorized to access this resource: arn:aws:iam::123456789012:user/eve may not execute-api:Invoke on arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/prod/$connect: implicit deny: no statement allows it"; rec.Authenticate.Status != 200 || rec.Authorize.Status != 403 || rec.Authorize.Error != want {
		t.Errorf("got %+v", rec)
	}
}

// Without users anybody's signature will do, but there must be one.
func TestConnectSignedByAnybody(t *testing.T) {
	n := newIAMNode(t, nil)
	for name, test := range map[string]struct {
		sign   signing
		change func(*http.Request)
		status int
	}{
		"anybody":          {signing{creds: aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, region: "us-east-1"}, nil, 101},
		"anybody, query":   {signing{creds: annTemp, query: true}, nil, 101},
		"nobody":           {signing{creds: ann}, func(r *http.Request) { r.Header = http.Header{} }, 403},
		"of another hour":  {signing{creds: ann, at: time.Now().Add(-time.Hour)}, nil, 403},
		"of other service": {signing{creds: ann, service: "s3"}, nil, 403},
	} {
		ws, res := n.handshake(t, test.sign, test.change)
		if ws != nil {
			_ = ws.Close()
		}
		if res.StatusCode != test.status {
			t.Errorf("%s: got %d, want %d", name, res.StatusCode, test.status)
		}
	}
	if res := n.manage(t, http.MethodGet, "/prod/@connections", ""); res.StatusCode != 200 {
		t.Errorf("the management API is open: got %d", res.StatusCode)
	}
}

// call calls the management API with a signed request.
func (n *node) call(t *testing.T, creds aws.Credentials, method, path, body string, change func(*http.Request)) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+n.addr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	if creds.AccessKeyID != "" {
		if err := v4.NewSigner().SignHTTP(t.Context(), creds, r, hashOf(body), "execute-api", iamRegion, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if change != nil {
		change(r)
	}
	return do(t, r)
}

// @connections with signatures: spec management-api §2, §4 and §5.
func TestManagementSigned(t *testing.T) {
	n := newIAMNode(t, testUsers(t))
	ws, _ := n.handshake(t, signing{creds: ann}, nil)
	id, _ := requestContext(t, n.functions.await(t, "connect"))["connectionId"].(string)
	one := "/@connections/" + url.PathEscape(id)
	escaped := "/%40connections/" + strings.Replace(id, "=", "%3D", 1)
	denied := `{"Message":"User: arn:aws:iam::123456789012:user/bob is not authorized to perform: execute-api:ManageConnections on resource: arn:aws:execute-api:eu-west-1:********9012:a1b2c3d4e5/prod/`
	for name, test := range map[string]struct {
		creds        aws.Credentials
		method, path string
		change       func(*http.Request)
		status       int
		errType      string
		want         string
	}{
		"post":                   {ann, "POST", "/prod" + one, nil, 200, "", ""},
		"post, escaped":          {ann, "POST", "/prod" + escaped, nil, 200, "", ""},
		"post, by path":          {ann, "POST", "/" + apiID + "/prod" + escaped, nil, 200, "", ""},
		"post, ID alone":         {annTemp, "POST", one, nil, 200, "", ""},
		"get":                    {ann, "GET", "/prod" + one, nil, 200, "", `"sourceIp":"127.0.0.1"`},
		"list":                   {ann, "GET", "/prod/@connections", nil, 200, "", id},
		"gone":                   {ann, "POST", "/prod/@connections/AAAAAAAAAAAAAAA=", nil, 410, "GoneException", ""},
		"gone, ID alone":         {ann, "POST", "/@connections/AAAAAAAAAAAAAAA=", nil, 410, "GoneException", ""},
		"no connection ID":       {ann, "POST", "/prod/@connections/x", nil, 400, "BadRequestException", "Invalid connectionId: x"},
		"unsigned":               {aws.Credentials{}, "POST", "/prod" + one, nil, 403, "MissingAuthenticationTokenException", `{"message":"Missing Authentication Token"}`},
		"unsigned, gone":         {aws.Credentials{}, "POST", "/prod/@connections/AAAAAAAAAAAAAAA=", nil, 403, "MissingAuthenticationTokenException", ""},
		"unsigned list":          {aws.Credentials{}, "GET", "/prod/@connections", nil, 403, "MissingAuthenticationTokenException", ""},
		"wrong secret":           {aws.Credentials{AccessKeyID: "AKIAANN", SecretAccessKey: "x"}, "POST", "/prod" + one, nil, 403, "InvalidSignatureException", `{"message":"The request signature we calculated does not match the signature you provided.`},
		"unknown key":            {aws.Credentials{AccessKeyID: "AKIAX", SecretAccessKey: "x"}, "POST", "/prod" + one, nil, 403, "UnrecognizedClientException", `{"message":"The security token included in the request is invalid."}`},
		"another body":           {ann, "POST", "/prod" + one, func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("hallo")) }, 403, "InvalidSignatureException", ""},
		"denied, post":           {bob, "POST", "/prod" + one, nil, 403, "AccessDeniedException", denied + `POST/@connections/{connectionId}"}`},
		"denied, delete":         {bob, "DELETE", "/prod" + one, nil, 403, "AccessDeniedException", denied + `DELETE/@connections/{connectionId}"}`},
		"denied, ID alone":       {bob, "GET", one, nil, 403, "AccessDeniedException", denied + `GET/@connections/{connectionId}"}`},
		"denied list":            {bob, "GET", "/prod/@connections", nil, 403, "AccessDeniedException", denied + `GET/@connections"}`},
		"list of every stage":    {ann, "GET", "/@connections", nil, 200, "", id},
		"post by mia":            {mia, "POST", "/prod" + one, nil, 200, "", ""},
		"list by mia":            {mia, "GET", "/prod/@connections", nil, 200, "", id},
		"list of another stage":  {mia, "GET", "/dev/@connections", nil, 403, "AccessDeniedException", "a1b2c3d4e5/dev/GET/@connections"},
		"not of every stage":     {mia, "GET", "/@connections", nil, 403, "AccessDeniedException", "a1b2c3d4e5/*/GET/@connections"},
		"list, one stage denied": {ned, "GET", "/prod/@connections", nil, 200, "", id},
		"denied within every":    {ned, "GET", "/@connections", nil, 403, "AccessDeniedException", "a1b2c3d4e5/*/GET/@connections"},
		"post, another denied":   {ned, "POST", one, nil, 200, "", ""},
		"of another account":     {zoe, "POST", "/prod" + one, nil, 403, "ForbiddenException", `{"message":"Forbidden"}`},
		"method":                 {ann, "PUT", "/prod" + one, nil, 403, "MissingAuthenticationTokenException", ""},
		"larger than a message": {ann, "POST", "/prod" + one, func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(strings.Repeat("x", 131073))), 131073
		}, 413, "PayloadTooLargeException", ""},
	} {
		t.Run(name, func(t *testing.T) {
			body := ""
			if test.method == http.MethodPost {
				body = "hello"
			}
			res, answer := n.call(t, test.creds, test.method, test.path, body, test.change)
			if res.StatusCode != test.status || res.Header.Get("x-amzn-ErrorType") != test.errType || !strings.Contains(answer, test.want) {
				t.Errorf("got %d %s %s, want %d %s …%s…", res.StatusCode, res.Header.Get("x-amzn-ErrorType"), answer, test.status, test.errType, test.want)
			}
			if test.method == http.MethodPost && test.status == 200 {
				if got := hear(t, ws); got != "hello" {
					t.Errorf("the client got %q", got)
				}
			}
		})
	}
	if res, answer := n.call(t, ann, "DELETE", "/prod"+one, "", nil); res.StatusCode != 204 {
		t.Errorf("delete: got %d %s", res.StatusCode, answer)
	}
}

// Users change under running connections: those that are open stay.
func TestSetIAM(t *testing.T) {
	n := newIAMNode(t, testUsers(t))
	ws, _ := n.handshake(t, signing{creds: ann}, nil)
	nobody, err := credentials.NewSet(nil)
	if err != nil {
		t.Fatal(err)
	}
	n.SetIAM(authorizer.NewIAM(authorizer.IAMOptions{Region: iamRegion, Users: nobody}))
	if _, res := n.handshake(t, signing{creds: ann}, nil); res.StatusCode != 403 {
		t.Errorf("got %d, want 403", res.StatusCode)
	}
	say(t, ws, "hi")
	n.functions.await(t, "say")
}

// What was signed for one host does not get in at another, however the request names it (RFC 9112 section 3.2.2: a whole
// URL in the request line comes before the Host header).
func TestSignedForAnotherHost(t *testing.T) {
	n := newIAMNode(t, testUsers(t))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://zzzzzzzzzz.execute-api.eu-west-1.amazonaws.com/prod/@connections", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if err := v4.NewSigner().SignHTTP(t.Context(), ann, r, hashOf(""), "execute-api", iamRegion, time.Now()); err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]string{
		"/prod/@connections": "200",
		"http://zzzzzzzzzz.execute-api.eu-west-1.amazonaws.com/prod/@connections": "200",
		"http://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/prod/@connections": "403",
	} {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", n.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nX-Amz-Date: %s\r\nAuthorization: %s\r\nConnection: close\r\n\r\n", target, r.Host, r.Header.Get("X-Amz-Date"), r.Header.Get("Authorization"))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(answer[:min(len(answer), 12)]); got != "HTTP/1.1 "+want {
			t.Errorf("%s: got %s, want %s", target, answer, want)
		}
	}
}
