package input

import (
	"strings"

	"cleat/internal/cfn"
)

// Nearest returns the known word that a misspelt one was most likely meant to be, "" when none is near.
func Nearest(word string, known []string) string {
	if len(word) > 64 {
		return ""
	}
	best, bestAt := "", 1+min(2, len(word)/3)
	for _, k := range known {
		if strings.EqualFold(k, word) {
			return k
		}
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < bestAt {
			best, bestAt = k, d
		}
	}
	return best
}

// DidYouMean is the end of a sentence that names the nearest known word, if there is one.
func DidYouMean(word string, known []string) string {
	if k := Nearest(word, known); k != "" {
		return "; did you mean " + k + "?"
	}
	return ""
}

// Suggest is the end of a sentence that names the nearest known word, or all of them when they are few.
func Suggest(word string, known []string) string {
	if hint := DidYouMean(word, known); hint != "" || len(known) == 0 || len(known) > 20 {
		return hint
	}
	return "; known are " + strings.Join(known, ", ")
}

// distance is the edit distance of two words, a swap of neighbours counting as one.
func distance(a, b string) int {
	if n := len(a) - len(b); n > 3 || n < -3 {
		return 4
	}
	var before []int
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev = prev, row
	}
	return prev[len(b)]
}

// Misspelt is the end of a sentence that says that a key is missing: it names the key that was meant for it.
func Misspelt(m *cfn.Value, key string) string {
	if !m.Is(cfn.Map) {
		return ""
	}
	for _, e := range m.Keys {
		if Nearest(e.Key, []string{key}) != "" {
			return "; is " + e.Key + " (" + e.Place.String() + ") a misspelling of it?"
		}
	}
	return ""
}
