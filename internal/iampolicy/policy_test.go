package iampolicy_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"cleat/internal/iampolicy"
)

const (
	invoke   = "execute-api:Invoke"
	resource = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/prod/$connect"
)

func testContext() iampolicy.Context {
	c := iampolicy.NewContext(iampolicy.Origin{
		Time: time.Date(2024, 3, 12, 20, 57, 22, 0, time.UTC), SourceIP: "192.0.2.7", UserAgent: "demo/1.0", Referer: "https://a.example/x",
		TLS: true, Region: "eu-west-1",
	})
	c.SetPrincipal(iampolicy.Principal{Name: "ann", ID: "AIDAEXAMPLE", ARN: "arn:aws:iam::123456789012:user/ann", Account: "123456789012", Type: "User", OrgID: "o-1"})
	c.Set("test:Teams", "red", "blue")
	c.Set("test:Level", "7")
	c.Set("test:Data", "aGk=")
	c.Set("test:Long", "arn:aws:iam::a:b:c")
	c.Set("test:Role", "arn:aws:iam::123456789012:role/app/web")
	return c
}

// decide evaluates one document, which must be a good one.
func decide(t *testing.T, document string) iampolicy.Result {
	t.Helper()
	p, err := iampolicy.Parse([]byte(document), iampolicy.UseIdentity)
	if err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	return iampolicy.Evaluate([]*iampolicy.Policy{p}, &iampolicy.Request{Action: invoke, Resources: []string{resource}, Context: testContext()})
}

func statement(effect, more string) string {
	return fmt.Sprintf(`{"Effect":%q,%s}`, effect, more)
}

