package jsonpath_test

import (
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"

	"cleat/internal/jsonpath"
)

func parse(tb testing.TB, text string) any {
	tb.Helper()
	v, err := jsonpath.Parse(text)
	if err != nil {
		tb.Fatalf("parse %.60s: %v", text, err)
	}
	return v
}

func compact(tb testing.TB, v any) string {
	tb.Helper()
	out, err := jsonpath.Append(nil, v, 1<<20)
	if err != nil {
		tb.Fatal(err)
	}
	return string(out)
}

// Spec mapping-templates §2, §8.8 to §8.10: order is kept, of duplicates the last counts, numbers take Java's form.
func TestCompactText(t *testing.T) {
	for in, want := range map[string]string{
		" { \"b\" : 1 , \"a\" : [ true , false , null ] } ": `{"b":1,"a":[true,false,null]}`,
		`{"a":1,"b":2,"a":3}`:                               `{"a":3,"b":2}`,
		`[]`:                                                `[]`,
		`{}`:                                                `{}`,
		`"a\/\u00e9\ud83d\ude00\n\u0001\"\\"`:               `"a/é😀\n\u0001\"\\"`,
		`"\ud83dx\ud800"`:                                   "\"\ufffdx\ufffd\"",
		"\"a\xffb\"":                                        "\"a\ufffdb\"",
		`2.50`:                                              `2.5`,
		`-0`:                                                `0`,
		`-0.0`:                                              `-0.0`,
		`1e3`:                                               `1000.0`,
		`1E10`:                                              `1.0E10`,
		`12345678.9`:                                        `1.23456789E7`,
		`0.00012`:                                           `1.2E-4`,
		`0.001`:                                             `0.001`,
		`2147483648`:                                        `2147483648`,
		`123456789012345678901234567890`:                    `123456789012345678901234567890`,
		`1.2345678901234567890123`:                          `1.2345678901234567890123`,
		`0.1000000000000000055511151231257827`:              `0.1000000000000000055511151231257827`,
		`1e400`:                                             `1E+400`,
		`-12.50e400`:                                        `-1.250E+401`,
		`1e-400`:                                            `0.0`,
	} {
		if got := compact(t, parse(t, in)); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

// Spec mapping-templates §2: the Java types of numbers.
func TestNumberTypes(t *testing.T) {
	for in, want := range map[string]any{
		"7": int32(7), "-2147483648": int32(-2147483648), "2147483648": int64(2147483648), "2.5": 2.5, "1e2": 100.0,
		"1.2345678901234567890123": jsonpath.Decimal("1.2345678901234567890123"),
	} {
		if got := parse(t, in); got != want {
			t.Errorf("%s: got %#v, want %#v", in, got, want)
		}
	}
	n, ok := parse(t, "9223372036854775808").(*big.Int)
	if !ok || n.String() != "9223372036854775808" {
		t.Errorf("got %v, want a BigInteger", n)
	}
}

func TestSyntaxErrors(t *testing.T) {
	for in, want := range map[string]string{
		"":                              "line 1, column 1: the text ends where a value should be",
		"{\n  \"a\": x}":                `line 2, column 8: 'x' where a value should be`,
		`{"é": tru}`:                    `line 1, column 7: 't' where a value should be`,
		`{"a" 1}`:                       `line 1, column 6: '1' where a colon should be`,
		`{"a":1,}`:                      `line 1, column 8: '}' where a member's name in double quotes should be`,
		`{a:1}`:                         `line 1, column 2: 'a' where a member's name in double quotes should be`,
		`[1 2]`:                         `line 1, column 4: '2' where a comma or ']' should be`,
		`[1,]`:                          `line 1, column 4: ']' where a value should be`,
		`01`:                            `line 1, column 2: '1' where the end should be`,
		`-`:                             `line 1, column 2: the text ends where a digit should be`,
		`1.`:                            `line 1, column 3: the text ends where a digit should be`,
		`1e+x`:                          `line 1, column 4: 'x' where a digit should be`,
		`"abc`:                          `line 1, column 1: a string without its closing quote`,
		"\"a\nb\"":                      `line 1, column 3: a control character (0xa) in a string; it must be escaped`,
		`"\x"`:                          `line 1, column 3: 'x' where one of " \ / b f n r t u should be`,
		`"\u12"`:                        `line 1, column 4: '1' where four hexadecimal digits should be`,
		strings.Repeat("[", 600):        `line 1, column 513: arrays and objects are nested more than 512 deep`,
		strings.Repeat("1", 1001):       `line 1, column 1: a number of more than 1000 characters`,
		`{"a":1} {}`:                    `line 1, column 9: '{' where the end should be`,
		`{"a":"` + "\\n" + "\x01" + `"`: `line 1, column 9: a control character (0x1) in a string; it must be escaped`,
	} {
		_, err := jsonpath.Parse(in)
		var syntax *jsonpath.SyntaxError
		if !errors.As(err, &syntax) || err.Error() != want {
			t.Errorf("%.40q: got %v, want %s", in, err, want)
		}
	}
}

// An object behaves the same when it is too large to be searched from the front.
func TestObject(t *testing.T) {
	for _, n := range []int{3, 300} {
		o := new(jsonpath.Object)
		name := func(i int) string { return "k" + strings.Repeat("x", i) }
		for i := range n {
			if old := o.Set(name(i), i); old != nil {
				t.Fatalf("a new member had value %v", old)
			}
		}
		if old := o.Set(name(1), "new"); old != 1 {
			t.Errorf("got %v, want the value before", old)
		}
		if old := o.Delete(name(0)); old != 0 || o.Len() != n-1 {
			t.Errorf("got %v and %d members", old, o.Len())
		}
		if v, ok := o.Get(name(n - 1)); !ok || v != n-1 {
			t.Errorf("got %v %v for the last member", v, ok)
		}
		if _, ok := o.Get(name(0)); ok || o.Delete("none") != nil {
			t.Error("a member is there that was deleted, or never was")
		}
		if first := o.Members()[0]; first.Name != name(1) || first.Value != "new" {
			t.Errorf("got %v as the first member", first)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	loop := &jsonpath.Array{}
	loop.Items = []any{loop}
	if _, err := jsonpath.Append(nil, loop, 1<<20); !errors.Is(err, jsonpath.ErrTooDeep) {
		t.Errorf("got %v for a list that holds itself", err)
	}
	if _, err := jsonpath.Append(nil, &jsonpath.Array{Items: []any{"abc", "def", "g"}}, 10); !errors.Is(err, jsonpath.ErrTooLong) {
		t.Errorf("got %v for a list that is too long", err)
	}
	left := 1000
	if jsonpath.Equal(loop, &jsonpath.Array{Items: []any{loop}}, &left) {
		t.Error("lists without an end are equal")
	}
	if _, err := jsonpath.Append(nil, struct{}{}, 10); err == nil {
		t.Error("a foreign value was written")
	}
}

// FuzzParse holds the parser to encoding/json: the same texts are JSON, and the compact text means the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,2.5,-3e2,true,null,"x"],"a":{}}`, `[[[[]]]]`, `"\u00e9\ud83d\ude00"`, "{", `{"a":1}x`, `-`, `1.`, "\"\x01\"", "[1,]", " \n\t7\r",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := jsonpath.Parse(text)
		if valid := json.Valid([]byte(text)); valid != (err == nil) {
			if valid && (strings.Contains(err.Error(), "deep") || strings.Contains(err.Error(), "more than")) {
				return // our bounds
			}
			t.Fatalf("%q: encoding/json says %v, we say %v", text, valid, err)
		}
		if err != nil {
			return
		}
		out := compact(t, v)
		// A Decimal's text can be short enough for a Double, which prints in another way: 3.0000E-13 and 3.0E-13.
		if again := compact(t, parse(t, out)); again != out && !sameJSON(t, again, out) {
			t.Errorf("%q: %q does not come back as it was, but %q", text, out, again)
		}
		if strings.Contains(text, "-0") {
			return // an Integer has no negative zero
		}
		if json.Unmarshal([]byte(text), new(any)) == nil && !sameJSON(t, out, text) { // some numbers are no float64
			t.Errorf("%q: got %s", text, out)
		}
	})
}

// sameJSON reports whether encoding/json reads the same out of two texts.
func sameJSON(tb testing.TB, a, b string) bool {
	tb.Helper()
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && mustJSON(tb, x) == mustJSON(tb, y)
}

func mustJSON(tb testing.TB, v any) string {
	tb.Helper()
	out, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(out)
}

func BenchmarkParse4KB(b *testing.B) {
	text := document(4096)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jsonpath.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}

// document is JSON of about so many bytes, such as clients send.
func document(size int) string {
	var out strings.Builder
	out.WriteString(`{"action":"say","data":{"items":[`)
	for i := 0; out.Len() < size-80; i++ {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(`{"id":` + string(rune('0'+i%10)) + `,"t":"cup of tea","price":2.5,"tags":["a","b"],"ok":true}`)
	}
	out.WriteString(`]},"user":{"name":"Ann","age":30}}`)
	return out.String()
}

// TestEveryByteInStrings: strings are read and written in pieces of eight bytes; each byte counts wherever it stands.
func TestEveryByteInStrings(t *testing.T) {
	for length := 1; length <= 20; length++ {
		for at := range length {
			for c := range 256 {
				text := []byte(strings.Repeat("x", length))
				text[at] = byte(c)
				quoted := `"` + string(text) + `"`
				v, err := jsonpath.Parse(quoted)
				ok := c >= ' ' && c != '"' && c != '\\'
				if (err == nil) != ok || ok && v != string(text) {
					t.Fatalf("Parse(%q) = %q, %v", quoted, v, err)
				}
				want := strings.ToValidUTF8(string(text), "\ufffd")
				if got := decode(t, jsonpath.AppendString(nil, text)); got != want {
					t.Fatalf("AppendString(%q) stands for %q, want %q", text, got, want)
				}
			}
		}
	}
}

func decode(t *testing.T, quoted []byte) string {
	t.Helper()
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		t.Fatalf("%s: %v", quoted, err)
	}
	return s
}
