package export

import (
	"fmt"
	"strings"
	"unicode"

	"cleat/internal/apigw"
)

// names are the logical IDs of the resources of one template, each given once.
type names struct{ taken map[string]bool }

// give returns a logical ID made of words and a kind: "send-message" and "Route" make SendMessageRoute.
func (n *names) give(words, kind string) string {
	base := pascal(words) + kind
	if base == "" || base[0] >= '0' && base[0] <= '9' {
		base = kind + base[:len(base)-len(kind)]
	}
	base = base[:min(len(base), 200)]
	id := base
	for i := 2; n.taken[id]; i++ {
		id = fmt.Sprintf("%s%d", base, i)
	}
	n.taken[id] = true
	return id
}

// pascal makes one word of letters and digits, each part of it with a capital letter.
func pascal(text string) string {
	var b strings.Builder
	up := true
	for _, r := range text {
		switch {
		case r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			if up {
				r = unicode.ToUpper(r)
			}
			b.WriteRune(r)
			up = false
		default:
			up = true
		}
	}
	return b.String()
}

// routeWord is what a route is called in logical IDs.
func routeWord(key string) string {
	switch key {
	case apigw.RouteConnect, apigw.RouteDisconnect, apigw.RouteDefault:
		return key[1:]
	}
	return key
}
