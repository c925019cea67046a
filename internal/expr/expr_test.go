package expr_test

import (
	"errors"
	"runtime/debug"
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/expr"
	"cleat/internal/jsonpath"
)

// TestEvalBody holds what spec data-plane §4.2 and open-questions 58 say of request.body.
func TestEvalBody(t *testing.T) {
	tests := map[string]struct{ expression, body, want string }{
		"single":                        {`$request.body.action`, `{"action":"join"}`, "join"},
		"single in braces":              {`${request.body.action}`, `{"action":"join"}`, "join"},
		"deep":                          {`$request.body.a.b.c`, `{"a":{"x":1,"b":{"c":"v"}}}`, "v"},
		"index":                         {`$request.body.a[1].b`, `{"a":[{"b":"0"},{"b":"1"}]}`, "1"},
		"two indexes":                   {`$request.body.a[1][0]`, `{"a":[[],["x","y"]]}`, "x"},
		"index past the end":            {`$request.body.a[2]`, `{"a":[1,2]}`, ""},
		"index into an empty array":     {`$request.body.a[0]`, `{"a":[ ]}`, ""},
		"index into an object":          {`$request.body.a[0]`, `{"a":{"0":"x"}}`, ""},
		"number name into an array":     {`$request.body.a.0`, `{"a":["x"]}`, ""},
		"number name into an object":    {`$request.body.a.0`, `{"a":{"0":"x"}}`, "x"},
		"composite":                     {`${request.body.service}/${request.body.op}`, `{"service":"chat","op":"send"}`, "chat/send"},
		"missing part":                  {`${request.body.a}-${request.body.b}`, `{"a":"join"}`, "join-"},
		"null part":                     {`${request.body.a}-${request.body.b}`, `{"a":"join","b":null}`, "join-"},
		"static around":                 {`v1.${request.body.a}!`, `{"a":"x"}`, "v1.x!"},
		"escaped dollar":                {`\${request.body.a}${request.body.a}`, `{"a":"x"}`, "${request.body.a}x"},
		"inserted text is not read":     {`${request.body.a}`, `{"a":"${request.body.b}","b":"no"}`, "${request.body.b}"},
		"other backslashes":             {`a\b\\${request.body.a}`, `{"a":"x"}`, `a\b\${request.body.a}`},
		"number":                        {`$request.body.a`, `{"a":5}`, "5"},
		"number as sent":                {`$request.body.a`, `{"a": -1.50e+2 }`, "-1.50e+2"},
		"boolean":                       {`$request.body.a`, `{"a":true}`, "true"},
		"object":                        {`$request.body.a`, `{"a":{"b": "}"}}`, `{"b": "}"}`},
		"array":                         {`$request.body.a`, `{"a":["]", 1]}`, `["]", 1]`},
		"empty string":                  {`$request.body.a`, `{"a":""}`, ""},
		"case matters":                  {`$request.body.action`, `{"Action":"x"}`, ""},
		"escapes in the value":          {`$request.body.a`, `{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}`, "\"\\/\b\f\n\r\té😀"},
		"half a surrogate pair":         {`$request.body.a`, `{"a":"\ud83dx\ud83d\ud83d\ude00\ude00"}`, "\ufffdx\ufffd😀\ufffd"},
		"escapes in the key":            {`$request.body.action`, `{"\u0061ction":"x"}`, "x"},
		"key like a path":               {`$request.body.a.b`, `{"a.b":"no","a":{"b":"yes"}}`, "yes"},
		"key with a gjson wildcard":     {`$request.body.a*`, `{"ab":"no","a*":"yes"}`, "yes"},
		"key with a gjson query":        {`$request.body.a.#`, `{"a":[1,2]}`, ""},
		"key with a gjson modifier":     {`$request.body.@this`, `{"x":1}`, ""},
		"key with a pipe":               {`$request.body.a|b`, `{"a":{"b":"no"},"a|b":"yes"}`, "yes"},
		"key beyond ASCII":              {`$request.body.größe`, `{"größe":"L"}`, "L"},
		"last duplicate counts":         {`$request.body.a`, `{"a":"first","b":1,"a":"last"}`, "last"},
		"last duplicate counts, deep":   {`$request.body.a.b`, `{"a":{"b":"first"},"a":{"c":1}}`, ""},
		"duplicate that is null":        {`$request.body.a`, `{"a":"first","a":null}`, ""},
		"key and value look alike":      {`$request.body.action`, `{"x":"action","y":{"action":"no"},"action":"yes"}`, "yes"},
		"blanks":                        {`$request.body.a`, " \r\n\t{ \"a\" \t: \n\"x\" , \"b\" : [ ] } \n", "x"},
		"path through text":             {`$request.body.a.b`, `{"a":"x"}`, ""},
		"not JSON":                      {`x${request.body.a}y`, `a: b`, "xy"},
		"no body":                       {`$request.body.a`, ``, ""},
		"truncated":                     {`$request.body.a`, `{"a":"x"`, ""},
		"trailing garbage":              {`$request.body.a`, `{"a":"x"} {}`, ""},
		"a list":                        {`$request.body.a`, `[{"a":"x"}]`, ""},
		"a text":                        {`$request.body.a`, `"a"`, ""},
		"a number":                      {`$request.body.a`, `12`, ""},
		"null":                          {`$request.body.a`, `null`, ""},
		"control character in a string": {`$request.body.a`, "{\"a\":\"x\ny\"}", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e, err := expr.Parse(expr.Route, tt.expression)
			if err != nil {
				t.Fatal(err)
			}
			if got := e.Eval(expr.Vars{Body: []byte(tt.body)}); got != tt.want {
				t.Errorf("%s of %s = %q, want %q", tt.expression, tt.body, got, tt.want)
			}
		})
	}
}

