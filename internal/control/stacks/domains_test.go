package stacks_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/control/stacks"
)

// withDomain is chat under two custom domain names, as templates have them.
const withDomain = chat + `
  Certificate: {Type: "AWS::CertificateManager::Certificate"}
  Domain:
    Type: AWS::ApiGatewayV2::DomainName
    Properties:
      DomainName: Chat.Example.com
      DomainNameConfigurations: [{CertificateArn: !Ref Certificate, EndpointType: REGIONAL, SecurityPolicy: TLS_1_2}]
      Tags: {team: chat}
  RootMapping: {Type: "AWS::ApiGatewayV2::ApiMapping", Properties: {DomainName: !Ref Domain, ApiId: !Ref Api, Stage: !Ref Stage}}
  KeyMapping: {Type: "AWS::ApiGatewayV2::ApiMapping", Properties: {DomainName: chat.example.com, ApiId: !Ref Api, Stage: dev, ApiMappingKey: v1/chat}}
  Record: {Type: "AWS::Route53::RecordSet", Properties: {Name: !Ref Domain, AliasTarget: {DNSName: !GetAtt Domain.RegionalDomainName, HostedZoneId: !GetAtt Domain.RegionalHostedZoneId}}}
`

// TestDomainNames applies AWS::ApiGatewayV2::DomainName and ApiMapping (spec control-plane §13, §15).
func TestDomainNames(t *testing.T) {
	w := newWorld(t)
	out := w.apply(withDomain)
	s := w.serving()
	if len(s.Domains) != 1 || len(s.Mappings) != 2 {
		t.Fatalf("domains %+v, mappings %+v", s.Domains, s.Mappings)
	}
	d := s.Domains[0]
	if d.DomainName != "chat.example.com" || d.APIMappingSelectionExpression != "$request.basepath" || d.RoutingMode != "API_MAPPING_ONLY" ||
		d.DomainNameARN != "arn:aws:apigateway:eu-west-1::/domainnames/chat.example.com" || d.Tags["team"] != "chat" {
		t.Errorf("domain %+v", d)
	}
	c := d.DomainNameConfigurations[0]
	if c.CertificateARN != "chat-dev-Certificate" || c.EndpointType != "REGIONAL" || c.SecurityPolicy != "TLS_1_2" || c.IPAddressType != "ipv4" || c.DomainNameStatus != "AVAILABLE" ||
		!strings.HasPrefix(c.APIGatewayDomainName, "d-") || !strings.HasSuffix(c.APIGatewayDomainName, ".execute-api.eu-west-1.amazonaws.com") || !strings.HasPrefix(c.HostedZoneID, "Z") {
		t.Errorf("configuration %+v", c)
	}
	for _, m := range s.Mappings {
		if m.DomainName != "chat.example.com" || m.APIID != w.published().API.APIID || m.Stage != "dev" || len(m.APIMappingID) != 7 {
			t.Errorf("mapping %+v", m)
		}
	}
	want := []stacks.DomainSummary{{Name: "chat.example.com", Stage: "dev"}, {Name: "chat.example.com", Key: "v1/chat", Stage: "dev"}}
	if got := out.APIs[0].Domains; !slices.Equal(got, want) || out.APIs[0].EndpointDisabled {
		t.Errorf("summary %+v, want %+v", out.APIs[0], want)
	}
	if len(out.Warnings) != 0 || slices.ContainsFunc(out.LeftAlone, func(l string) bool { return strings.HasPrefix(l, "AWS::ApiGatewayV2") }) {
		t.Errorf("warnings %v, left alone %q", out.Warnings, out.LeftAlone)
	}

	before := w.revision()
	w.apply(withDomain)
	if after := w.revision(); after != before {
		t.Errorf("applied again: revision %d became %d", before, after)
	}
	w.apply(edit(t, withDomain, "ApiMappingKey: v1/chat", "ApiMappingKey: v2"))
	if s := w.serving(); len(s.Mappings) != 2 || !slices.ContainsFunc(s.Mappings, func(m apigw.APIMapping) bool { return m.APIMappingKey == "v2" }) {
		t.Errorf("after a change: %+v", s.Mappings)
	}
	w.apply(without(withDomain, "KeyMapping"))
	if s := w.serving(); len(s.Mappings) != 1 || s.Mappings[0].APIMappingKey != "" {
		t.Errorf("without a mapping: %+v", s.Mappings)
	}
	w.apply(chat)
	if s := w.serving(); len(s.Domains) != 0 || len(s.Mappings) != 0 || len(s.Stages) != 1 {
		t.Errorf("without the domain: %+v, %+v", s.Domains, s.Mappings)
	}
}

