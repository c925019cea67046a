package javaregexp_test

import (
	"slices"
	"strings"
	"testing"

	"cleat/internal/javaregexp"
)

func compile(tb testing.TB, java string) *javaregexp.Regexp {
	tb.Helper()
	r, err := javaregexp.Compile(java)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// What Java's syntax means (java.util.regex.Pattern), each with a text that matches as a whole and one that does not.
func TestMeaning(t *testing.T) {
	t.Parallel()
	for java, tt := range map[string]struct{ match, other string }{
		`a+b*c?`:           {"aab", "b"},
		`[a-z&&]`:          {"", ""}, // refused
		`\s`:               {"\v", "\u00a0"},
		`\S`:               {"\u00a0", "\v"},
		`[\s]`:             {"\f", "x"},
		`\h`:               {"\u3000", "\n"},
		`\v`:               {"\u2028", " "},
		`\d\D\w\W`:         {"1a_-", "aa_-"},
		`\Qa.b\E.`:         {"a.bx", "axbx"},
		`\Q*`:              {"*", "a"},
		`\u00e9\x41\x{42}`: {"éAB", "eAB"},
		`\e`:               {"\x1b", "e"},
		`[a\-z]`:           {"-", "b"},
		`\p{Lower}\p{L}`:   {"aÉ", "AÉ"},
		`\P{Lower}`:        {"A", "a"},
		`[\p{Punct}]`:      {"`", "a"},
		`\p{IsAlphabetic}`: {"ß", "1"},
		`\pL`:              {"ß", "1"},
		`(?i)ab`:           {"AB", "AC"},
		`(?<n>a)|b`:        {"b", "c"},
		`x??`:              {"x", "xx"},
		`[^a]`:             {"b", "a"},
	} {
		r, err := javaregexp.CompileWhole(java)
		if tt == (struct{ match, other string }{}) {
			if err == nil {
				t.Errorf("%s: got no error", java)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", java, err)
			continue
		}
		if !r.MatchString(tt.match) || r.MatchString(tt.other) || r.Cost() <= 0 {
			t.Errorf("%s: got %q %v, %q %v; want true, false", java, tt.match, r.MatchString(tt.match), tt.other, r.MatchString(tt.other))
		}
	}
}

// What RE2 has not, or has otherwise, is refused by its name.
func TestRefused(t *testing.T) {
	t.Parallel()
	for java, want := range map[string]string{
		`(?=x)`:                   "a look-ahead (?=…) is not possible here",
		`(?!x)`:                   "a negative look-ahead",
		`(?<=x)`:                  "a look-behind",
		`(?<!x)`:                  "a negative look-behind",
		`(?>x)`:                   "an atomic group",
		`(?x)a`:                   `the flag "x" is not possible here`,
		`a++`:                     "a possessive quantifier",
		`[a[b]]`:                  "a class within a class",
		`[a-z&&[^b]]`:             "an intersection of classes",
		`(a)\1`:                   "a reference back to a group",
		`\k<n>`:                   "a reference back to a group",
		`\G`:                      `\G is not possible here`,
		`\`:                       `it ends in a \`,
		`\u12`:                    `\u needs 4 hexadecimal digits`,
		`\xg0`:                    `\x needs 2 hexadecimal digits`,
		`\p{L`:                    `\p{ has no }`,
		`\p{Nowhere}`:             "does not parse",
		`(`:                       "does not parse",
		`)|(`:                     "does not parse",
		strings.Repeat("a", 1001): "of more than 1000 characters",
		`((a{100}b){9}c{900}){1}d{900}e{900}f{900}g{900}h{900}`: "is too complex",
	} {
		for _, compile := range []func(string) (*javaregexp.Regexp, error){javaregexp.Compile, javaregexp.CompileWhole} {
			if _, err := compile(java); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%.40s: got %v, want %q", java, err, want)
			}
		}
	}
}

// Replacements are Java's (Matcher.appendReplacement).
func TestReplace(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		java, in, by string
		matches      int
		want         string
	}{
		"all":                  {`[0-9]+`, "a1b22c", "<$0>", -1, "a<1>b<22>c"},
		"first":                {`[0-9]+`, "a1b22c", "", 1, "ab22c"},
		"groups":               {`([a-z])([0-9])`, "a1b22c", "$2$1", -1, "1a2b2c"},
		"name":                 {`(?<l>[a-c])`, "ab", "${l}${l}", -1, "aabb"},
		"plain":                {`b`, "abc", `\$1\\`, -1, `a$1\c`},
		"as many digits as is": {`(b)`, "abc", "$12", -1, "ab2c"},
		"a group without part": {`(x)?b`, "abc", "[$1]", -1, "a[]c"},
		"of nothing":           {``, "ab", "-", -1, "-a-b-"},
		"over enough":          {`a`, "aaa", "xyz", -1, "xyzxyza"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := compile(t, tt.java)
			by, err := r.Replacement(tt.by)
			if err != nil {
				t.Fatal(err)
			}
			enough := 1000
			if name == "over enough" {
				enough = 5
			}
			if got := r.Replace(tt.in, by, tt.matches, enough); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	for by, want := range map[string]string{`\`: `ends in a \`, "$": "$ must be followed", "$2": "$ must be followed", "${": "$ must be followed", "${x}": "$ must be followed", "$x": "$ must be followed"} {
		if _, err := compile(t, "(a)").Replacement(by); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", by, err, want)
		}
	}
}

// String.split drops the empty texts at the end unless it is told otherwise.
func TestSplit(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		java, in string
		limit    int
		want     []string
	}{
		"no limit":   {",", ",a,,b,,", 0, []string{"", "a", "", "b"}},
		"limit":      {",", ",a,,b,,", 2, []string{"", "a,,b,,"}},
		"all":        {",", ",a,,b,,", -1, []string{"", "a", "", "b", "", ""}},
		"empty":      {",", "", 0, []string{""}},
		"each":       {"", "abc", 0, []string{"a", "b", "c"}},
		"only empty": {",", ",,", 0, []string{""}},
	} {
		if got := compile(t, tt.java).Split(tt.in, tt.limit); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

// FuzzCompile: whatever is written as a regular expression and as a replacement, nothing panics; a match that is replaced by
// itself changes nothing; the parts between matches are parts of the text.
func FuzzCompile(f *testing.F) {
	for _, java := range []string{`a+?[^\s\p{Punct}-z]\Qx*\E(?<n>b|\u00e9)`, `(?i-s:x)\x{41}\h`, `[\-\]&]`, `\pL\P{Lower}`, "", `x*`, `(?=`} {
		f.Add(java, "xab é,-]", `$0${n}\$`)
	}
	f.Fuzz(func(t *testing.T, java, text, by string) {
		if len(text) > 4<<10 {
			return
		}
		whole, err := javaregexp.CompileWhole(java)
		r, err2 := javaregexp.Compile(java)
		if err == nil && err2 != nil { // the other way round one may be too complex
			t.Errorf("%q: got %v for a part of a text alone", java, err2)
		}
		if err != nil || err2 != nil {
			return
		}
		if whole.MatchString(text) && !r.MatchString(text) {
			t.Errorf("%q matches all of %q and no part of it", java, text)
		}
		self, err := r.Replacement("$0")
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Replace(text, self, -1, 1<<20); got != text {
			t.Errorf("%q on %q, replaced by itself: got %q", java, text, got)
		}
		if other, err := r.Replacement(by); err == nil {
			r.Replace(text, other, -1, 1<<20)
		}
		for _, part := range r.Split(text, -1) {
			if !strings.Contains(text, part) {
				t.Errorf("%q splits %q into %q", java, text, part)
			}
		}
	})
}
