package model_test

import (
	"fmt"
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/model"
)

func compile(tb testing.TB, schema string, others ...apigw.Model) *model.Model {
	tb.Helper()
	m, err := model.NewSet(append(others, apigw.Model{Name: "It", Schema: schema})).Compile("It")
	if err != nil {
		tb.Fatalf("%s: %v", schema, err)
	}
	return m
}

// order is a schema such as people write.
const order = `{"$schema":"http://json-schema.org/draft-04/schema#","title":"Order","type":"object","required":["action","price"],
	"properties":{"action":{"type":"string"},"price":{"type":"number","minimum":0},"tags":{"type":"array","items":{"type":"string"},"uniqueItems":true}}}`

// TestValidate holds the verdicts and the words of spec events-and-integrations §9: one row for each keyword of draft-04.
func TestValidate(t *testing.T) {
	tests := map[string]struct{ schema, body, want string }{
		"valid":                 {order, `{"action":"buy","price":12.5,"tags":["a","b"],"more":null}`, ``},
		"required":              {order, `{"action":"buy"}`, `[object has missing required properties (["price"])]`},
		"type":                  {order, `{"action":"buy","price":"12"}`, `[instance type (string) does not match any allowed primitive type (allowed: ["integer","number"])]`},
		"several":               {order, `{"action":1}`, `[object has missing required properties (["price"]), instance type (integer) does not match any allowed primitive type (allowed: ["string"])]`},
		"minimum":               {order, `{"action":"a","price":-0.5}`, `[numeric instance is lower than the required minimum (minimum: 0, found: -0.5)]`},
		"not an object":         {order, `[]`, `[instance type (array) does not match any allowed primitive type (allowed: ["object"])]`},
		"not JSON":              {order, `hello`, `[the message is not valid JSON]`},
		"empty":                 {order, ``, `[the message is not valid JSON]`},
		"no schema":             {`{}`, `17`, ``},
		"no schema, no JSON":    {`{}`, `17,`, `[the message is not valid JSON]`},
		"integer":               {`{"type":"integer"}`, `7`, ``},
		"integer's fraction":    {`{"type":"integer"}`, `7.0`, `[instance type (number) does not match any allowed primitive type (allowed: ["integer"])]`},
		"integer is a number":   {`{"type":"number"}`, `7`, ``},
		"types":                 {`{"type":["null","boolean"]}`, `"x"`, `[instance type (string) does not match any allowed primitive type (allowed: ["boolean","null"])]`},
		"enum":                  {`{"enum":["a",1,{"b":[2,null]}]}`, `{"b":[2.0,null]}`, ``},
		"enum without":          {`{"enum":["a","b"]}`, `"c"`, `[instance value ("c") not found in enum (possible values: ["a","b"])]`},
		"enum of numbers":       {`{"enum":[100]}`, `1e2`, ``},
		"enum is not text":      {`{"enum":["1"]}`, `1`, `[instance value (1) not found in enum (possible values: ["1"])]`},
		"allOf":                 {`{"allOf":[{"type":"integer"},{"minimum":5}]}`, `3`, `[instance failed to match all required schemas (matched only 1 out of 2)]`},
		"anyOf":                 {`{"anyOf":[{"type":"string"},{"minimum":5}]}`, `3`, `[instance failed to match at least one required schema among 2]`},
		"oneOf":                 {`{"oneOf":[{"minimum":1},{"minimum":2}]}`, `3`, `[instance failed to match exactly one schema (matched 2 out of 2)]`},
		"oneOf, one":            {`{"oneOf":[{"minimum":1},{"minimum":5}]}`, `3`, ``},
		"not":                   {`{"not":{"type":"string"}}`, `"x"`, `[instance matched a schema which it should not have]`},
		"not, otherwise":        {`{"not":{"type":"string"}}`, `1`, ``},
		"minProperties":         {`{"minProperties":2}`, `{"a":1}`, `[object has too few properties (found 1 but schema requires at least 2)]`},
		"maxProperties":         {`{"maxProperties":1}`, `{"a":1,"b":2}`, `[object has too many properties (found 2 but schema requires at most 1)]`},
		"additionalProperties":  {`{"properties":{"a":{}},"additionalProperties":false}`, `{"a":1,"c":2,"b":3}`, `[object instance has properties which are not allowed by the schema: ["b","c"]]`},
		"additional schema":     {`{"properties":{"a":{}},"additionalProperties":{"type":"string"}}`, `{"a":1,"b":2}`, `[instance type (integer) does not match any allowed primitive type (allowed: ["string"])]`},
		"patternProperties":     {`{"patternProperties":{"^n":{"type":"number"}},"additionalProperties":false}`, `{"n1":1,"n2":"x"}`, `[instance type (string) does not match any allowed primitive type (allowed: ["integer","number"])]`},
		"dependencies":          {`{"dependencies":{"card":["name","zip"]}}`, `{"card":1,"zip":2}`, `[property "card" of object has missing property dependencies (schema requires ["name","zip"]; missing: ["name"])]`},
		"dependency, absent":    {`{"dependencies":{"card":["name"]}}`, `{"zip":2}`, ``},
		"dependency, a schema":  {`{"dependencies":{"card":{"required":["name"]}}}`, `{"card":2}`, `[object has missing required properties (["name"])]`},
		"minItems":              {`{"minItems":1}`, `[]`, `[array is too short: must have at least 1 elements but instance has 0 elements]`},
		"maxItems":              {`{"maxItems":1}`, `[1,2]`, `[array is too long: must have at most 1 elements but instance has 2 elements]`},
		"items":                 {`{"items":{"type":"integer"}}`, `[1,"x"]`, `[instance type (string) does not match any allowed primitive type (allowed: ["integer"])]`},
		"tuple":                 {`{"items":[{"type":"integer"},{"type":"string"}]}`, `[1,2,3]`, `[instance type (integer) does not match any allowed primitive type (allowed: ["string"])]`},
		"additionalItems":       {`{"items":[{}],"additionalItems":false}`, `[1,2,3]`, `[additional items are not allowed in the array (found 3, allowed: 1)]`},
		"additionalItems, type": {`{"items":[{}],"additionalItems":{"type":"null"}}`, `[1,null,3]`, `[instance type (integer) does not match any allowed primitive type (allowed: ["null"])]`},
		"uniqueItems":           {`{"uniqueItems":true}`, `[{"a":1,"b":2},{"b":2.0,"a":1}]`, `[array must not contain duplicate elements]`},
		"uniqueItems, unlike":   {`{"uniqueItems":true}`, `[1,"1",[1],{"1":1},true,null,["1",""],["","1"]]`, ``},
		"minLength":             {`{"minLength":3}`, `"éé"`, `[string "éé" is too short (length: 2, required minimum: 3)]`},
		"maxLength":             {`{"maxLength":1}`, `"ab"`, `[string "ab" is too long (length: 2, maximum allowed: 1)]`},
		"length of escapes":     {`{"maxLength":2}`, `"\u00e9\ud83d\ude00"`, ``},
		"pattern":               {`{"pattern":"^[a-z]+$"}`, `"A"`, `[ECMA 262 regex "^[a-z]+$" does not match input string "A"]`},
		"pattern anywhere":      {`{"pattern":"b"}`, `"abc"`, ``},
		"format":                {`{"format":"email"}`, `"x"`, `[string "x" is not a valid email address]`},
		"format, right":         {`{"format":"date-time"}`, `"2024-03-12T20:57:22Z"`, ``},
		"unknown format":        {`{"format":"colour"}`, `"x"`, ``},
		"maximum":               {`{"maximum":1e2}`, `101`, `[numeric instance is greater than the required maximum (maximum: 100, found: 101)]`},
		"exclusiveMaximum":      {`{"maximum":100,"exclusiveMaximum":true}`, `100.0`, `[numeric instance is not strictly lower than the required maximum 100]`},
		"exclusiveMinimum":      {`{"minimum":0,"exclusiveMinimum":true}`, `-0`, `[numeric instance is not strictly greater than the required minimum 0]`},
		"multipleOf":            {`{"multipleOf":0.1}`, `0.35`, `[remainder of division is not zero (0.35 / 0.1)]`},
		"multipleOf, exactly":   {`{"multipleOf":0.1}`, `0.3`, ``},
		"huge exponent":         {`{"maximum":5,"multipleOf":3}`, `1e999999999999999999999`, `[numeric instance is greater than the required maximum (maximum: 5, found: 1e999999999999999999999), remainder of division is not zero (1e999999999999999999999 / 3)]`},
		"tiny exponent":         {`{"minimum":0.1}`, `1e-99999999999`, `[numeric instance is lower than the required minimum (minimum: 0.1, found: 1e-99999999999)]`},
		"last member counts":    {`{"properties":{"a":{"type":"string"}},"maxProperties":1}`, `{"a":1,"\u0061":"x"}`, ``},
		"local reference":       {`{"definitions":{"id":{"type":"integer"}},"properties":{"a":{"$ref":"#/definitions/id"}}}`, `{"a":"x"}`, `[instance type (string) does not match any allowed primitive type (allowed: ["integer"])]`},
		"recursion":             {`{"properties":{"next":{"$ref":"#"}},"additionalProperties":false}`, `{"next":{"next":{"x":1}}}`, `[object instance has properties which are not allowed by the schema: ["x"]]`},
		"beside a reference":    {`{"definitions":{"a":{}},"properties":{"a":{"$ref":"#/definitions/a","type":"string"}}}`, `{"a":1}`, ``},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := compile(t, tt.schema)
			for range 2 { // the second time on used buffers
				got := ""
				if err := m.Validate([]byte(tt.body)); err != nil {
					got = err.Error()
				}
				if got != tt.want {
					t.Errorf("got  %s\nwant %s", got, tt.want)
				}
			}
		})
	}
}

