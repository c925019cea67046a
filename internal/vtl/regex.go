package vtl

import "cleat/internal/javaregexp"

// patternMethods take a regular expression as their first argument.
var patternMethods = map[string]bool{"replaceAll": true, "replaceFirst": true, "matches": true, "split": true}

func compilePattern(method, java string) (*javaregexp.Regexp, error) {
	if method == "matches" {
		return javaregexp.CompileWhole(java)
	}
	return javaregexp.Compile(java)
}

// pattern is the first argument, compiled. It counts the work of matching s.
func (c call) pattern(s string) (*javaregexp.Regexp, bool) {
	p := c.link.regex
	if p == nil {
		text, ok := c.text(0)
		if !ok {
			return nil, false
		}
		c.r.step(c.link.at, 64+len(text))
		var err error
		if p, err = compilePattern(c.link.name, text); err != nil {
			c.fail("%v", err)
		}
	}
	c.r.step(c.link.at, p.Cost()*(1+len(s)/bytesPerStep))
	return p, true
}

func (c call) matches(s string) any {
	p, ok := c.pattern(s)
	if !ok {
		return nil
	}
	return p.MatchString(s)
}

// replace is replaceAll and replaceFirst.
func (c call) replace(s string, most int) any {
	p, ok := c.pattern(s)
	text, ok2 := c.text(1)
	if !ok || !ok2 {
		return nil
	}
	by, err := p.Replacement(text)
	if err != nil {
		c.fail("%v", err)
	}
	out := p.Replace(s, by, most, maxOutput)
	c.r.made(c.link.at, len(out))
	return out
}

func (c call) split(s string) any {
	p, ok := c.pattern(s)
	limit := 0
	if ok && len(c.args) == 2 {
		limit, ok = c.int(1)
	}
	if !ok {
		return nil
	}
	parts := p.Split(s, limit)
	out := make([]any, len(parts))
	for i, part := range parts {
		out[i] = part
	}
	c.r.step(c.link.at, 2*len(out))
	return newList(out)
}