// TestEvalOther holds the variables that are not request.body.
func TestEvalOther(t *testing.T) {
	vars := expr.Vars{
		Body:               []byte(`{"a":"B"}`),
		Headers:            apigw.Fields{{Name: "X-Api-Key", Value: "first"}, {Name: "x-api-KEY", Value: "last"}},
		UsageIdentifierKey: "usage",
		BasePath:           "v1",
		Response: &expr.Response{
			StatusCode:   404,
			Headers:      apigw.Fields{{Name: "X-Kind", Value: "one"}, {Name: "x-kind", Value: "two"}},
			ErrorMessage: "boom",
		},
	}
	tests := map[string]struct {
		kind       expr.Kind
		expression string
		want       string
	}{
		"api key":              {expr.APIKey, `$request.header.x-api-key`, "last"},
		"api key in braces":    {expr.APIKey, `${request.header.x-api-key}`, "last"},
		"usage identifier key": {expr.APIKey, `$context.authorizer.usageIdentifierKey`, "usage"},
		"base path":            {expr.APIMapping, `$request.basepath`, "v1"},
		"status code":          {expr.IntegrationResponse, `${integration.response.statuscode}`, "404"},
		"status code, single":  {expr.IntegrationResponse, `$integration.response.statuscode`, "404"},
		"header":               {expr.IntegrationResponse, `${integration.response.header.X-Kind}`, "two"},
		"all of a header":      {expr.IntegrationResponse, `${integration.response.multivalueheader.X-Kind}`, "one,two"},
		"error message":        {expr.IntegrationResponse, `${integration.response.body.errorMessage}`, "boom"},
		"missing header":       {expr.IntegrationResponse, `<${integration.response.header.no}>`, "<>"},
		"route response":       {expr.RouteResponse, `$default`, "$default"},
		"template, escaped":    {expr.Template, `\$default`, "$default"},
		"template, bare":       {expr.Template, `$default`, "$default"},
		"template, static":     {expr.Template, `200`, "200"},
		"template, body":       {expr.Template, `$request.body.a`, "B"},
		"response template":    {expr.ResponseTemplate, `${integration.response.statuscode}-${request.body.a}`, "404-B"},
		"model":                {expr.Model, `${request.body.a}Model`, "BModel"},
		"model, bare default":  {expr.Model, `$default`, "$default"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e, err := expr.Parse(tt.kind, tt.expression)
			if err != nil {
				t.Fatal(err)
			}
			if got := e.Eval(vars); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got := e.String(); got != tt.expression {
				t.Errorf("String() = %q", got)
			}
		})
	}
	e, err := expr.Parse(expr.IntegrationResponse, `[${integration.response.statuscode}${integration.response.header.a}]`)
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Eval(expr.Vars{}); got != "[]" {
		t.Errorf("without a response: %q, want []", got)
	}
}

