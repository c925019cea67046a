package sam_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"cleat/internal/cfn"
	"cleat/internal/sam"
	"cleat/internal/testkit/golden"
)

func parse(tb testing.TB, text string) *cfn.Value {
	tb.Helper()
	v, err := cfn.Parse("template.yaml", []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// text evaluates a Ref of the parameter Alias, and plain texts.
func text(v *cfn.Value) (string, bool) {
	if v.Get("Ref").Str() == "Alias" {
		return "live", true
	}
	return v.Scalar()
}

func show(r sam.Result, err error) string {
	var b strings.Builder
	if err != nil {
		b.WriteString("faults:\n" + err.Error() + "\n")
	}
	for _, w := range r.Warnings {
		b.WriteString("warning: " + w.Error() + "\n")
	}
	for _, what := range r.LeftAlone {
		b.WriteString("left alone: " + what + "\n")
	}
	for _, e := range r.Template.Entries() {
		if e.Key != "Resources" {
			b.WriteString(e.Key + ": " + string(e.Value.AppendJSON(nil)) + "\n")
		}
	}
	for _, e := range r.Template.Get("Resources").Entries() {
		b.WriteString(e.Key + ": " + strings.Replace(string(e.Value.AppendJSON(nil)), `"Metadata":{"cleat":{"Generated":true}}`, `"generated"`, 1) + "\n")
	}
	return b.String()
}

// TestExpand compares with testdata what SAM's translator makes of the same resources (spec control-plane §17; aws/serverless-application-model 1.110).
func TestExpand(t *testing.T) {
	golden.Archives(t, "testdata/*.txtar", func(t *testing.T, ar *txtar.Archive) string {
		t.Helper()
		v := parse(t, string(ar.Files[0].Data))
		if !sam.Is(v) {
			t.Error("not taken for a template of SAM")
		}
		return show(sam.Expand(v, text))
	})
}

func TestFaults(t *testing.T) {
	const function = "  F: {Type: AWS::Serverless::Function, Properties: {Handler: a.b"
	const api = "  A:\n    Type: AWS::Serverless::WebSocketApi\n    Properties:\n      RouteSelectionExpression: $request.body.action\n"
	tests := map[string]struct{ resources, want string }{
		"type":               {"  X: {Type: AWS::Serverless::Websocket}", "template.yaml:3: X: SAM has no type AWS::Serverless::Websocket"},
		"property":           {function + ", CodeURI: x}}", `template.yaml:3: F has no property "CodeURI"`},
		"event":              {function + ", Events: {E: {Type: WebSocket}}}}", `event E of F has the type "WebSocket", which SAM does not know`},
		"code":               {function + ", CodeUri: [a]}}", "CodeUri of F must be a path"},
		"alias":              {function + ", AutoPublishAlias: !GetAtt X.Y}}", "AutoPublishAlias of F must be a text"},
		"global section":     {"  X: {Type: T}\nGlobals: {Functions: {}}", `template.yaml:4: Globals has no section "Functions"`},
		"global property":    {"  X: {Type: T}\nGlobals: {Function: {Role: x}}", `template.yaml:4: Globals.Function has no property "Role"`},
		"no routes":          {api, "template.yaml:3: A has no Routes"},
		"no expression":      {"  A: {Type: AWS::Serverless::WebSocketApi, Properties: {Routes: {x: {FunctionArn: a}}}}", "A has no RouteSelectionExpression"},
		"route key":          {api + "      Routes: {a-b: {FunctionArn: a}}", `SAM takes route keys of letters and digits, $connect, $disconnect and $default, not "a-b"`},
		"two of one name":    {api + "      Routes: {say: {FunctionArn: a}, Say: {FunctionArn: a}}", "A: route Say would be the resource ASayRoute, which is taken"},
		"no function":        {api + "      Routes: {say: {}}", "A: route say has no FunctionArn"},
		"route's property":   {api + "      Routes: {say: {FunctionArn: a, Target: x}}", `A: route say has no property "Target"`},
		"parameters":         {api + "      Routes: {say: {FunctionArn: a, RequestParameters: {}}}", "RequestParameters are for $connect alone"},
		"auth without route": {api + "      Routes: {say: {FunctionArn: a}}\n      Auth: {AuthType: AWS_IAM}", "Auth needs a route $connect"},
		"auth's type":        {api + "      Routes: {$connect: {FunctionArn: a}}\n      Auth: {AuthType: JWT}", "AuthType must be CUSTOM, AWS_IAM or NONE"},
		"auth's function":    {api + "      Routes: {$connect: {FunctionArn: a}}\n      Auth: {AuthType: CUSTOM}", "AuthType CUSTOM needs AuthArn"},
		"auth's settings":    {api + "      Routes: {$connect: {FunctionArn: a}}\n      Auth: {AuthType: AWS_IAM, Name: x}", "AuthType AWS_IAM takes no further settings"},
		"stage":              {api + "      Routes: {say: {FunctionArn: a}}\n      StageName: $default", "a stage of a WebSocket API cannot be named $default"},
		"domain":             {api + "      Routes: {say: {FunctionArn: a}}\n      Domain: {DomainName: x}", "Domain needs both DomainName and CertificateArn"},
		"mutual TLS":         {api + "      Routes: {say: {FunctionArn: a}}\n      Domain: {DomainName: x, CertificateArn: y, MutualTlsAuthentication: {}}", "takes no MutualTlsAuthentication"},
		"key":                {"  T: {Type: AWS::Serverless::SimpleTable, Properties: {PrimaryKey: {Name: id, Type: Text}}}", "PrimaryKey needs a Name and a Type"},
		"application":        {"  X: {Type: AWS::Serverless::Application}", "X has no Location"},
		"properties":         {"  F: {Type: AWS::Serverless::Function, Properties: [a]}", "template.yaml:3: Properties of F must be a map"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := sam.Expand(parse(t, "Transform: AWS::Serverless-2016-10-31\nResources:\n"+tt.resources+"\n"), text)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func FuzzExpand(f *testing.F) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		ar, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(ar.Files[0].Data)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := cfn.Parse("t.yaml", b)
		if err != nil || v == nil {
			return
		}
		if r, _ := sam.Expand(v, text); r.Template == nil {
			t.Error("no template")
		}
	})
}
