package authorizer_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cleat/internal/apigw"
	"cleat/internal/authorizer"
	"cleat/internal/awsapi"
	"cleat/internal/credentials"
	"cleat/internal/iampolicy"
)

// call is a request signed for a service, with a body.
func call(service, region string, c awsapi.Credentials, body string) *awsapi.SignedRequest {
	var s awsapi.SigV4
	u := &url.URL{Scheme: "https", Host: "h", Path: "/v2/apis/a1b2c3d4e5", RawQuery: "maxResults=5"}
	headers := apigw.Fields{{Name: "Host", Value: "h"}}
	return &awsapi.SignedRequest{
		Method: "POST", Path: u.Path, Query: u.RawQuery, Body: func() ([]byte, error) { return []byte(body), nil },
		Headers: append(headers, s.Sign("POST", u, nil, []byte(body), service, region, c, now)...),
	}
}

func testUsers(t *testing.T) *credentials.Set {
	t.Helper()
	policy := func(text string) []*iampolicy.Policy {
		p, err := iampolicy.Parse([]byte(text), iampolicy.UseIdentity)
		if err != nil {
			t.Fatal(err)
		}
		return []*iampolicy.Policy{p}
	}
	key := func(id string) []credentials.AccessKey {
		return []credentials.AccessKey{{Credentials: awsapi.Credentials{AccessKeyID: id, SecretAccessKey: "s"}}}
	}
	off := key("AKIAOFF")
	off[0].Disabled = true
	users, err := credentials.NewSet([]credentials.User{
		{Name: "ann", Keys: key("AKIAANN"), Policies: policy(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["apigateway:*","iam:List*"],"Resource":"*"},{"Effect":"Deny","Action":"apigateway:*","Resource":"arn:aws:apigateway:*::/apis/prod*"}]}`)},
		{Name: "bob", Keys: key("AKIABOB")},
		{Name: "eve", Account: "111122223333", Keys: key("AKIAEVE"), Policies: policy(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)},
		{Name: "zoe", Keys: off},
	})
	if err != nil {
		t.Fatal(err)
	}
	return users
}

// Who may call the control plane, and AWS's texts for who may not (spec control-plane §1.1).
func TestAuthorize(t *testing.T) {
	const apis = "arn:aws:apigateway:us-east-1::/apis"
	for name, test := range map[string]struct {
		keyID           string
		signedFor       string
		region          string
		service, action string
		resource        string
		kind            apigw.Kind // zero: allowed
		text            string
	}{
		"allowed":             {"AKIAANN", "apigateway", "us-east-1", "apigateway", "apigateway:POST", apis, 0, ""},
		"nothing allows it":   {"AKIABOB", "apigateway", "us-east-1", "apigateway", "apigateway:POST", apis, apigw.KindAccessDenied, "User: arn:aws:iam::123456789012:user/bob is not authorized to perform: apigateway:POST on resource: " + apis},
		"a statement denies":  {"AKIAANN", "apigateway", "us-east-1", "apigateway", "apigateway:POST", apis + "/prod1", apigw.KindAccessDenied, "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: apigateway:POST on resource: " + apis + "/prod1"},
		"IAM says why":        {"AKIAANN", "iam", "us-east-1", "iam", "iam:CreateUser", "arn:aws:iam::123456789012:user/x", apigw.KindAccessDenied, "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: iam:CreateUser on resource: arn:aws:iam::123456789012:user/x because no identity-based policy allows the iam:CreateUser action"},
		"another region":      {"AKIAANN", "apigateway", "eu-west-1", "apigateway", "apigateway:POST", apis, apigw.KindInvalidSignature, ""},
		"IAM has no region":   {"AKIAANN", "iam", "eu-west-1", "iam", "iam:ListUsers", "*", 0, ""},
		"another service":     {"AKIAANN", "apigateway", "us-east-1", "lambda", "lambda:ListFunctions", "*", apigw.KindInvalidSignature, ""},
		"needs no permission": {"AKIABOB", "sts", "us-east-1", "sts", "", "*", 0, ""},
		"unknown":             {"AKIANOBODY", "sts", "us-east-1", "sts", "", "*", apigw.KindUnrecognizedClient, ""},
		"disabled":            {"AKIAOFF", "sts", "us-east-1", "sts", "", "*", apigw.KindUnrecognizedClient, ""},
		"another account":     {"AKIAEVE", "apigateway", "us-east-1", "apigateway", "apigateway:POST", apis, apigw.KindForbidden, ""},
		"and who that is":     {"AKIAEVE", "sts", "us-east-1", "sts", "", "*", 0, ""},
	} {
		var used []string
		i := authorizer.NewIAM(authorizer.IAMOptions{Users: testUsers(t), Used: func(id, service, region string, at time.Time) {
			used = append(used, id+" "+service+" "+region+" "+at.Format(time.RFC3339))
		}})
		c := awsapi.Credentials{AccessKeyID: test.keyID, SecretAccessKey: "s"}
		user, keyID, err := i.Authorize(call(test.signedFor, test.region, c, "{}"), iampolicy.Origin{Time: now}, authorizer.Access{Service: test.service, Action: test.action, Resource: test.resource})
		switch {
		case test.kind == 0 && (err != nil || keyID != test.keyID || user == nil):
			t.Errorf("%s: got %v, %v", name, user, err)
		case test.kind != 0 && (apigw.KindOf(err) != test.kind || test.text != "" && awsapi.Message(err) != test.text):
			t.Errorf("%s: got %v", name, err)
		case test.kind == apigw.KindAccessDenied && user == nil:
			t.Errorf("%s: it is not told who was refused", name)
		}
		authenticated := test.kind == 0 || test.kind == apigw.KindAccessDenied || test.kind == apigw.KindForbidden
		if authenticated != slices.Equal(used, []string{test.keyID + " " + test.service + " us-east-1 2024-03-12T20:57:22Z"}) {
			t.Errorf("%s: told of %q", name, used)
		}
	}
}

// No part of a signed request can be changed: neither method, path, query, a signed header, body, nor the signature itself.
func TestAnyChangedByteIsRefused(t *testing.T) {
	i := authorizer.NewIAM(authorizer.IAMOptions{Users: testUsers(t)})
	origin := iampolicy.Origin{Time: now}
	access := authorizer.Access{Service: "apigateway", Action: "apigateway:POST", Resource: "*"}
	const body = `{"name":"chat"}`
	if _, _, err := i.Authorize(call("apigateway", "us-east-1", awsapi.Credentials{AccessKeyID: "AKIAANN", SecretAccessKey: "s"}, body), origin, access); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		r := call("apigateway", "us-east-1", awsapi.Credentials{AccessKeyID: "AKIAANN", SecretAccessKey: "s"}, body)
		parts := []*string{&r.Method, &r.Path, &r.Query}
		for n := range r.Headers {
			parts = append(parts, &r.Headers[n].Value)
		}
		sent := body
		parts = append(parts, &sent)
		part := rapid.SampledFrom(parts).Draw(t, "part")
		at := rapid.IntRange(0, len(*part)-1).Draw(t, "at")
		to := rapid.Byte().Draw(t, "to")
		was := *part
		if was[at] == to {
			t.Skip("the same byte")
		}
		*part = was[:at] + string([]byte{to}) + was[at+1:]
		if equalsSigned(was, *part) {
			t.Skip("the same to a signature")
		}
		r.Body = func() ([]byte, error) { return []byte(sent), nil }
		if user, _, err := i.Authorize(r, origin, access); err == nil {
			t.Fatalf("%q for %q passes as %s", *part, was, user.ARN)
		}
	})
}

// equalsSigned tells of texts that no signature tells apart: blanks at the ends and around the parts of an Authorization
// header do not count (RFC 9110 §5.5, Signature Version 4).
func equalsSigned(a, b string) bool {
	squeeze := func(s string) string { return strings.NewReplacer(", ", ",", "\t", " ").Replace(strings.TrimSpace(s)) }
	return squeeze(a) == squeeze(b) || strings.HasPrefix(a, "AWS4") && strings.Join(strings.FieldsFunc(a, blankOrComma), ",") == strings.Join(strings.FieldsFunc(b, blankOrComma), ",")
}

func blankOrComma(r rune) bool { return strings.ContainsRune(" ,\t\r\n\v\f\u0085\u00a0", r) }

func TestLogin(t *testing.T) {
	i := authorizer.NewIAM(authorizer.IAMOptions{Users: testUsers(t), Failures: &authorizer.Failures{}})
	access := authorizer.Access{Service: "cleat", Action: "apigateway:GET", Resource: "arn:aws:x:::y"}
	for name, test := range map[string]struct {
		id, secret string
		kind       apigw.Kind
	}{
		"right":        {"AKIAANN", "s", 0},
		"wrong secret": {"AKIAANN", "t", apigw.KindUnrecognizedClient},
		"no secret":    {"AKIAANN", "", apigw.KindUnrecognizedClient},
		"unknown":      {"AKIAX", "s", apigw.KindUnrecognizedClient},
		"disabled":     {"AKIAOFF", "s", apigw.KindUnrecognizedClient},
		"not allowed":  {"AKIABOB", "s", apigw.KindAccessDenied},
	} {
		_, err := i.Login(test.id, test.secret, iampolicy.Origin{Time: now, SourceIP: "192.0.2.1"}, access)
		if (err == nil) != (test.kind == 0) || err != nil && apigw.KindOf(err) != test.kind {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Whatever asks for a signature shares one count of failures; a right signature does not pass while it is full, and a wrong
// clock or a denial is no guess.
func TestFailuresAreShared(t *testing.T) {
	f := &authorizer.Failures{}
	i := authorizer.NewIAM(authorizer.IAMOptions{Users: testUsers(t), Management: true, Failures: f})
	here := iampolicy.Origin{Time: now, SourceIP: "192.0.2.1"}
	access := authorizer.Access{Service: "apigateway", Action: "apigateway:POST", Resource: "*"}
	authorize := func(secret string, o iampolicy.Origin) error {
		_, _, err := i.Authorize(call("apigateway", "us-east-1", awsapi.Credentials{AccessKeyID: "AKIAANN", SecretAccessKey: secret}, "{}"), o, access)
		return err
	}
	late := here
	late.Time = now.Add(time.Hour)
	for range 30 {
		if err := authorize("s", late); apigw.KindOf(err) != apigw.KindInvalidSignature {
			t.Fatalf("a wrong clock: got %v", err)
		}
	}
	if err := authorize("s", here); err != nil {
		t.Fatalf("after a wrong clock: got %v", err)
	}
	for n := range 10 {
		if err := authorize("wrong", here); apigw.KindOf(err) != apigw.KindInvalidSignature {
			t.Fatalf("%d: got %v", n, err)
		}
	}
	if err := authorize("s", here); apigw.KindOf(err) != apigw.KindTooManyRequests || awsapi.Status(err) != 429 {
		t.Errorf("the control plane: got %v", err)
	}
	if _, err := i.Login("AKIAANN", "s", here, access); apigw.KindOf(err) != apigw.KindTooManyRequests {
		t.Errorf("the login: got %v", err)
	}
	err := i.Manage(signed("GET", "/", "us-east-1"), here, authorizer.Management{API: "a1b2c3d4e5", Stage: "prod", Method: "GET", ConnectionID: "x"})
	if apigw.KindOf(err) != apigw.KindTooManyRequests {
		t.Errorf("@connections: got %v", err)
	}
	if _, err := i.Connect(signed("GET", "/", "us-east-1"), here, "a1b2c3d4e5", "prod", &apigw.Record{}); apigw.KindOf(err) != apigw.KindTooManyRequests {
		t.Errorf("$connect: got %v", err)
	}
	there := here
	there.SourceIP = "192.0.2.2"
	if err := authorize("s", there); err != nil {
		t.Errorf("another address: got %v", err)
	}
}
