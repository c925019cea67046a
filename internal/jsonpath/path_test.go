package jsonpath_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ohler55/ojg/jp"
	"github.com/ohler55/ojg/oj"

	"cleat/internal/jsonpath"
)

const shop = `{"store":{"book":[
 {"category":"reference","author":"Rees","title":"Sayings","price":8.95,"tags":["old","a"]},
 {"category":"fiction","author":"Waugh","title":"Sword","price":12.99,"isbn":null},
 {"category":"fiction","author":"Melville","title":"Moby Dick","isbn":"0-553","price":8.99,"tags":[]}],
 "bicycle":{"color":"red","price":19}},"max":10,"a-b":{"k y":"sp","it's":1},"n":[3,1,2],"words":["x","3"],"five":"5","nested":[[1,2],[3]]}`

func evaluate(p *jsonpath.Path, root any) (any, bool, error) {
	left := jsonpath.MaxVisits
	return p.Eval(root, &left)
}

func eval(t *testing.T, document, path string) string {
	t.Helper()
	p, err := jsonpath.Compile(path)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	v, found, err := evaluate(p, parse(t, document))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if !found {
		return "missing"
	}
	return compact(t, v)
}

// Spec mapping-templates §4.1.
func TestEval(t *testing.T) {
	for path, want := range map[string]string{
		"$.max":                                  "10",
		"max":                                    "10",
		"$['max']":                               "10",
		`$["max"]`:                               "10",
		`$[\"max\"]`:                             "10",
		"$.a-b['k y']":                           `"sp"`,
		`$.a-b['it\'s']`:                         "1",
		"$.store.book[0].title":                  `"Sayings"`,
		"$.store.book[-1].title":                 `"Moby Dick"`,
		"$.store.book[3]":                        "missing",
		"$.store.book[-4]":                       "missing",
		"$.store.book.title":                     "missing", // no mapping over a list
		"$.max.x":                                "missing",
		"$.store[0]":                             "missing",
		"$.Max":                                  "missing", // case counts
		"$.store.book[1].isbn":                   "null",
		"$.n[0:2]":                               "[3,1]",
		"$.n[1:]":                                "[1,2]",
		"$.n[:-1]":                               "[3,1]",
		"$.n[-2:]":                               "[1,2]",
		"$.n[:]":                                 "[3,1,2]",
		"$.n[5:9]":                               "[]",
		"$.n.[0]":                                "3",
		"$.n[0,2]":                               "[3,2]",
		"$.n[0, -1, 7]":                          "[3,2]",
		"$.n[*]":                                 "[3,1,2]",
		"$.max[*]":                               "[]",
		"$.store.bicycle.*":                      `["red",19]`,
		"$.store.bicycle['color','price','x']":   `{"color":"red","price":19}`,
		"$..['color','price']":                   `[{"color":"red","price":19}]`,
		"$.store['book','bicycle'].price":        "[19]",
		"$..price":                               "[8.95,12.99,8.99,19]",
		"$..tags[0]":                             `["old"]`,
		"$..[0].title":                           `["Sayings"]`,
		"$.nested..*":                            "[[1,2],[3],1,2,3]",
		"$.nested[*][0]":                         "[1,3]",
		"$.store.book[?(@.isbn)].title":          `["Sword","Moby Dick"]`,
		"$.store.book[?(!@.isbn)].title":         `["Sayings"]`,
		"$.store.book[?(@.price < $.max)].title": `["Sayings","Moby Dick"]`,
		"$.store.book[?(@.price <= 8.95)].title": `["Sayings"]`,
		"$.store.book[?(@['price'] > 9)].title":  `["Sword"]`,
		"$.store.book[?(@.price >= 12.99)].title":                                     `["Sword"]`,
		"$.store.book[?(@.category == 'fiction' && @.price < 10)].title":              `["Moby Dick"]`,
		"$.store.book[?(@.author == 'Rees' || (@.author=='Waugh'&&@.price>1))].title": `["Sayings","Sword"]`,
		"$.store.book[?(!(@.category == 'fiction'))].author":                          `["Rees"]`,
		"$.store.book[?(@.category != \"fiction\")].author":                           `["Rees"]`,
		"$.store.book[?(@.missing != 1)].author":                                      `["Rees","Waugh","Melville"]`,
		"$.store.book[?(@.missing == null)].author":                                   `[]`,
		"$.store.book[?(@.isbn == null)].author":                                      `["Waugh"]`,
		"$.store.book[?(@.author =~ /w.*/i)].author":                                  `["Waugh"]`,
		"$.store.book[?(@.author =~ /W/)].author":                                     `[]`,
		"$.store.book[?(@.author in ['Rees','Waugh'])].price":                         `[8.95,12.99]`,
		"$.store.book[?(@.author nin ['Rees','Waugh'])].price":                        `[8.99]`,
		"$.store.book[?('old' in @.tags)].author":                                     `["Rees"]`,
		"$.store.book[?(@.tags contains 'old')].author":                               `["Rees"]`,
		"$.store.book[?(@.title contains 'y D')].author":                              `["Melville"]`,
		"$.store.book[?(@.tags size 2)].author":                                       `["Rees"]`,
		"$.store.book[?(@.tags empty true)].author":                                   `["Melville"]`,
		"$.store.book[?(@.tags subsetof ['old','a','b'])].author":                     `["Rees","Melville"]`,
		"$.store.book[?(@.tags anyof ['a'])].author":                                  `["Rees"]`,
		"$.store.book[?(@.tags noneof ['a'])].author":                                 `["Melville"]`,
		"$.store.book[?(@.tags.length() > 1)].author":                                 `["Rees"]`,
		"$.store.bicycle[?(@.color == 'red')].price":                                  `[19]`,
		"$..[?(@.color == 'red')].price":                                              `[19]`,
		"$.n[?(@ > 1)]":                                                               "[3,2]",
		"$.n[?(@ == 2.0)]":                                                            "[2]",
		"$.words[?(@ == 3)]":                                                          `["3"]`,
		"$.n[?(@ == '3')]":                                                            "[3]",
		"$.n[?(@ === '3')]":                                                           "[]",
		"$.nested[?(@ == [3])]":                                                       "[[3]]",
		"$.nested[?(@[?(@ > 2)])]":                                                    "[[1,2],[3]]", // an indefinite path always exists
		"$.n.length()":                                                                "3",
		"$.n.min()":                                                                   "1.0",
		"$.n.max()":                                                                   "3.0",
		"$.n.avg()":                                                                   "2.0",
		"$.n.sum()":                                                                   "6.0",
		"$..price.sum()":                                                              "49.93",
		"$.store.length()":                                                            "2",
		"$.five.length()":                                                             "missing",
		"$.words.sum()":                                                               "missing",
		"$":                                                                           `{"store":`,
	} {
		got := eval(t, shop, path)
		if path == "$" {
			got = got[:len(want)]
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func TestDefinite(t *testing.T) {
	for path, want := range map[string]bool{
		"$": true, "$.a.b[0]": true, "$.a['b','c']": true, "$.a.length()": true, "$..a.sum()": true,
		"$.a[*]": false, "$..a": false, "$.a[0,1]": false, "$.a[0:1]": false, "$.a[?(@.b)].c": false, "$.*": false,
	} {
		p, err := jsonpath.Compile(path)
		if err != nil {
			t.Fatal(err)
		}
		if p.Definite() != want || p.String() != path {
			t.Errorf("%s: got %v", path, p.Definite())
		}
	}
}

func TestPathErrors(t *testing.T) {
	for path, want := range map[string]string{
		"":                 `JSONPath "", character 1: the path is empty; $ is the whole document`,
		"$.":               `JSONPath "$.", character 3: a name, * or [ should follow the dot`,
		"$.a b":            `JSONPath "$.a b", character 5: "b" is no part of a path; names with blanks or signs in them are written ['so']`,
		"$.a[":             `JSONPath "$.a[", character 5: brackets hold a number, a slice, a name in quotes, * or ?(…)`,
		"$.a[1":            `JSONPath "$.a[1", character 6: a ] should be here`,
		"$['a":             `JSONPath "$['a", character 3: a text without its closing quote`,
		"$.a[0:2:1]":       `JSONPath "$.a[0:2:1]", character 8: slices have no step`,
		"$.a[99999999999]": `JSONPath "$.a[99999999999]", character 5: "99999999999" is no index`,
		"$.a.size()":       `JSONPath "$.a.size()", character 5: size() is no function here; there are length(), min(), max(), avg() and sum()`,
		"$.a.sum(1)":       `JSONPath "$.a.sum(1)", character 9: sum() takes no arguments`,
		"$.a.sum().b":      `JSONPath "$.a.sum().b", character 10: nothing may follow a function`,
		"$[?(@.a == )]":    `JSONPath "$[?(@.a == )]", character 12: a path such as @.name, a text in quotes, a number, true, false, null or a list should be here`,
		"$[?(@.a =~ /(/)]": "JSONPath \"$[?(@.a =~ /(/)]\", character 12: the regular expression does not parse (RE2 syntax): error parsing regexp: missing closing ): `\\A(?:()\\z`",
		"$[?(1)]":          `JSONPath "$[?(1)]", character 5: a literal alone is no condition`,
		"$[?(@.a]":         `JSONPath "$[?(@.a]", character 8: a ) should be here`,
		"$[?(" + strings.Repeat("!", 99) + "@.a)]": `filters are nested more than 16 deep`,
		"$" + strings.Repeat(".a", 101):            `a path has at most 100 steps`,
		"$." + strings.Repeat("a", 5000):           `it is longer than 4096 characters`,
	} {
		_, err := jsonpath.Compile(path)
		var fault *jsonpath.PathError
		if !errors.As(err, &fault) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%.40q: got %v, want %s", path, err, want)
		}
	}
}

// A path whose work grows beyond measure ends with an error.
func TestVisitsAreBounded(t *testing.T) {
	p, err := jsonpath.Compile("$..*..*..*")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = evaluate(p, parse(t, strings.Repeat("[", 400)+strings.Repeat("]", 400))); !errors.Is(err, jsonpath.ErrTooMuch) {
		t.Errorf("got %v", err)
	}
	loop := new(jsonpath.Object)
	loop.Set("a", loop)
	if _, _, err = evaluate(p, loop); !errors.Is(err, jsonpath.ErrTooMuch) {
		t.Errorf("got %v for an object that holds itself", err)
	}
	left := 3
	if _, _, err = p.Eval(parse(t, shop), &left); !errors.Is(err, jsonpath.ErrTooMuch) || left != 0 {
		t.Errorf("got %v, and %d left of 3 visits", err, left)
	}
}

// What a filter reads of a long text again for each item counts as work, too.
func TestLongTextsAreBounded(t *testing.T) {
	for name, filter := range map[string]string{
		"contains": "$.t contains @", "size": "$.t size @", "matches": "$.t =~ /b/",
	} {
		p, err := jsonpath.Compile("$.items[?(" + filter + ")]")
		if err != nil {
			t.Fatal(err)
		}
		document := parse(t, `{"t":"`+strings.Repeat("a", 60_000)+`","items":[`+strings.Repeat(`"b",`, 15_000)+`"b"]}`)
		if _, _, err := evaluate(p, document); !errors.Is(err, jsonpath.ErrTooMuch) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// A text of too many digits for a number equals none, and is not read to its end to tell.
	p, err := jsonpath.Compile("$.items[?(@ == $.t)]")
	if err != nil {
		t.Fatal(err)
	}
	document := parse(t, `{"t":"`+strings.Repeat("1", 60_000)+`","items":[`+strings.Repeat(`1,`, 15_000)+`1]}`)
	if v, found, err := evaluate(p, document); err != nil || !found || len(v.(*jsonpath.Array).Items) != 0 { //nolint:forcetypeassert // an indefinite path gives one
		t.Errorf("got %v, %v", found, err)
	}
}

// Where the dialects agree, ohler55/ojg finds the same. It keeps no order of members, so objects are compared as such.
func TestAgreesWithOjg(t *testing.T) {
	for _, path := range []string{
		"$.max", "$.store.book[0].title", "$.store.book[-1].author", "$.n[0:2]", "$.n[1:]", "$.n[-2:]", "$.n[*]", "$.n[0,2]",
		"$.store.book[*].price", "$.store.book[?(@.price < 10)].title", "$.store.book[?(@.isbn == null)].title",
		"$.store.book[?(@.category == 'fiction' && @.price < 10)].title", "$.nested[*][0]", "$.n[?(@ > 1)]",
		"$.store.book[?(@.category != 'fiction')].title", "$.store.book[?(@.author == 'Rees' || @.price > 9)].title",
	} {
		expression, err := jp.ParseString(path)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		document, err := oj.ParseString(shop)
		if err != nil {
			t.Fatal(err)
		}
		want := expression.Get(document)
		p, err := jsonpath.Compile(path)
		if err != nil {
			t.Fatal(err)
		}
		got := eval(t, shop, path)
		if p.Definite() {
			got = "[" + got + "]"
		}
		var a, b any
		if a, err = oj.ParseString(got); err == nil {
			b, err = oj.ParseString(oj.JSON(want))
		}
		if err != nil || oj.JSON(a, &oj.Options{Sort: true}) != oj.JSON(b, &oj.Options{Sort: true}) {
			t.Errorf("%s: got %s, ojg has %s (%v)", path, got, oj.JSON(want), err)
		}
	}
}

// FuzzEval never panics, keeps to its bounds, and says what is wrong with a path.
func FuzzEval(f *testing.F) {
	for _, path := range []string{
		"$..book[?(@.price < $.max && !(@.isbn =~ /a.*/i))].title", "$['a','b'][0,1][1:2][*]", "$..*.sum()", "a.b-c", `$[\"k\"]`,
		"$[?(@.a in ['x', 1, null])]", "$[?(@.a subsetof [1]) ]", "$[", "$[?(", "$[?(@ == {\"a\":1})]", "$.a.length()",
	} {
		f.Add(path, shop)
	}
	f.Fuzz(func(t *testing.T, path, document string) {
		p, err := jsonpath.Compile(path)
		if err != nil {
			var fault *jsonpath.PathError
			if !errors.As(err, &fault) || fault.Offset < 0 || fault.Offset > len(path) {
				t.Fatalf("%q: %v", path, err)
			}
			return
		}
		if len(document) > 4096 {
			return
		}
		root, err := jsonpath.Parse(document)
		if err != nil {
			return
		}
		v, found, err := evaluate(p, root)
		if err == nil && !p.Definite() {
			if list, ok := v.(*jsonpath.Array); !found || !ok || len(list.Items) > jsonpath.MaxVisits {
				t.Errorf("%q: got %v %v, want a list", path, v, found)
			}
		}
	})
}

func BenchmarkEval(b *testing.B) {
	root := parse(b, document(4096))
	for _, path := range []string{"$.user.name", "$.data.items[?(@.id < 5)].t"} {
		b.Run(path, func(b *testing.B) {
			p, err := jsonpath.Compile(path)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := evaluate(p, root); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
