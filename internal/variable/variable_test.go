package variable_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"cleat/internal/cfn"
	"cleat/internal/variable"
)

// nowhere is a folder without files.
const nowhere = "/nonexistent"

func TestVariableSyntax(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text string
		want []string // the variables; nil for none
		err  string
	}{
		"plain text":            {text: "a $ b { c } ${"},
		"CloudFormation's own":  {text: "${AWS::Region} ${Table} ${Table.Arn} ${!Literal} ${stageVariables.x} ${self}"},
		"one":                   {text: "${self:a.b}", want: []string{"${self:a.b}"}},
		"in text":               {text: "x-${opt:stage}-${AWS::Region}-${env:A}", want: []string{"${opt:stage}", "${env:A}"}},
		"white space":           {text: "${ self:a , 'b' }", want: []string{"${ self:a , 'b' }"}},
		"nested":                {text: "${self:a.${opt:b, 'c'}.d, ${env:E}}", want: []string{"${self:a.${opt:b, 'c'}.d, ${env:E}}"}},
		"inside a reference":    {text: "${Foo${self:a}}", want: []string{"${self:a}"}},
		"file":                  {text: "${file(./a-${opt:s}.yml):b.c}", want: []string{"${file(./a-${opt:s}.yml):b.c}"}},
		"quotes with braces":    {text: `${opt:a, "}${x"}`, want: []string{`${opt:a, "}${x"}`}},
		"region of old":         {text: "${cf.us-west-2:stack.out}", want: []string{"${cf.us-west-2:stack.out}"}},
		"parameters":            {text: "${ssm(us-west-2, raw):/a/b}", want: []string{"${ssm(us-west-2, raw):/a/b}"}},
		"escaped":               {text: `\${self:a}`},
		"not closed":            {text: "${self:a", err: `"}" is missing`},
		"not closed parameters": {text: "${file(a", err: `")" is missing`},
		"not closed quote":      {text: "${opt:a, 'b}", err: "closing ' is missing"},
		"bare word":             {text: "${opt:a, dev}", err: "write 'dev'"},
		"no default":            {text: "${opt:a,}", err: "a source or a default is missing"},
		"rubbish behind":        {text: "${opt:a, 'b' c}", err: `expected "," or "}"`},
		"reference as default":  {text: "${opt:a, ${AWS::Region}}", err: "CloudFormation reference"},
		"too deep":              {text: strings.Repeat("${self:", 40) + "a" + strings.Repeat("}", 40), err: "nested more than"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := variable.Variables(tt.text)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got error %v, want one with %q", err, tt.err)
				}
				return
			}
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

// A lone variable keeps its value's type; in a text only scalars have a place.
func TestVariableTypes(t *testing.T) {
	t.Parallel()
	document := "list: [1, two]\nmap: {a: true}\nnumber: 5\nyes: true\nempty:\ntext: words\nref: !Ref Table\nlooks: ${env:LOOKS}\nservice: {name: svc}\n"
	tests := map[string]struct {
		text string
		kind cfn.Kind
		want string // of scalars
		err  string
	}{
		"a list":            {text: "${self:list}", kind: cfn.List},
		"a map":             {text: "${self:map}", kind: cfn.Map},
		"a number":          {text: "${self:number}", kind: cfn.Number, want: "5"},
		"a boolean":         {text: " ${self:yes} ", kind: cfn.Bool, want: "true"},
		"null":              {text: "${self:empty}", kind: cfn.Null},
		"null at the end":   {text: "${opt:x, null}", kind: cfn.Null},
		"past null":         {text: "${self:empty, 'x'}", kind: cfn.String, want: "x"},
		"numbers in text":   {text: "a${self:number}${self:yes}", kind: cfn.String, want: "a5true"},
		"a list's item":     {text: "${self:list.1}", kind: cfn.String, want: "two"},
		"no such item":      {text: "${self:list.2, 'none'}", kind: cfn.String, want: "none"},
		"a reference":       {text: "${self:ref}", kind: cfn.Map},
		"a map in text":     {text: "a${self:map}", err: "cannot be put into a text"},
		"null in text":      {text: "a${self:empty}", err: "is null"},
		"negative default":  {text: "${opt:x, -1.5}", kind: cfn.Number, want: "-1.5"},
		"service by name":   {text: "${self:service}-${self:service.name}", kind: cfn.String, want: "svc-svc"},
		"into a text":       {text: "${self:text.0, 'no'}", kind: cfn.String, want: "no"},
		"escaped":           {text: `\${self:number} ${self:number}`, kind: cfn.String, want: "${self:number} 5"},
		"a variable's text": {text: "${env:LOOKS}", kind: cfn.String, want: "${self:number}"},
		"once more":         {text: "${self:looks}", kind: cfn.String, want: "${self:number}"},
		"quoted quotes":     {text: `${opt:x, 'it\'s'}`, kind: cfn.String, want: "it's"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := variable.Resolve(nowhere, document, tt.text, variable.Options{Env: map[string]string{"LOOKS": "${self:number}"}}, 0)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got error %v, want one with %q", err, tt.err)
				}
				return
			}
			if err != nil || v == nil || v.Kind != tt.kind || v.Str() != tt.want {
				t.Errorf("got %+v, %v, want %v %q", v, err, tt.kind, tt.want)
			}
		})
	}
}

// Variables that double each other must not take the machine's memory or time.
func TestVariableBombs(t *testing.T) {
	t.Parallel()
	texts, lists, chain := &strings.Builder{}, &strings.Builder{}, &strings.Builder{}
	texts.WriteString("a0: 0123456789\n")
	lists.WriteString("a0: [x]\n")
	chain.WriteString("a0: x\n")
	for i := 1; i <= 60; i++ {
		fmt.Fprintf(texts, "a%d: ${self:a%d}${self:a%d}\n", i, i-1, i-1)
		fmt.Fprintf(lists, "a%d: [\"${self:a%d}\", \"${self:a%d}\"]\n", i, i-1, i-1)
	}
	for i := 1; i <= 1000; i++ {
		fmt.Fprintf(chain, "a%d: ${self:a%d}\n", i, i-1)
	}
	for name, tt := range map[string]struct{ document, text, err string }{
		"texts": {texts.String(), "${self:a60}", "too much text"},
		"lists": {lists.String(), "${self:a60}", "too large a tree"},
		"chain": {chain.String(), "${self:a1000}", "more than 200 deep"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := variable.Resolve(nowhere, tt.document, tt.text, variable.Options{}, 0)
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got error %.200v, want one with %q", err, tt.err)
			}
		})
	}
}

func FuzzVariables(f *testing.F) {
	for _, s := range []string{
		"${self:a.b, 'c'}", "x${file(./a.yml):b}y", "${opt:${env:A}, ${self:b}}", `\${self:a}`, "${strToBool(${self:x, 'true'})}",
		"${cf.us-east-1:a.b}", "${self:a[0].b}", "${AWS::Region}", "${ssm(r,raw):/x, null}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		raw, err := variable.Variables(s)
		if err == nil {
			for _, v := range raw {
				if !strings.Contains(s, v) {
					t.Errorf("variable %q is not in %q", v, s)
				}
			}
		}
		v, err := variable.Resolve(nowhere, "a: {b: '${self:c}'}\nc: [1, '${self:a}']\nd: '${self:d}'\n", s, variable.Options{Env: map[string]string{"A": "b"}}, 0)
		if err == nil && v == nil {
			t.Errorf("%q resolves to nothing", s)
		}
	})
}
