// Package glob matches texts with patterns such as "billing-*": of functions' names and of files' names.
package glob

// Match reports whether a text fits a pattern, in which * stands for any text and ? for any one byte. Every text is a
// pattern. It takes no more steps than the lengths of both multiplied: on a mismatch the last * takes one byte more.
func Match(pattern, s string) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
