package draft

import (
	"crypto/rand"
	"crypto/sha256"
	"math/big"
	"strings"
)

// Lengths of identifiers in characters (spec control-plane §1.3).
const (
	APIIDLength = 10 // of APIs
	IDLength    = 7  // of what belongs to an API
)

// keyValueLength is that of the values of API keys that are given none, in characters.
const keyValueLength = 40

// NewID returns a random identifier of digits and small letters.
func NewID(length int) string {
	var b [16]byte
	rand.Read(b[:])
	return base36(b[:], length)
}

// DeriveID returns the identifier that the parts make, of digits and small letters. The same parts make the same, so that
// what is made of them anew keeps its identifier.
func DeriveID(length int, parts ...string) string {
	texts := make([][]byte, len(parts))
	for i := range parts {
		texts[i] = []byte(parts[i])
	}
	return deriveID(length, texts...)
}

// deriveID is DeriveID of parts that may be large.
func deriveID(length int, parts ...[]byte) string {
	sum := sha256.New()
	for i, part := range parts {
		if i > 0 {
			sum.Write([]byte{0})
		}
		sum.Write(part)
	}
	return base36(sum.Sum(nil), length)
}

// NewKeyValue makes the value of an API key that is given none.
func NewKeyValue() string {
	var b [32]byte
	rand.Read(b[:])
	return base36(b[:], keyValueLength)
}

// DeriveKeyValue is NewKeyValue of parts, of which one is a secret: the same parts make the same value.
func DeriveKeyValue(parts ...string) string { return DeriveID(keyValueLength, parts...) }

func base36(b []byte, length int) string {
	text := new(big.Int).SetBytes(b).Text(36)
	if missing := length - len(text); missing > 0 { // as good as never
		text = strings.Repeat("0", missing) + text
	}
	return text[len(text)-length:]
}
