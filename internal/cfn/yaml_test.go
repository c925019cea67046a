package cfn_test

import (
	"testing"

	"pgregory.net/rapid"

	"cleat/internal/cfn"
)

func TestYAML(t *testing.T) {
	const want = `Resources:
  Api:
    Type: AWS::ApiGatewayV2::Api
    Properties:
      Name: chat room
      Version: '1.0'
      Switch: 'off'
      Number: 5
      Enabled: true
      Empty: {}
      None: []
      Target: !Sub integrations/${Mock}
      Id: !Ref Api
      Url: !GetAtt Api.ApiEndpoint
      Fn: !Join
        - /
        - - a
          - !Ref Api
      Template: |-
        #set($x = 1)
        {"a": $x}
`
	v, err := cfn.Parse("t.yaml", []byte(want))
	if err != nil {
		t.Fatal(err)
	}
	got, err := v.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What is written is read as it was, whatever is in it.
func TestYAMLRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
			"", " ", "a: b", "yes", "1.0", "0x1F", "2020-01-01", "12:30:45", "- a", "#x", "a #b", "{}", "!Ref x", "&a", "*a", "%x", "@x", "`x", "a\nb", "a\nb\n", "a\n\nb\n\n",
			" a\nb", "a \nb", "a\tb\nc", "~", "null", "\u2028", "\ufeffx", "<<", "=", "a:b", "a:", ":a", "'", "\"", "a\r\nb", "\x7f", "\u0085", "$default", "1e3", ".5", "+1",
		}))
		var value func(depth int) *cfn.Value
		value = func(depth int) *cfn.Value {
			switch kind := rapid.IntRange(0, 5).Draw(t, "kind"); {
			case kind < 3 || depth > 3:
				return cfn.TextOf(cfn.Place{}, text.Draw(t, "text"))
			case kind == 3:
				return cfn.NumberOf(cfn.Place{}, rapid.Int().Draw(t, "n"))
			case kind == 4:
				l := cfn.ListOf(cfn.Place{})
				for range rapid.IntRange(0, 3).Draw(t, "items") {
					l.Items = append(l.Items, value(depth+1))
				}
				return l
			default:
				m := cfn.MapOf(cfn.Place{})
				for range rapid.IntRange(0, 3).Draw(t, "keys") {
					if key := text.Draw(t, "key"); m.Get(key) == nil {
						m.Keys = append(m.Keys, cfn.Entry{Key: key, Value: value(depth + 1)})
					}
				}
				return m
			}
		}
		v := cfn.MapOf(cfn.Place{}, "root", value(0))
		written, err := v.YAML()
		if err != nil {
			t.Fatal(err)
		}
		read, err := cfn.Parse("t.yaml", written)
		if err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		if got, want := string(read.AppendJSON(nil)), string(v.AppendJSON(nil)); got != want {
			t.Fatalf("got  %s\nwant %s\n%s", got, want, written)
		}
	})
}