// A schema may refer to other models of its API, whatever ID the reference gives the API: spec events-and-integrations §9.
func TestReferenceToAnotherModel(t *testing.T) {
	m := compile(t, `{"items":{"$ref":"https://apigateway.amazonaws.com/restapis/a1b2c3d4e5/models/Item"}}`,
		apigw.Model{Name: "Item", Schema: `{"properties":{"id":{"$ref":"#/definitions/id"},"parent":{"$ref":"https://apigateway.amazonaws.com/restapis/zzzzzzzzzz/models/Item"}},"definitions":{"id":{"type":"integer"}}}`})
	if err := m.Validate([]byte(`[{"id":1,"parent":{"id":2}}]`)); err != nil {
		t.Error(err)
	}
	if err := m.Validate([]byte(`[{"id":1,"parent":{"id":"2"}}]`)); err == nil {
		t.Error("valid all the same")
	}
}

func TestCompileFaults(t *testing.T) {
	deep := strings.Repeat(`{"not":`, 70) + `{}` + strings.Repeat(`}`, 70)
	for name, tt := range map[string]struct{ schema, want string }{
		"not JSON":             {`{"type":}`, "the schema is not valid JSON: invalid character '}'"},
		"cut short":            {`{"type"`, "it ends too early"},
		"no object":            {`["a"]`, "not a JSON object"},
		"unknown type":         {`{"properties":{"a":{"type":"text"}}}`, "not a schema of draft-04: /properties/a/type:"},
		"required of draft-03": {`{"properties":{"a":{"required":true}}}`, "/properties/a/required:"},
		"newer draft":          {`{"$schema":"http://json-schema.org/draft-07/schema#"}`, `$schema is "http://json-schema.org/draft-07/schema#": models are JSON Schema draft-04`},
		"newer draft inside":   {`{"properties":{"a":{"$id":"x","$schema":"http://json-schema.org/draft-07/schema#","type":"string"}}}`, "draft-04"},
		"look-ahead":           {`{"properties":{"a":{"pattern":"^(?=a)"}}}`, "/properties/a/pattern: '^(?=a)' is not valid regex: it looks ahead with (?=…), which RE2"},
		"look-behind":          {`{"patternProperties":{"(?<!a)b":{}}}`, "it looks behind with (?<!…)"},
		"back reference":       {`{"pattern":"(a)\\1"}`, `it refers back to a group with \1`},
		"broken pattern":       {`{"pattern":"(a"}`, "missing closing )"},
		"missing definition":   {`{"$ref":"#/definitions/x"}`, "refers to /definitions/x, which is not there"},
		"unknown model":        {`{"$ref":"https://apigateway.amazonaws.com/restapis/x/models/Nope"}`, `there is no model "Nope"`},
		"another host":         {`{"$ref":"https://example.com/schema.json"}`, "cannot refer to https://example.com/schema.json: it is no model of this API"},
		"a file":               {`{"$ref":"file:///etc/passwd"}`, "it is no model of this API"},
		"itself without end":   {`{"allOf":[{"$ref":"#"}]}`, "the schema refers to itself without end"},
		"itself, by two":       {`{"definitions":{"a":{"$ref":"#/definitions/b"},"b":{"anyOf":[{"$ref":"#/definitions/a"}]}},"properties":{"x":{"$ref":"#/definitions/a"}}}`, "refers to itself without end"},
		"deep":                 {deep, "nested deeper than 64 levels"},
		"long":                 {`{"title":"` + strings.Repeat("x", 40<<10) + `"}`, "more than 32768"},
		"huge number":          {`{"maximum":1e99999999}`, "out of any reasonable range"},
		"broken other":         {`{"$ref":"https://apigateway.amazonaws.com/restapis/x/models/Broken"}`, "model Broken: the schema is not valid JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := model.NewSet([]apigw.Model{{Name: "It", Schema: tt.schema}, {Name: "Broken", Schema: "{"}}).Compile("It")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want …%s…", err, tt.want)
			}
		})
	}
	if _, err := model.NewSet(nil).Compile("It"); err == nil {
		t.Error("a model that is not there compiles")
	}
}

