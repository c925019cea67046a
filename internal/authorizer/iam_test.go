package authorizer_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/authorizer"
	"cleat/internal/awsapi"
	"cleat/internal/credentials"
	"cleat/internal/iampolicy"
)

var (
	now   = time.Date(2024, 3, 12, 20, 57, 22, 0, time.UTC)
	creds = awsapi.Credentials{AccessKeyID: "AKIAANN", SecretAccessKey: "s"}
)

// newTestIAM knows one user with one policy of one statement.
func newTestIAM(t *testing.T, region, statement string) *authorizer.IAM {
	t.Helper()
	p, err := iampolicy.Parse([]byte(`{"Version":"2012-10-17","Statement":{`+statement+`}}`), iampolicy.UseIdentity)
	if err != nil {
		t.Fatal(err)
	}
	users, err := credentials.NewSet([]credentials.User{{Name: "ann", Keys: []credentials.AccessKey{{Credentials: creds}}, Policies: []*iampolicy.Policy{p}}})
	if err != nil {
		t.Fatal(err)
	}
	return authorizer.NewIAM(authorizer.IAMOptions{Region: region, Users: users, Management: true})
}

func signed(method, path, region string) *awsapi.SignedRequest {
	var s awsapi.SigV4
	u := &url.URL{Scheme: "https", Host: "h", Path: path}
	return &awsapi.SignedRequest{
		Method: method, Path: path,
		Headers: append(apigw.Fields{{Name: "Host", Value: "h"}}, s.Sign(method, u, nil, nil, "execute-api", region, creds, now)...),
	}
}

// Which resources a policy has to name for @connections: spec management-api §2, open-questions 41.
func TestManageResources(t *testing.T) {
	const id = apigw.ConnectionID("Qyi07eCbtjMCJKw=")
	one := authorizer.Management{API: "a1b2c3d4e5", Stage: "prod", Method: "POST", ConnectionID: id}
	everywhere := authorizer.Management{Method: "GET"}
	for name, test := range map[string]struct {
		resource string
		call     authorizer.Management
		want     bool
	}{
		"all of the API":             {"arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/*", one, true},
		"as Serverless writes":       {"arn:aws:execute-api:*:*:*/@connections/*", one, true},
		"stage and method":           {"arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/prod/POST/@connections/*", one, true},
		"the connection's ID":        {"arn:aws:execute-api:*:*:a1b2c3d4e5/prod/POST/@connections/Qyi07eCbtjMCJKw=", one, true},
		"the literal {connectionId}": {"arn:aws:execute-api:*:*:a1b2c3d4e5/prod/*/@connections/{connectionId}", one, true},
		"another ID":                 {"arn:aws:execute-api:*:*:a1b2c3d4e5/prod/POST/@connections/Qyi07eCbtjMCJKx=", one, false},
		"another method":             {"arn:aws:execute-api:*:*:a1b2c3d4e5/prod/GET/@connections/*", one, false},
		"another stage":              {"arn:aws:execute-api:*:*:a1b2c3d4e5/dev/*", one, false},
		"another region":             {"arn:aws:execute-api:us-east-1:*:*", one, false},
		"everywhere":                 {"*", everywhere, true},
		"everywhere, by wildcards":   {"arn:aws:execute-api:*:*:*/GET/@connections", everywhere, true},
		"everywhere, one API's":      {"arn:aws:execute-api:*:*:a1b2c3d4e5/*", everywhere, false},
		"everywhere, each stage":     {"arn:aws:execute-api:*:*:*/GET/@connections", authorizer.Management{Method: "GET", Stages: []authorizer.Stage{{API: "a1b2c3d4e5", Name: "prod"}, {API: "a1b2c3d4e5", Name: "dev"}}}, true},
		"everywhere, but not there":  {"arn:aws:execute-api:*:*:?/?/GET/@connections", authorizer.Management{Method: "GET", Stages: []authorizer.Stage{{API: "a1b2c3d4e5", Name: "prod"}}}, false},
		"no such connection":         {"arn:aws:execute-api:*:*:a1b2c3d4e5/*", authorizer.Management{Method: "POST", ConnectionID: id}, true},
	} {
		i := newTestIAM(t, "eu-west-1", `"Effect":"Allow","Action":"execute-api:ManageConnections","Resource":"`+test.resource+`"`)
		err := i.Manage(signed(test.call.Method, "/", "eu-west-1"), iampolicy.Origin{Time: now}, test.call)
		if (err == nil) != test.want || err != nil && apigw.KindOf(err) != apigw.KindAccessDenied {
			t.Errorf("%s: got %v, want allowed: %v", name, err, test.want)
		}
	}
}

// A statement that denies one of the resource's two names denies the resource.
func TestManageDenied(t *testing.T) {
	i := newTestIAM(t, "cn-north-1", `"Effect":"Deny","Sid":"Never","Action":"*","Resource":"*"`)
	err := i.Manage(signed("DELETE", "/", "cn-north-1"), iampolicy.Origin{Time: now}, authorizer.Management{API: "a1b2c3d4e5", Stage: "prod", Method: "DELETE", ConnectionID: "Qyi07eCbtjMCJKw="})
	want := "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: execute-api:ManageConnections on resource: arn:aws-cn:execute-api:cn-north-1:********9012:a1b2c3d4e5/prod/DELETE/@connections/{connectionId}"
	if got := awsapi.Message(err); got != want || !strings.Contains(err.Error(), `explicit deny by statement "Never"`) {
		t.Errorf("got  %s (%v)\nwant %s", got, err, want)
	}
}

// Region and keys that a policy may name: what the gateway knows of a request.
func TestConnectConditions(t *testing.T) {
	for condition, want := range map[string]bool{
		`"StringEquals":{"aws:RequestedRegion":"eu-west-1","aws:username":"ann","aws:PrincipalType":"User","aws:PrincipalAccount":"123456789012"}`: true,
		`"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::123456789012:user/ann"}`:                                                                    true,
		`"DateLessThan":{"aws:CurrentTime":"2024-03-12T20:57:23Z"}`:                                                                                true,
		`"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}`:                                                                                              true,
		`"IpAddress":{"aws:SourceIp":"198.51.100.0/24"}`:                                                                                           false,
		`"Bool":{"aws:SecureTransport":"true"}`:                                                                                                    true,
		`"StringLike":{"aws:Referer":"*"}`:                                                                                                         false,
	} {
		i := newTestIAM(t, "eu-west-1", `"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*","Condition":{`+condition+`}`)
		var rec apigw.Record
		_, err := i.Connect(signed("GET", "/prod", "eu-west-1"), iampolicy.Origin{Time: now, SourceIP: "192.0.2.7", TLS: true}, "a1b2c3d4e5", "prod", &rec)
		if (err == nil) != want {
			t.Errorf("%s: got %v, want allowed: %v", condition, err, want)
		}
	}
}

func BenchmarkConnect(b *testing.B) {
	p, err := iampolicy.Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:*/prod/$connect"}}`), iampolicy.UseIdentity)
	if err != nil {
		b.Fatal(err)
	}
	users, err := credentials.NewSet([]credentials.User{{Name: "ann", Keys: []credentials.AccessKey{{Credentials: creds}}, Policies: []*iampolicy.Policy{p}}})
	if err != nil {
		b.Fatal(err)
	}
	i := authorizer.NewIAM(authorizer.IAMOptions{Region: "eu-west-1", Users: users})
	r := signed("GET", "/prod", "eu-west-1")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			var rec apigw.Record
			if _, err := i.Connect(r, iampolicy.Origin{Time: now}, "a1b2c3d4e5", "prod", &rec); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "connects/s")
}