func TestStatic(t *testing.T) {
	tests := map[string]struct {
		expression, want string
		ok               bool
	}{
		"text":     {`a b`, "a b", true},
		"escape":   {`\$default`, "$default", true},
		"variable": {`a${request.body.x}`, "", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e, err := expr.Parse(expr.Template, tt.expression)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := e.Static(); got != tt.want || ok != tt.ok {
				t.Errorf("got %q, %t, want %q, %t", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestParseFaults(t *testing.T) {
	tests := map[string]struct {
		kind   expr.Kind
		text   string
		column int
		want   string
	}{
		"empty":                     {expr.Route, ``, 1, "empty; allowed: $request.body.{path}"},
		"too long":                  {expr.Route, strings.Repeat("x", expr.MaxLength+1), 1, "longer than 1024 bytes"},
		"not UTF-8":                 {expr.Route, "a\xff", 1, "UTF-8"},
		"unknown variable":          {expr.Route, `$request.boddy.action`, 2, `"request.boddy.action" is not a variable`},
		"another kind's variable":   {expr.Route, `${request.body.a}-${integration.response.statuscode}`, 21, "allowed: $request.body.{path}"},
		"header in a route":         {expr.Route, `$request.header.x-api-key`, 2, "not a variable"},
		"method of an HTTP API":     {expr.Route, `${request.method} ${request.path}`, 3, "not a variable"},
		"whole body":                {expr.Route, `$request.body`, 2, "not a variable"},
		"no member":                 {expr.Route, `$request.body.`, 15, "ends where a member's name should follow"},
		"empty member":              {expr.Route, `$request.body.a..b`, 17, "'.' where a member's name should follow"},
		"trailing dot":              {expr.Route, `${request.body.a.}`, 18, "ends where"},
		"single beside text":        {expr.Route, `$request.body.a/x$`, 18, `'$' where "." or "["`},
		"blank in a path":           {expr.Route, `$request.body.a b`, 16, `' ' where "."`},
		"single with a second":      {expr.Route, `$request.body.a-$request.body.b`, 17, "'$' where"},
		"dollar in the middle":      {expr.Route, `a$b`, 2, `a literal dollar is written \$`},
		"dollar at the end":         {expr.Route, `é$`, 2, "literal dollar"},
		"unclosed":                  {expr.Route, `x/${request.body.a`, 3, "${ without its }"},
		"empty braces":              {expr.Route, `${}`, 3, "not a variable"},
		"bad index":                 {expr.Route, `$request.body.a[x]`, 17, "an index such as [0]"},
		"endless index":             {expr.Route, `$request.body.a[1234567890]`, 26, "at most 9 digits"},
		"unclosed index":            {expr.Route, `$request.body.a[1`, 18, "ends where an index"},
		"after an index":            {expr.Route, `$request.body.a[1]b`, 19, `'b' where "."`},
		"API key":                   {expr.APIKey, `$request.header.X-Key`, 1, "allowed: $request.header.x-api-key or $context.authorizer.usageIdentifierKey"},
		"route response":            {expr.RouteResponse, `$request.body.a`, 1, "allowed: $default"},
		"mapping":                   {expr.APIMapping, `$request.path`, 1, "allowed: $request.basepath"},
		"bare default in a route":   {expr.Route, `$default`, 2, "not a variable"},
		"status in a template":      {expr.Template, `${integration.response.statuscode}`, 3, "not a variable"},
		"error text, second":        {expr.ResponseTemplate, `${integration.response.body.errorMessage}`, 3, "not a variable"},
		"header without a name":     {expr.IntegrationResponse, `${integration.response.header.}`, 31, "name is missing"},
		"header with a blank":       {expr.IntegrationResponse, `${integration.response.header.a b}`, 32, "cannot be part"},
		"status code and something": {expr.IntegrationResponse, `${integration.response.statuscode.x}`, 3, "not a variable"},
		"no kind":                   {expr.Kind(0), `x`, 1, "no such kind"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := expr.Parse(tt.kind, tt.text)
			e, ok := errors.AsType[*expr.Error](err)
			if !ok {
				t.Fatalf("got %v, want an *expr.Error", err)
			}
			if e.Column != tt.column || !strings.Contains(e.Message, tt.want) {
				t.Errorf("got column %d, %q, want column %d, …%s…", e.Column, e.Message, tt.column, tt.want)
			}
			if !strings.HasPrefix(err.Error(), tt.kind.String()) {
				t.Errorf("%q does not name %s", err, tt.kind)
			}
		})
	}
}

func TestCheckRouteKey(t *testing.T) {
	tests := map[string]struct {
		key string
		ok  bool
	}{
		"custom":       {"join", true},
		"with slashes": {"a/b c", true},
		"connect":      {"$connect", true},
		"disconnect":   {"$disconnect", true},
		"default":      {"$default", true},
		"reserved":     {"$other", false},
		"empty":        {"", false},
		"long":         {strings.Repeat("é", 128), true},
		"too long":     {strings.Repeat("x", 129), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if err := expr.CheckRouteKey(tt.key); (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A message that is nested deeper than any that is meant selects nothing (spec data-plane §4.3 step 2), and takes no stack:
// the process would end by what is set here, as it would by a large message without the bound.
func TestDeepMessage(t *testing.T) {
	defer debug.SetMaxStack(debug.SetMaxStack(1 << 20))
	e, err := expr.Parse(expr.Route, `$request.body.action`)
	if err != nil {
		t.Fatal(err)
	}
	type outcome struct {
		text   string
		object bool
	}
	for name, tc := range map[string]struct {
		depth int
		want  outcome
	}{
		"as deep as may be": {jsonpath.MaxNesting - 1, outcome{"join", true}},
		"deeper":            {jsonpath.MaxNesting, outcome{"", false}},
		"a megabyte":        {1 << 19, outcome{"", false}},
	} {
		t.Run(name, func(t *testing.T) {
			body := []byte(`{"action":"join","data":` + strings.Repeat("[", tc.depth) + strings.Repeat("]", tc.depth) + "}")
			got := make(chan outcome)
			go func() {
				text, object := e.AppendBody(nil, body)
				got <- outcome{string(text), object}
			}()
			if got := <-got; got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestNoAllocation(t *testing.T) {
	e, err := expr.Parse(expr.Route, `$request.body.action`)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"id":12,"action":"sendMessage","data":{"text":"hello","to":["a","b"]}}`)
	var buf [128]byte
	if n := testing.AllocsPerRun(100, func() { e.AppendBody(buf[:0], body) }); n != 0 {
		t.Errorf("AppendBody allocates %v times, want 0", n)
	}
}