// JavaScript's regular expressions mean here what they mean there.
func TestPatterns(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{`^\d+$`, "12", true},
		{`^\d+$`, "12\n", false},
		{`^\u0041$`, "A", true},
		{`^[\u0041-\u0043]$`, "B", true},
		{`^\s$`, "\u00a0", true},
		{`^[\s]$`, "\u2003", true},
		{`^\S$`, "\u00a0", false},
		{`^.$`, "\u2028", false},
		{`^[.]$`, "x", false},
		{`^[^]$`, "\n", true},
		{`^\/a$`, "/a", true},
		{`^[[:alpha:]$`, "[", true},
		{`^\cJ$`, "\n", true},
		{`^(?<year>\d{4})$`, "2024", true},
		{`^\e$`, "e", true},
		{`a{`, "a{", true},
	} {
		body := fmt.Sprintf("%q", tt.text)
		m := compile(t, fmt.Sprintf(`{"pattern":%q}`, tt.pattern))
		if got := m.Validate([]byte(body)) == nil; got != tt.want {
			t.Errorf("%s on %q: got %v", tt.pattern, tt.text, got)
		}
	}
}

// What a message makes the gateway do is bounded, whatever the schema.
func TestWorkIsBounded(t *testing.T) {
	double := `{"properties":{"a":{"allOf":[{"$ref":"#"},{"$ref":"#"}]}}}`
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + `1` + strings.Repeat(`}`, n) }
	for name, tt := range map[string]struct{ schema, body, want string }{
		"doubling at each level": {double, deep(200), `[the message takes too much work to be validated]`},
		"deeper than anybody's":  {order, deep(1001), `[nested deeper than 1000 levels]`},
		"as deep as may be":      {`{"properties":{"a":{"$ref":"#"}}}`, deep(1000), ``},
		"many equal numbers":     {`{"items":{"minimum":3,"multipleOf":1}}`, `[` + strings.Repeat(`1e999999,`, 10_000) + `4]`, `[remainder of division is not zero (1e999999 / 1)`},
		"long and unique":        {`{"uniqueItems":true}`, `[` + strings.Repeat(`"a",`, 30_000) + `4]`, `[array must not contain duplicate elements]`},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := compile(t, tt.schema).Validate([]byte(tt.body)); err != nil {
				got = err.Error()
			}
			if !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" || len(got) > 1100 {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
		})
	}
}