func document(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// Actions and resources: spec events-and-integrations §3, rule 3.
func TestEvaluate(t *testing.T) {
	const all = `"Action":"*","Resource":"*"`
	for name, test := range map[string]struct {
		document string
		want     iampolicy.Decision
	}{
		"exact":                        {document(statement("Allow", `"Action":"execute-api:Invoke","Resource":"`+resource+`"`)), iampolicy.Allow},
		"one statement, lists":         {`{"Statement":{"Effect":"Allow","Action":["s3:Get","execute-api:Invoke"],"Resource":["arn:aws:s3:::x","` + resource + `"]}}`, iampolicy.Allow},
		"everything":                   {document(statement("Allow", all)), iampolicy.Allow},
		"no statement":                 {document(), iampolicy.ImplicitDeny},
		"another action":               {document(statement("Allow", `"Action":"execute-api:ManageConnections","Resource":"*"`)), iampolicy.ImplicitDeny},
		"action in another case":       {document(statement("Allow", `"Action":"Execute-API:inv*","Resource":"*"`)), iampolicy.Allow},
		"action with a question mark":  {document(statement("Allow", `"Action":"execute-api:Invok?","Resource":"*"`)), iampolicy.Allow},
		"resource in another case":     {document(statement("Allow", `"Action":"*","Resource":"`+strings.Replace(resource, "prod", "Prod", 1)+`"`)), iampolicy.ImplicitDeny},
		"star spans slashes":           {document(statement("Allow", `"Action":"*","Resource":"arn:aws:execute-api:*:*:a1b2c3d4e5/*"`)), iampolicy.Allow},
		"star spans colons":            {document(statement("Allow", `"Action":"*","Resource":"arn:aws:execute-api:*"`)), iampolicy.Allow},
		"stage/verb/path, as for REST": {document(statement("Allow", `"Action":"*","Resource":"arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/prod/*/*"`)), iampolicy.ImplicitDeny},
		"explicit deny wins":           {document(statement("Allow", all), statement("Deny", all)), iampolicy.ExplicitDeny},
		"explicit deny wins, first":    {document(statement("Deny", all), statement("Allow", all)), iampolicy.ExplicitDeny},
		"deny of something else":       {document(statement("Allow", all), statement("Deny", `"Action":"s3:*","Resource":"*"`)), iampolicy.Allow},
		"NotAction":                    {document(statement("Allow", `"NotAction":"s3:*","Resource":"*"`)), iampolicy.Allow},
		"NotAction, named":             {document(statement("Allow", `"NotAction":["s3:*","execute-api:*"],"Resource":"*"`)), iampolicy.ImplicitDeny},
		"NotResource":                  {document(statement("Deny", `"Action":"*","NotResource":"arn:aws:s3:::x"`)), iampolicy.ExplicitDeny},
		"NotResource, named":           {document(statement("Allow", `"Action":"*","NotResource":"`+resource+`"`)), iampolicy.ImplicitDeny},
		"variable in a resource":       {document(statement("Allow", `"Action":"*","Resource":"arn:aws:execute-api:eu-west-1:${aws:PrincipalAccount}:*"`)), iampolicy.Allow},
		"variable without a value":     {document(statement("Allow", `"Action":"*","Resource":"arn:aws:execute-api:${aws:nothing}:*:*"`)), iampolicy.ImplicitDeny},
		"no variables in 2008":         {`{"Version":"2008-10-17","Statement":` + statement("Allow", `"Action":"*","Resource":"arn:aws:execute-api:*:${aws:PrincipalAccount}:*"`) + `}`, iampolicy.ImplicitDeny},
		"no variables without version": {`{"Statement":` + statement("Allow", `"Action":"*","Resource":"arn:aws:execute-api:*:${aws:PrincipalAccount}:*"`) + `}`, iampolicy.ImplicitDeny},
	} {
		t.Run(name, func(t *testing.T) {
			if got := decide(t, test.document); got.Decision != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestConditions(t *testing.T) {
	for text, want := range map[string]bool{
		`"StringEquals":{"aws:username":"ann"}`:                                                true,
		`"StringEquals":{"aws:username":"Ann"}`:                                                false,
		`"StringEquals":{"aws:username":["bob","ann"]}`:                                        true,
		`"StringEquals":{"aws:username":"a*"}`:                                                 false,
		`"StringEquals":{"AWS:UserName":"ann"}`:                                                true,
		`"StringEquals":{"aws:nothing":"x"}`:                                                   false,
		`"StringNotEquals":{"aws:username":["bob","eve"]}`:                                     true,
		`"StringNotEquals":{"aws:username":["bob","ann"]}`:                                     false,
		`"StringNotEquals":{"aws:nothing":"x"}`:                                                true,
		`"StringEqualsIgnoreCase":{"aws:username":"ANN"}`:                                      true,
		`"StringNotEqualsIgnoreCase":{"aws:username":"ANN"}`:                                   false,
		`"StringLike":{"aws:UserAgent":"demo/?.*"}`:                                            true,
		`"StringLike":{"aws:Referer":"http://*"}`:                                              false,
		`"StringNotLike":{"aws:Referer":"http://*"}`:                                           true,
		`"StringEquals":{"aws:PrincipalArn":"arn:aws:iam::123456789012:user/${aws:username}"}`: true,
		`"StringLike":{"aws:PrincipalArn":"*/${aws:username}"}`:                                true,
		`"StringLike":{"aws:userid":"${aws:nothing, 'AIDA'}*"}`:                                true,
		`"StringLike":{"aws:username":"${*}"}`:                                                 false,
		`"StringEquals":{"aws:username":"ann"},"Bool":{"aws:SecureTransport":"false"}`:         false,
		`"StringEquals":{"aws:username":"ann","aws:userid":"x"}`:                               false,
		`"Bool":{"aws:SecureTransport":true}`:                                                  true,
		`"Bool":{"aws:SecureTransport":"False"}`:                                               false,
		`"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}`:                                 true,
		`"Bool":{"aws:MultiFactorAuthPresent":"true"}`:                                         false,
		`"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}`:                                          true,
		`"IpAddress":{"aws:SourceIp":["198.51.100.0/24","192.0.2.7"]}`:                         true,
		`"IpAddress":{"aws:SourceIp":"192.0.2.8/32"}`:                                          false,
		`"IpAddress":{"aws:SourceIp":"2001:db8::/32"}`:                                         false,
		`"NotIpAddress":{"aws:SourceIp":["192.0.2.0/24","203.0.113.0/24"]}`:                    false,
		`"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}`:                                     true,
		`"IpAddress":{"aws:UserAgent":"0.0.0.0/0"}`:                                            false,
		`"NumericEquals":{"test:Level":7.0}`:                                                   true,
		`"NumericNotEquals":{"test:Level":"7"}`:                                                false,
		`"NumericLessThan":{"test:Level":"7"}`:                                                 false,
		`"NumericLessThanEquals":{"test:Level":"7"}`:                                           true,
		`"NumericGreaterThan":{"test:Level":"-1e3"}`:                                           true,
		`"NumericGreaterThanEquals":{"test:Level":8}`:                                          false,
		`"NumericLessThan":{"aws:username":"7"}`:                                               false,
		`"DateLessThan":{"aws:CurrentTime":"2024-03-12T20:57:23Z"}`:                            true,
		`"DateLessThanEquals":{"aws:CurrentTime":"2024-03-12T21:57:22+01:00"}`:                 true,
		`"DateGreaterThan":{"aws:CurrentTime":"2024-03-12"}`:                                   true,
		`"DateGreaterThanEquals":{"aws:EpochTime":"1710277043"}`:                               false,
		`"DateEquals":{"aws:EpochTime":1710277042}`:                                            true,
		`"DateNotEquals":{"aws:CurrentTime":"1710277042"}`:                                     false,
		`"BinaryEquals":{"test:Data":"aGk="}`:                                                  true,
		`"BinaryEquals":{"test:Data":"aGo="}`:                                                  false,
		`"ArnLike":{"test:Role":"arn:aws:iam::*:role/app/*"}`:                                  true,
		`"ArnLike":{"test:Role":"arn:aws:iam::*:app/*"}`:                                       false,
		`"ArnLike":{"test:Long":"arn:aws:iam::*:c"}`:                                           false, // a star stays in its part
		`"ArnEquals":{"test:Role":"arn:aws:iam::123456789012:role/*"}`:                         true,
		`"ArnNotLike":{"test:Role":"arn:aws:iam::*:user/*"}`:                                   true,
		`"ArnLike":{"test:Role":"arn:aws:iam::${aws:PrincipalAccount}:role/*"}`:                true,
		`"ArnLike":{"aws:username":"*"}`:                                                       true,
		`"Null":{"aws:nothing":"true"}`:                                                        true,
		`"Null":{"aws:nothing":"false"}`:                                                       false,
		`"Null":{"aws:username":false}`:                                                        true,
		`"StringEqualsIfExists":{"aws:nothing":"x"}`:                                           true,
		`"StringEqualsIfExists":{"aws:username":"x"}`:                                          false,
		`"ForAllValues:StringEquals":{"test:Teams":["red","blue","green"]}`:                    true,
		`"ForAllValues:StringEquals":{"test:Teams":["red"]}`:                                   false,
		`"ForAllValues:StringEquals":{"test:None":["red"]}`:                                    true,
		`"ForAllValues:StringNotEquals":{"test:Teams":["green"]}`:                              true,
		`"ForAnyValue:StringEquals":{"test:Teams":["red"]}`:                                    true,
		`"ForAnyValue:StringLike":{"test:Teams":["g*"]}`:                                       false,
		`"ForAnyValue:StringNotEquals":{"test:Teams":["red"]}`:                                 true,
		`"ForAnyValue:StringEquals":{"test:None":["red"]}`:                                     false,
		`"ForAnyValue:StringNotEquals":{"test:None":["red"]}`:                                  false,
		`"ForAnyValue:StringEqualsIfExists":{"test:None":["red"]}`:                             true,
	} {
		got := decide(t, document(statement("Allow", `"Action":"*","Resource":"*","Condition":{`+text+`}`)))
		if (got.Decision == iampolicy.Allow) != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

// A variable's value is no pattern: a user called "*" gets nothing that is not theirs.
func TestVariableValuesAreLiteral(t *testing.T) {
	p, err := iampolicy.Parse([]byte(document(statement("Allow", `"Action":"*","Resource":"arn:aws:s3:::home/${aws:username}/*"`))), iampolicy.UseIdentity)
	if err != nil {
		t.Fatal(err)
	}
	c := iampolicy.Context{}
	c.Set("aws:username", "*")
	for name, want := range map[string]iampolicy.Decision{"arn:aws:s3:::home/ann/x": iampolicy.ImplicitDeny, "arn:aws:s3:::home/*/x": iampolicy.Allow} {
		got := iampolicy.Evaluate([]*iampolicy.Policy{p}, &iampolicy.Request{Action: "s3:GetObject", Resources: []string{name}, Context: c})
		if got.Decision != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// A resource with two names is matched by either.
func TestResourceWithTwoNames(t *testing.T) {
	r := &iampolicy.Request{Action: invoke, Resources: []string{"arn:aws:x:::a", "arn:aws:x:::b"}}
	for text, want := range map[string]iampolicy.Decision{
		document(statement("Allow", `"Action":"*","Resource":"arn:aws:x:::b"`)):    iampolicy.Allow,
		document(statement("Allow", `"Action":"*","NotResource":"arn:aws:x:::b"`)): iampolicy.ImplicitDeny,
	} {
		p, err := iampolicy.Parse([]byte(text), iampolicy.UseIdentity)
		if err != nil {
			t.Fatal(err)
		}
		if got := iampolicy.Evaluate([]*iampolicy.Policy{p}, r); got.Decision != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

func TestResultSaysWhy(t *testing.T) {
	const all = `"Action":"*","Resource":"*"`
	for text, want := range map[string]string{
		document(): "implicit deny: no statement allows it",
		document(statement("Allow", all), statement("Deny", `"Sid":"Never",`+all)): `explicit deny by statement "Never"`,
		document(statement("Allow", all)):                                          "allow by statement 1",
	} {
		if got := decide(t, text).String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Every fault of a document is told, with its place.
func TestParseFaults(t *testing.T) {
	good := `"Effect":"Allow","Action":"*","Resource":"*"`
	for text, want := range map[string]string{
		``:                   "line 1, column 1: the document ends too early",
		"{\n \"Version\" 1}": "line 2, column 12: invalid character '1' after object key",
		`{} {}`:              "there is more after the document's end",
		`{"Statement":[{` + good + `,"Effect":"Deny"}]}`: `"Effect" stands here twice`,
		`[[[[[[[[[[1]]]]]]]]]]`:                          "nested too deeply",
		`7`:                                              "a policy document is an object with Version and Statement, not a number",
		`{}`:                                             "Statement: is missing",
		`{"version":"2012-10-17","Statement":[]}`:                                                                       `"version" is no element of a policy (did you mean Version?)`,
		`{"Version":"2012","Statement":[]}`:                                                                             `Version: must be "2012-10-17" or "2008-10-17", not "2012"`,
		`{"Statement":[7]}`:                                                                                             "Statement[0]: must be an object, not a number",
		`{"Statement":{"Action":"*","Resource":"*"}}`:                                                                   "Statement.Effect: is missing: Allow or Deny",
		`{"Statement":[{` + good + `},{"Effect":"allow","Action":"*","Resource":"*"}]}`:                                 `Statement[1].Effect: must be "Allow" or "Deny", not "allow"`,
		`{"Statement":{"Effect":"Allow","Resource":"*"}}`:                                                               "Statement.Action: is missing",
		`{"Statement":{"Effect":"Allow","Action":"*"}}`:                                                                 "Statement.Resource: is missing",
		`{"Statement":{` + good + `,"NotAction":"*"}}`:                                                                  "Statement: has both Action and NotAction: one of them",
		`{"Statement":{` + good + `,"Actions":"*"}}`:                                                                    `Statement: "Actions" is no element of a policy (did you mean Action?)`,
		`{"Statement":{"Effect":"Allow","Action":[],"Resource":"*"}}`:                                                   "Statement.Action: must not be empty",
		`{"Statement":{"Effect":"Allow","Action":"Invoke","Resource":"*"}}`:                                             `Statement.Action: "Invoke" is no action`,
		`{"Statement":{"Effect":"Allow","Action":[null],"Resource":"*"}}`:                                               "Statement.Action: must be a text or a list of texts, not null",
		`{"Statement":{"Effect":"Allow","Action":"*","Resource":"prod/*"}}`:                                             `Statement.Resource: "prod/*" is no resource`,
		`{"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws"}}`:                                            `Statement.Resource: "arn:aws" is no resource`,
		`{"Statement":{` + good + `,"Principal":"*"}}`:                                                                  "Statement.Principal: has no place in a policy that belongs to a user",
		`{"Statement":{` + good + `,"Sid":7}}`:                                                                          "Statement.Sid: must be a text",
		`{"Statement":{` + good + `,"Condition":[]}}`:                                                                   "Statement.Condition: must be an object of operators, not a list",
		`{"Statement":{` + good + `,"Condition":{"StringEqual":{}}}}`:                                                   "Statement.Condition.StringEqual: is no condition operator",
		`{"Statement":{` + good + `,"Condition":{"stringequals":{}}}}`:                                                  "is no condition operator (did you mean StringEquals?)",
		`{"Statement":{` + good + `,"Condition":{"Bool":"x"}}}`:                                                         "Statement.Condition.Bool: must be an object of condition keys, not a text",
		`{"Statement":{` + good + `,"Condition":{"Bool":{"Secure":"true"}}}}`:                                           `Statement.Condition.Bool: "Secure" is no condition key`,
		`{"Statement":{` + good + `,"Condition":{"Bool":{"aws:x":"yes"}}}}`:                                             `Statement.Condition.Bool.aws:x: "yes" is neither "true" nor "false"`,
		`{"Statement":{` + good + `,"Condition":{"Bool":{"aws:x":[[]]}}}}`:                                              "must be a text or a list of texts, not a list",
		`{"Statement":{` + good + `,"Condition":{"IpAddress":{"aws:x":"192.0.2.0/33"}}}}`:                               `"192.0.2.0/33" is no range of addresses`,
		`{"Statement":{` + good + `,"Condition":{"NumericEquals":{"aws:x":"many"}}}}`:                                   `"many" is no number`,
		`{"Statement":{` + good + `,"Condition":{"DateEquals":{"aws:x":"tomorrow"}}}}`:                                  `"tomorrow" is no date`,
		`{"Statement":{` + good + `,"Condition":{"BinaryEquals":{"aws:x":"!"}}}}`:                                       `"!" is no base64`,
		`{"Statement":{` + good + `,"Condition":{"ArnLike":{"aws:x":"arn:aws"}}}}`:                                      `"arn:aws" is no ARN`,
		`{"Version":"2012-10-17","Statement":{` + good + `,"Condition":{"StringLike":{"aws:x":"${aws:username"}}}}`:     "policy variable without its end }",
		`{"Version":"2012-10-17","Statement":{` + good + `,"Condition":{"StringLike":{"aws:x":"${username}"}}}}`:        "${username} is no policy variable",
		`{"Version":"2012-10-17","Statement":{` + good + `,"Condition":{"StringLike":{"aws:x":"${aws:username, x}"}}}}`: "stands between single quotes",
	} {
		_, err := iampolicy.Parse([]byte(text), iampolicy.UseIdentity)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
	_, err := iampolicy.Parse([]byte(`{"Statement":[{},{}]}`), iampolicy.UseIdentity)
	if faults, ok := errors.AsType[iampolicy.Faults](err); !ok || len(faults) != 6 {
		t.Errorf("got %q, want three faults for each statement", err)
	}
	if _, err := iampolicy.Parse([]byte(strings.Repeat(" ", 1<<20)), iampolicy.UseIdentity); err == nil || !strings.Contains(err.Error(), "at most 65536 bytes") {
		t.Errorf("got %v", err)
	}
}

// What Lambda authorizers return is read more leniently (spec events-and-integrations §3).
func TestParseAuthorizerPolicy(t *testing.T) {
	for _, text := range []string{
		`{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}`,
		`{"Statement":{"Effect":"Allow","Action":"*","Resource":"prod/*"}}`,
	} {
		if _, err := iampolicy.Parse([]byte(text), iampolicy.UseAuthorizer); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// No pattern takes long: what backtracks exponentially elsewhere does not here.
func TestMatchingIsBounded(t *testing.T) {
	text := document(statement("Allow", `"Action":"*","Resource":"arn:`+strings.Repeat("*a", 2000)+`b*"`))
	p, err := iampolicy.Parse([]byte(text), iampolicy.UseIdentity)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	got := iampolicy.Evaluate([]*iampolicy.Policy{p}, &iampolicy.Request{Action: "a:b", Resources: []string{"arn:" + strings.Repeat("a", 10_000)}})
	if took := time.Since(start); got.Decision != iampolicy.ImplicitDeny || took > 5*time.Second {
		t.Errorf("got %v after %v", got, took)
	}
}

// The matcher agrees with regular expressions.
func FuzzMatch(f *testing.F) {
	f.Add("arn:*:a?c/*", "arn:aws:abc/x/y")
	f.Add("**a*b?", "xxaxxbb")
	f.Add("?é*", "xéy")
	f.Fuzz(func(t *testing.T, patternText, text string) {
		if !strings.HasPrefix(patternText, "arn:") || strings.Contains(patternText, "${") || len(patternText) > 100 || len(text) > 1000 {
			return
		}
		quoted, err := jsonText(patternText)
		if err != nil {
			return
		}
		p, err := iampolicy.Parse([]byte(document(statement("Allow", `"Action":"*","Resource":`+quoted))), iampolicy.UseAuthorizer)
		if err != nil {
			t.Fatal(err)
		}
		expr := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(patternText))
		want := regexp.MustCompile(`(?s)^` + expr + `$`).MatchString(text)
		got := iampolicy.Evaluate([]*iampolicy.Policy{p}, &iampolicy.Request{Action: "a:b", Resources: []string{text}})
		if (got.Decision == iampolicy.Allow) != want {
			t.Errorf("pattern %q, text %q: got %v, want %v", patternText, text, got, want)
		}
	})
}

// Whatever a document holds, it is a policy or it has faults, and it can be evaluated.
func FuzzParse(f *testing.F) {
	f.Add([]byte(document(statement("Allow", `"Action":"*","Resource":"*","Condition":{"ForAnyValue:StringLikeIfExists":{"aws:username":["${aws:userid, 'x'}*"]}}`))))
	f.Add([]byte(`{"Statement":{"Effect":"Deny","NotAction":["a:b"],"NotResource":"arn:aws:s3:::x","Condition":{"IpAddress":{"aws:SourceIp":"::/0"},"Null":{"a:b":true}}}}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		p, err := iampolicy.Parse(doc, iampolicy.UseAuthorizer)
		if (p == nil) == (err == nil) {
			t.Fatalf("got %v and %v", p, err)
		}
		if err == nil {
			with := iampolicy.Evaluate([]*iampolicy.Policy{p}, &iampolicy.Request{Action: invoke, Resources: []string{resource}, Context: testContext()})
			without := iampolicy.Evaluate([]*iampolicy.Policy{p}, &iampolicy.Request{Action: invoke, Resources: []string{resource}})
			if !p.UsesContext() && with != without {
				t.Errorf("got %v with a context and %v without one, of which it makes no use", with, without)
			}
		}
	})
}

// A policy that says it makes no use of a context is evaluated without one.
func TestUsesContext(t *testing.T) {
	for text, want := range map[string]bool{
		statement("Allow", `"Action":"*","Resource":"*"`):                                                                                            false,
		statement("Deny", `"NotAction":"a:b","NotResource":"arn:aws:s3:::x?"`):                                                                       false,
		statement("Allow", `"Action":"*","Resource":"arn:aws:s3:::${aws:username}/*"`):                                                               true,
		statement("Allow", `"Action":"*","NotResource":["arn:aws:s3:::a","arn:aws:s3:::${aws:username}"]`):                                           true,
		statement("Allow", `"Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}`):                                        true,
		statement("Allow", `"Action":"*","Resource":"*"`) + "," + statement("Deny", `"Action":"*","Resource":"*","Condition":{"Null":{"a:b":true}}`): true,
	} {
		p, err := iampolicy.Parse([]byte(document(text)), iampolicy.UseIdentity)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.UsesContext(); got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	var policies []*iampolicy.Policy
	for _, text := range []string{
		document(statement("Allow", `"Action":"execute-api:ManageConnections","Resource":"arn:aws:execute-api:*:*:*/@connections/*"`)),
		document(statement("Allow", `"Action":["execute-api:Invoke","execute-api:M*"],"Resource":"arn:aws:execute-api:eu-west-1:${aws:PrincipalAccount}:*/prod/*"`),
			statement("Deny", `"Action":"*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":["192.0.2.0/24","198.51.100.0/24"]}}`)),
	} {
		p, err := iampolicy.Parse([]byte(text), iampolicy.UseIdentity)
		if err != nil {
			b.Fatal(err)
		}
		policies = append(policies, p)
	}
	r := &iampolicy.Request{Action: invoke, Resources: []string{resource}, Context: testContext()}
	b.ReportAllocs()
	for b.Loop() {
		if got := iampolicy.Evaluate(policies, r); got.Decision != iampolicy.Allow {
			b.Fatal(got)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	text := []byte(document(statement("Allow", `"Action":"execute-api:Invoke","Resource":"`+resource+`"`)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := iampolicy.Parse(text, iampolicy.UseAuthorizer); err != nil {
			b.Fatal(err)
		}
	}
}