// TestDomainReferences resolves what Ref and GetAtt give (spec control-plane §15).
func TestDomainReferences(t *testing.T) {
	variables := ""
	for _, v := range []string{"!Ref Domain", "!GetAtt Domain.RegionalDomainName", "!GetAtt Domain.RegionalHostedZoneId", "!GetAtt Domain.DomainNameArn", "!Ref KeyMapping", "!GetAtt KeyMapping.ApiMappingId", "!GetAtt Old.RegionalDomainName", "!Ref Old"} {
		name := strings.NewReplacer("!", "", " ", "_", ".", "_").Replace(v)
		variables += name + ": " + v + ", "
	}
	text := withDomain + "  Uses: {Type: 'AWS::Lambda::Function', Properties: {Code: {LocalPath: /x}, Runtime: r, Handler: h, Environment: {Variables: {" + variables + "}}}}\n" +
		"  Old: {Type: 'AWS::ApiGateway::DomainName', Properties: {DomainName: old.example.com}}\n"
	w := newWorld(t)
	got := w.apply(text).Functions[1].Environment
	s := w.serving()
	c := s.Domains[0].DomainNameConfigurations[0]
	id := ""
	for _, m := range s.Mappings {
		if m.APIMappingKey != "" {
			id = m.APIMappingID
		}
	}
	for name, want := range map[string]string{
		"Ref_Domain": "Chat.Example.com", "GetAtt_Domain_RegionalDomainName": c.APIGatewayDomainName, "GetAtt_Domain_RegionalHostedZoneId": c.HostedZoneID,
		"GetAtt_Domain_DomainNameArn": s.Domains[0].DomainNameARN, "Ref_KeyMapping": id, "GetAtt_KeyMapping_ApiMappingId": id, "Ref_Old": "old.example.com",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if old := got["GetAtt_Old_RegionalDomainName"]; !strings.HasPrefix(old, "d-") {
		t.Errorf("regional name of the older resource type: %q", old)
	}
}

// TestDomainFaults: AWS's words, at the property that is wrong.
func TestDomainFaults(t *testing.T) {
	const key = "ApiMappingKey: v1/chat"
	for name, tt := range map[string]struct{ old, replacement, want string }{
		"slash in front":       {key, "ApiMappingKey: /v1", "KeyMapping: API mapping key should not start with a '/' or have consecutive '/'s."},
		"two slashes":          {key, "ApiMappingKey: v1//chat", "KeyMapping: API mapping key should not start with a '/' or have consecutive '/'s."},
		"slash at the end":     {key, "ApiMappingKey: v1/", "KeyMapping: API mapping key should not end with a '/'."},
		"character":            {key, `ApiMappingKey: "v1 chat"`, "KeyMapping: An ApiMapping key may contain only letters, numbers and one of $-_.+!*'()"},
		"long key":             {key, "ApiMappingKey: " + strings.Repeat("k", 301), "KeyMapping: apiMappingKey is longer than 300 characters"},
		"key taken":            {key, "ApiMappingKey: ''", "KeyMapping: ApiMapping key already exists for this domain name"},
		"stage":                {"Stage: dev, " + key, "Stage: prod, " + key, "KeyMapping: Invalid stage identifier specified"},
		"API":                  {"ApiId: !Ref Api, Stage: dev, " + key, "ApiId: none, Stage: dev, " + key, "KeyMapping: Invalid API identifier specified none"},
		"no stage":             {"Stage: dev, " + key, key, "KeyMapping: Stage is required"},
		"unknown property":     {key, "MappingKey: v1", "KeyMapping: extraneous key [MappingKey] is not permitted"},
		"address":              {"DomainName: Chat.Example.com", "DomainName: 127.0.0.1", `Domain: Invalid domain name "127.0.0.1"`},
		"single label":         {"DomainName: Chat.Example.com", "DomainName: localhost", `Domain: Invalid domain name "localhost"`},
		"underscore":           {"DomainName: Chat.Example.com", "DomainName: chat_example.com", `Domain: Invalid domain name "chat_example.com"`},
		"Amazon's":             {"DomainName: Chat.Example.com", "DomainName: x.execute-api.eu-west-1.amazonaws.com", "the names under amazonaws.com belong to the default endpoints"},
		"edge":                 {"EndpointType: REGIONAL", "EndpointType: EDGE", "Domain: Only REGIONAL domain names with a security policy of TLS 1.2 can be managed"},
		"old TLS":              {"SecurityPolicy: TLS_1_2", "SecurityPolicy: TLS_1_0", "Domain: Only REGIONAL domain names with a security policy of TLS 1.2 can be managed"},
		"no configuration":     {"DomainNameConfigurations: [{CertificateArn: !Ref Certificate, EndpointType: REGIONAL, SecurityPolicy: TLS_1_2}]", "DomainNameConfigurations: []", "Domain: Invalid input. Expected one domain name configuration"},
		"mutual TLS":           {"Tags: {team: chat}", "MutualTlsAuthentication: {TruststoreUri: s3://b/k}", "Domain: mutual TLS is not available for WebSocket APIs"},
		"routing rules":        {"Tags: {team: chat}", "RoutingMode: ROUTING_RULE_ONLY", "Domain: Invalid routing mode ROUTING_RULE_ONLY"},
		"HTTP API beside it":   {"ApiId: !Ref Api, Stage: dev, " + key, "ApiId: !Ref Http, Stage: dev, " + key, "Domain: one domain name cannot lead to WebSocket APIs and to HTTP or REST APIs"},
		"domain defined twice": {"  Record:", "  Twice: {Type: 'AWS::ApiGatewayV2::DomainName', Properties: {DomainName: chat.example.com, DomainNameConfigurations: [{}]}}\n  Record:", "Twice: The domain name you provided already exists."},
	} {
		t.Run(name, func(t *testing.T) {
			text := edit(t, withDomain, tt.old, tt.replacement) + "  Http: {Type: 'AWS::ApiGatewayV2::Api', Properties: {Name: h, ProtocolType: HTTP}}\n"
			var got []string
			for _, f := range newWorld(t).refused(text) {
				if strings.HasPrefix(f.Message, tt.want) || strings.Contains(f.Message, tt.want) && f.Place.Line > 0 {
					return
				}
				got = append(got, f.Error())
			}
			t.Errorf("got %q, want %q", got, tt.want)
		})
	}
}

func TestDomainWarnings(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"defined elsewhere": {
			without(withDomain, "Domain", "Record", "RootMapping") + "  More: {Type: 'AWS::ApiGatewayV2::ApiMapping', Properties: {DomainName: chat.example.com, ApiId: !Ref Api, Stage: dev}}\n",
			[]string{"t.yaml:48: KeyMapping: the domain name chat.example.com is not defined in this template: it is taken to be there"},
		},
		"health":    {edit(t, withDomain, "ApiMappingKey: v1/chat", "ApiMappingKey: ping"), []string{"t.yaml:55: KeyMapping: /ping answers health checks"}},
		"no way in": {edit(t, chat, "Description: A chat", "DisableExecuteApiEndpoint: true"), []string{"t.yaml:7: API Api: nobody can connect to it: its default endpoint is disabled"}},
		"one way":   {edit(t, withDomain, "Description: A chat", "DisableExecuteApiEndpoint: true"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			out := w.apply(tt.text)
			checkWarnings(t, out, tt.want)
			if before := w.revision(); len(w.apply(tt.text).Warnings) != len(tt.want) || w.revision() != before {
				t.Error("applied again it is something else")
			}
			if disabled := name == "one way" || name == "no way in"; out.APIs[0].EndpointDisabled != disabled || w.published().Definition.DisableExecuteAPIEndpoint != disabled {
				t.Errorf("disabled: %+v, want %v", out.APIs[0], disabled)
			}
		})
	}
}

