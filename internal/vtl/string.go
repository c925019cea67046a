package vtl

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Java's strings are UTF-16: their lengths and places count its units.

// units is how long a string is in Java.
func units(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// slice is Java's substring, of legal places.
func (c call) slice(s string, from, to int) string {
	if ascii(s) {
		return s[from:to]
	}
	c.r.made(c.link.at, len(s))
	return string(utf16.Decode(utf16.Encode([]rune(s))[from:to]))
}

// offset makes a byte offset of a place, and place a place of an offset.
func offset(s string, place int) int {
	if ascii(s) {
		return place
	}
	for i, r := range s {
		if place <= 0 {
			return i
		}
		place -= utf16.RuneLen(r)
	}
	return len(s)
}

func place(s string, offset int) int {
	if offset < 0 {
		return offset
	}
	return units(s[:offset])
}

var stringMethods = map[string]method[string]{
	"length":  {0, 0, func(_ call, s string) any { return count(units(s)) }},
	"isEmpty": {0, 0, func(_ call, s string) any { return s == "" }},
	"equals": {1, 1, func(c call, s string) any {
		other, ok := c.args[0].(string)
		return ok && s == other || c.args[0] == missing{} && s == ""
	}},
	"equalsIgnoreCase": {1, 1, textArgument(func(_ call, s, other string) any { return strings.EqualFold(s, other) })},
	"compareTo":        {1, 1, textArgument(func(_ call, s, other string) any { return count(compareTo(s, other)) })},
	"compareToIgnoreCase": {1, 1, textArgument(func(_ call, s, other string) any {
		return count(compareTo(strings.ToLower(s), strings.ToLower(other)))
	})},
	"contains": {1, 1, textArgument(func(_ call, s, other string) any { return strings.Contains(s, other) })},
	"endsWith": {1, 1, textArgument(func(_ call, s, other string) any { return strings.HasSuffix(s, other) })},
	"concat": {1, 1, textArgument(func(c call, s, other string) any {
		c.r.made(c.link.at, len(s)+len(other))
		return s + other
	})},
	"startsWith": {1, 2, func(c call, s string) any {
		prefix, ok := c.text(0)
		from := 0
		if ok && len(c.args) == 2 {
			from, ok = c.int(1)
		}
		if !ok {
			return nil
		}
		if from < 0 || from > units(s) {
			return false
		}
		return strings.HasPrefix(s[offset(s, from):], prefix)
	}},
	"indexOf":     {1, 2, func(c call, s string) any { return c.indexOf(s) }},
	"lastIndexOf": {1, 1, textArgument(func(_ call, s, other string) any { return count(place(s, strings.LastIndex(s, other))) })},
	"substring": {1, 2, func(c call, s string) any {
		n := units(s)
		to := n
		from, ok := c.int(0)
		if ok && len(c.args) == 2 {
			to, ok = c.int(1)
		}
		if !ok {
			return nil
		}
		if from < 0 || to > n || from > to {
			c.fail("from %d to %d of a text of %d characters; ask length() first", from, to, n)
		}
		return c.slice(s, from, to)
	}},
	"charAt": {1, 1, func(c call, s string) any {
		i, ok := c.int(0)
		if !ok {
			return nil
		}
		if n := units(s); i < 0 || i >= n {
			c.fail("character %d of a text of %d characters; ask length() first", i, n)
		}
		return c.slice(s, i, i+1)
	}},
	"replace": {2, 2, func(c call, s string) any {
		from, ok := c.text(0)
		to, ok2 := c.text(1)
		if !ok || !ok2 {
			return nil
		}
		c.r.made(c.link.at, len(s)+strings.Count(s, from)*max(0, len(to)-len(from)))
		return strings.ReplaceAll(s, from, to)
	}},
	"replaceAll":   {2, 2, func(c call, s string) any { return c.replace(s, -1) }},
	"replaceFirst": {2, 2, func(c call, s string) any { return c.replace(s, 1) }},
	"matches":      {1, 1, func(c call, s string) any { return c.matches(s) }},
	"split":        {1, 2, func(c call, s string) any { return c.split(s) }},
	"toLowerCase":  {0, 0, func(c call, s string) any { return c.changed(strings.ToLower(s)) }},
	"toUpperCase":  {0, 0, func(c call, s string) any { return c.changed(strings.ToUpper(s)) }},
	"trim": {0, 0, func(c call, s string) any {
		return c.changed(strings.TrimFunc(s, func(r rune) bool { return r <= ' ' }))
	}},
	"hashCode": {0, 0, func(c call, s string) any { return hashCode(s) }},
}

// textArgument makes a method of one string.
func textArgument(do func(c call, s, other string) any) func(call, string) any {
	return func(c call, s string) any {
		other, ok := c.text(0)
		if !ok {
			return nil
		}
		c.r.step(c.link.at, (len(s)+len(other))/bytesPerStep)
		return do(c, s, other)
	}
}

func (c call) changed(s string) any {
	c.r.made(c.link.at, len(s))
	return s
}

// indexOf takes a text or a character's code, and perhaps where to begin.
func (c call) indexOf(s string) any {
	what, ok := c.text(0)
	if code, isCode := c.int(0); isCode {
		what, ok = string(rune(code)), true //nolint:gosec // G115: intOf gives 32 bits
	}
	from := 0
	if ok && len(c.args) == 2 {
		from, ok = c.int(1)
	}
	if !ok {
		return nil
	}
	c.r.step(c.link.at, len(s)/bytesPerStep)
	start := min(offset(s, max(from, 0)), len(s))
	i := strings.Index(s[start:], what)
	if i < 0 {
		return count(-1)
	}
	return count(place(s, start+i))
}

// compareTo is Java's: the difference of the first units that differ, or of the lengths.
func compareTo(a, b string) int {
	x, y := utf16.Encode([]rune(a)), utf16.Encode([]rune(b))
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return int(x[i]) - int(y[i])
		}
	}
	return len(x) - len(y)
}

func hashCode(s string) int32 {
	var h int32
	for _, u := range utf16.Encode([]rune(s)) {
		h = 31*h + int32(u)
	}
	return h
}
