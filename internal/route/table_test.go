package route_test

import (
	"errors"
	"strings"
	"testing"

	"cleat/internal/expr"
	"cleat/internal/route"
)

func compile(tb testing.TB, expression string, keys ...string) *route.Table[int] {
	tb.Helper()
	routes := map[string]int{}
	for i, k := range keys {
		routes[k] = i + 1
	}
	table, err := route.Compile(expression, routes)
	if err != nil {
		tb.Fatal(err)
	}
	return table
}

// TestSelect holds spec data-plane §4.1 and §4.3, open-questions 58 and 59.
func TestSelect(t *testing.T) {
	all := []string{"$connect", "$disconnect", "$default", "join", "5", "true", "chat/send", "-"}
	tests := map[string]struct {
		expression string
		keys       []string
		body, want string // want "" is: none
	}{
		"exact":                    {"$request.body.action", all, `{"action":"join"}`, "join"},
		"number":                   {"$request.body.action", all, `{"action":5}`, "5"},
		"boolean":                  {"$request.body.action", all, `{"action":true}`, "true"},
		"composite":                {"${request.body.service}/${request.body.op}", all, `{"service":"chat","op":"send"}`, "chat/send"},
		"unknown":                  {"$request.body.action", all, `{"action":"leave"}`, "$default"},
		"case matters":             {"$request.body.action", all, `{"action":"Join"}`, "$default"},
		"blanks matter":            {"$request.body.action", all, `{"action":"join "}`, "$default"},
		"missing":                  {"$request.body.action", all, `{}`, "$default"},
		"null":                     {"$request.body.action", all, `{"action":null}`, "$default"},
		"empty":                    {"$request.body.action", all, `{"action":""}`, "$default"},
		"not JSON":                 {"$request.body.action", all, `join`, "$default"},
		"no body":                  {"$request.body.action", all, ``, "$default"},
		"JSON list":                {"$request.body.action", all, `[{"action":"join"}]`, "$default"},
		"JSON text":                {"$request.body.action", all, `"join"`, "$default"},
		"reserved connect":         {"$request.body.action", all, `{"action":"$connect"}`, "$default"},
		"reserved disconnect":      {"$request.body.action", all, `{"action":"$disconnect"}`, "$default"},
		"reserved default":         {"$request.body.action", all, `{"action":"$default"}`, "$default"},
		"reserved by composition":  {`\$${request.body.action}`, all, `{"action":"connect"}`, "$default"},
		"reserved without default": {"$request.body.action", []string{"$connect", "$disconnect"}, `{"action":"$connect"}`, ""},
		"none":                     {"$request.body.action", []string{"$connect", "join"}, `{"action":"leave"}`, ""},
		"none, not JSON":           {"$request.body.action", []string{"join"}, `join`, ""},
		"static":                   {"join", all, `{"x":1}`, "join"},
		"static, not JSON":         {"join", all, `hello`, "$default"},
		"parts empty, not JSON":    {"${request.body.a}-${request.body.b}", all, `hello`, "$default"},
		"parts empty, JSON":        {"${request.body.a}-${request.body.b}", all, `{}`, "-"},
		"long value":               {"$request.body.action", all, `{"action":"` + strings.Repeat("x", 4096) + `"}`, "$default"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			table := compile(t, tt.expression, tt.keys...)
			key, v, ok := table.Select([]byte(tt.body))
			if key != tt.want || ok != (tt.want != "") {
				t.Fatalf("got %q, %t, want %q", key, ok, tt.want)
			}
			if want, _ := table.Lookup(tt.want); v != want {
				t.Errorf("got the value %d, want %d", v, want)
			}
		})
	}
}

func TestLookup(t *testing.T) {
	table := compile(t, "$request.body.action", "$connect", "join")
	for key, want := range map[string]int{"$connect": 1, "join": 2, "$disconnect": 0, "other": 0, "": 0} {
		if got, ok := table.Lookup(key); got != want || ok != (want != 0) {
			t.Errorf("Lookup(%q) = %d, %t, want %d", key, got, ok, want)
		}
	}
}

func TestExplain(t *testing.T) {
	table := compile(t, "${request.body.a}-${request.body.b}", "$default")
	for body, want := range map[string]string{`{"a":"x"}`: "x-", `{"a":1,"b":2}`: "1-2", `hello`: ""} {
		if got, object := table.Explain([]byte(body)); got != want || object != (want != "") {
			t.Errorf("Explain(%s) = %q, %v, want %q", body, got, object, want)
		}
	}
	if got := table.Expression(); got != "${request.body.a}-${request.body.b}" {
		t.Errorf("Expression() = %q", got)
	}
}

func TestCompileFaults(t *testing.T) {
	if _, err := route.Compile("$request.method", map[string]int{}); err == nil {
		t.Error("a bad expression was accepted")
	} else if _, ok := errors.AsType[*expr.Error](err); !ok {
		t.Errorf("got %v, want an *expr.Error inside", err)
	}
	for _, key := range []string{"", "$other", strings.Repeat("x", 129)} {
		if _, err := route.Compile("$request.body.action", map[string]int{key: 1}); err == nil {
			t.Errorf("route key %.10q was accepted", key)
		}
	}
}

func TestSelectDoesNotAllocate(t *testing.T) {
	table := compile(t, "$request.body.action", "$default", "sendMessage")
	body := []byte(`{"action":"sendMessage","data":{"text":"hello"}}`)
	if n := testing.AllocsPerRun(100, func() { table.Select(body) }); n != 0 {
		t.Errorf("Select allocates %v times, want 0", n)
	}
}

func BenchmarkSelect(b *testing.B) {
	table := compile(b, "$request.body.action", "$default", "sendMessage")
	pad := func(n int) []byte {
		head, tail := `{"action":"sendMessage","data":"`, `"}`
		return []byte(head + strings.Repeat("x", n-len(head)-len(tail)) + tail)
	}
	for name, body := range map[string][]byte{"128B": pad(128), "4KB": pad(4096)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				table.Select(body)
			}
		})
	}
}