// TestDomainsOfOtherStacks: a domain of one stack with the mapping of another.
func TestDomainsOfOtherStacks(t *testing.T) {
	w := newWorld(t)
	w.apply(chat)
	api := w.published().API.APIID
	infra := stacks.Stack{Name: "infra", Region: "eu-west-1", Template: template(t, fmt.Sprintf(`
Resources:
  Domain: {Type: 'AWS::ApiGatewayV2::DomainName', Properties: {DomainName: ws.example.com, DomainNameConfigurations: [{}]}}
  Mapping: {Type: 'AWS::ApiGatewayV2::ApiMapping', Properties: {DomainName: !Ref Domain, ApiId: %s, Stage: dev}}
`, api))}
	apply := func(s stacks.Stack) error {
		_, err := w.stacks.Apply(t.Context(), s)
		return err
	}
	if err := apply(infra); err != nil {
		t.Fatal(err)
	}
	// The API, or its stage, does not go while it is mapped (spec open-questions 64).
	if faults := w.refused("Resources: {}"); faults[0].Message != "Deleting API "+string(api)+" failed. Please remove all API mappings for the API from your custom domain names." {
		t.Errorf("got %v", faults)
	}
	if faults := w.refused(edit(t, chat, "StageName: dev", "StageName: prod")); !strings.HasPrefix(faults[0].Message, "Deleting stage dev of API "+string(api)+" failed. Please remove all API mappings") {
		t.Errorf("got %v", faults)
	}
	// The name is taken.
	if faults := w.refused(withDomain2(chat)); faults[0].Message != "Taken: The domain name you provided already exists." {
		t.Errorf("got %v", faults)
	}
	// A mapping of its own on it is fine, and goes with its stack.
	own := chat + "  Own: {Type: 'AWS::ApiGatewayV2::ApiMapping', Properties: {DomainName: ws.example.com, ApiId: !Ref Api, Stage: dev, ApiMappingKey: own}}\n"
	if out := w.apply(own); len(out.Warnings) != 0 || len(out.APIs[0].Domains) != 2 {
		t.Errorf("outcome %+v", out)
	}
	if err := apply(infra); err != nil || len(w.serving().Mappings) != 2 {
		t.Errorf("the other stack again: %v, mappings %+v", err, w.serving().Mappings)
	}
	w.apply(chat)
	if s := w.serving(); len(s.Mappings) != 1 || len(s.Domains) != 1 {
		t.Errorf("mappings %+v, domains %+v", s.Mappings, s.Domains)
	}
	infra.Template = template(t, "Resources: {}")
	if err := apply(infra); err != nil {
		t.Fatal(err)
	}
	w.apply("Resources: {}")
	if entries, _, err := w.driver.List(t.Context(), ""); err != nil || len(entries) != 2 {
		t.Errorf("what is left: %+v, %v, want two records of stacks", entries, err)
	}
}

func withDomain2(text string) string {
	return text + "  Taken: {Type: 'AWS::ApiGatewayV2::DomainName', Properties: {DomainName: WS.example.com, DomainNameConfigurations: [{}]}}\n"
}

// TestFormerName: a stack that gets another name keeps what is named by itself, and leaves nothing behind.
func TestFormerName(t *testing.T) {
	w := newWorld(t)
	w.apply(withDomain)
	old := w.published().API.APIID
	s := stack(t, withDomain)
	s.Name, s.Former = "talk-dev", "chat-dev"
	if _, err := w.stacks.Apply(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	serving := w.serving()
	if len(serving.Stages) != 1 || serving.Stages[0].API.APIID == old || len(serving.Domains) != 1 || len(serving.Mappings) != 2 || serving.Mappings[0].APIID == old {
		t.Errorf("serving %+v", serving)
	}
	fresh := newWorld(t)
	s.Former = ""
	if _, err := fresh.stacks.Apply(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if got, want := contents(t, w), contents(t, fresh); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
