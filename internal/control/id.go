package control

import (
	"crypto/rand"
	"crypto/sha256"
	"math/big"
	"strings"
)

// Lengths of identifiers (spec control-plane §1.3).
const (
	apiIDLength = 10
	idLength    = 7
)

// idFrom derives an identifier of letters and digits from what makes a thing itself, so that it survives a restart.
func idFrom(length int, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return base36(sum[:], length)
}

// newID returns a random identifier.
func newID(length int) string {
	var b [16]byte
	rand.Read(b[:])
	return base36(b[:], length)
}

func base36(b []byte, length int) string {
	text := new(big.Int).SetBytes(b).Text(36)
	if missing := length - len(text); missing > 0 { // as good as never
		text = strings.Repeat("0", missing) + text
	}
	return text[len(text)-length:]
}
