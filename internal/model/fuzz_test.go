package model_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"cleat/internal/apigw"
	"cleat/internal/model"
)

var (
	beyond = regexp.MustCompile(`[eE][+-]?[0-9]{3}`)
	// otherwise are keywords that the library reads otherwise on purpose: regular expressions as RE2's, 1.0 as an integer.
	otherwise = regexp.MustCompile(`pattern|integer|regex|\\u`)
)

// FuzzValidate finds schemas and messages that make this package misbehave, and messages on which its verdict is not that
// of the library that compiles its schemas.
func FuzzValidate(f *testing.F) {
	for _, schema := range []string{
		order, `{"anyOf":[{"type":["string","null"]},{"not":{"enum":[1,{"a":[true]}]}}]}`, `{"oneOf":[{"minimum":1},{"multipleOf":0.5}],"maximum":9,"exclusiveMaximum":true}`,
		`{"dependencies":{"a":["b"],"c":{"maxProperties":1}},"additionalProperties":{"$ref":"#"},"minProperties":1}`,
		`{"items":[{"type":"number"}],"additionalItems":{"minLength":2,"maxLength":3},"uniqueItems":true,"minItems":1,"maxItems":4}`,
		`{"definitions":{"n":{"properties":{"n":{"$ref":"#/definitions/n"},"v":{"format":"ipv4"}}}},"allOf":[{"$ref":"#/definitions/n"}],"patternProperties":{"^v":{}},"additionalProperties":false}`,
	} {
		for _, body := range []string{`{"action":"a","price":1}`, `{"a":{"b":[]},"c":0}`, `[1,"ab","ab"]`, `{"n":{"v":"1.2.3"}}`, `-0.50`, `"x"`, `{"a":1,"a":2}`, `nul`} {
			f.Add(schema, body)
		}
	}
	f.Fuzz(func(t *testing.T, schema, body string) {
		m, err := model.NewSet([]apigw.Model{{Name: "It", Schema: schema}}).Compile("It")
		if err != nil {
			return
		}
		start := time.Now()
		got := m.Validate([]byte(body))
		if took := time.Since(start); took > 5*time.Second {
			t.Fatalf("took %s", took)
		}
		if got != nil && (strings.Contains(got.Error(), "too much work") || strings.Contains(got.Error(), "nested deeper")) {
			return
		}
		if otherwise.MatchString(schema) || beyond.MatchString(body) || hasDuplicates(body) {
			return
		}
		want := theirs(t, schema, body)
		if (got == nil) != (want == nil) {
			t.Errorf("schema %s, message %s: got %v, the library says %v", schema, body, got, want)
		}
	})
}

// theirs is the library's verdict.
func theirs(t *testing.T, schema, body string) error {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4)
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		t.Fatalf("the schema %s compiles, and yet: %v", schema, err)
	}
	if err := c.AddResource("https://apigateway.amazonaws.com/restapis/-/models/It", doc); err != nil {
		t.Fatalf("the schema %s compiles, and yet: %v", schema, err)
	}
	s, err := c.Compile("https://apigateway.amazonaws.com/restapis/-/models/It")
	if err != nil {
		t.Fatalf("the schema %s compiles, and yet: %v", schema, err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// hasDuplicates reports whether re-encoding loses members: the library sees the last of them as well, but its decoder and
// ours disagree on bytes that are no text.
func hasDuplicates(body string) bool {
	var v any
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return false
	}
	var compact bytes.Buffer
	if json.Compact(&compact, []byte(body)) != nil {
		return false
	}
	again, err := json.Marshal(v)
	return err != nil || len(again) != compact.Len()
}

func BenchmarkValidate(b *testing.B) {
	items := func(n int) []byte {
		var out bytes.Buffer
		out.WriteString(`{"action":"buy","price":12.5,"items":[`)
		for i := range n {
			if i > 0 {
				out.WriteByte(',')
			}
			out.WriteString(`{"id":"a1b2c3d4e5f6","count":3,"price":1.25,"tags":["new","blue"],"note":"some text that is a little longer"}`)
		}
		out.WriteString(`]}`)
		return out.Bytes()
	}
	const schema = `{"type":"object","required":["action","price","items"],"additionalProperties":false,"properties":{
		"action":{"type":"string","enum":["buy","sell"]},"price":{"type":"number","minimum":0},
		"items":{"type":"array","items":{"type":"object","required":["id","count"],"properties":{
			"id":{"type":"string","pattern":"^[a-z0-9]+$","minLength":12},"count":{"type":"integer","minimum":1,"maximum":100},
			"price":{"type":"number"},"tags":{"type":"array","items":{"type":"string"},"maxItems":8},"note":{"type":"string","maxLength":200}}}}}}`
	for name, body := range map[string][]byte{"256B": items(2), "4KB": items(37), "128KB": items(1200)} {
		b.Run(name, func(b *testing.B) {
			m := compile(b, schema)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if err := m.Validate(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("4KB/library", func(b *testing.B) {
		c := jsonschema.NewCompiler()
		c.DefaultDraft(jsonschema.Draft4)
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
		if err == nil {
			err = c.AddResource("x.json", doc)
		}
		if err != nil {
			b.Fatal(err)
		}
		s, err := c.Compile("x.json")
		if err != nil {
			b.Fatal(err)
		}
		body := items(37)
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
			if err != nil || s.Validate(v) != nil {
				b.Fatal("not valid")
			}
		}
	})
	b.Run("4KB/invalid", func(b *testing.B) {
		m := compile(b, schema)
		body := bytes.ReplaceAll(items(37), []byte(`"count":3`), []byte(`"count":"x"`))
		b.ReportAllocs()
		for b.Loop() {
			if m.Validate(body) == nil {
				b.Fatal("valid")
			}
		}
	})
}
