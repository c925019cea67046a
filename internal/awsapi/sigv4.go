package awsapi

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"cleat/internal/apigw"
	"cleat/internal/percent"
)

// Signature Version 4, the parts that signing and verifying share. What is signed is built in two steps:
//
//	canonical request             string to sign
//	  METHOD                        AWS4-HMAC-SHA256
//	  /canonical/uri                20240312T205722Z
//	  a=1&b=2                       20240312/eu-west-1/execute-api/aws4_request
//	  host:example.com              hex(SHA-256(canonical request))
//	  x-amz-date:20240312T205722Z
//	                              signature
//	  host;x-amz-date               hex(HMAC(signing key, string to sign))
//	  hex(SHA-256(body))
//
// The signing key is HMAC(HMAC(HMAC(HMAC("AWS4"+secret, date), region), service), "aws4_request"): the same for a day, so
// it is kept.
const (
	sigv4Algorithm  = "AWS4-HMAC-SHA256"
	sigv4Terminator = "aws4_request"
	amzDateLayout   = "20060102T150405Z"

	// emptyHash is the SHA-256 of nothing.
	emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// The headers of Signature Version 4, as canonical headers spell them.
const (
	headerDate          = "x-amz-date"
	headerSecurityToken = "x-amz-security-token" //nolint:gosec // G101: a name, no credential
	headerContentHash   = "x-amz-content-sha256"
)

// Credentials sign requests to AWS. Their text shows the access key ID alone, so that no log can hold a secret.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string // of temporary credentials; else empty
}

// String names the credentials without their secrets.
func (c Credentials) String() string { return "credentials " + c.AccessKeyID }

// GoString is String, for %#v.
func (c Credentials) GoString() string { return c.String() }

// LogValue is String, for logs.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// SigV4 signs and verifies requests by Signature Version 4. It remembers signing keys, a bounded number of them. The zero
// value is ready; it is safe for concurrent use and must not be copied.
type SigV4 struct {
	mu   sync.RWMutex
	keys map[signingScope]*signingKey // guarded by mu
}

// signingScope is what a signing key is derived from.
type signingScope struct{ secret, date, region, service string }

// maxSigningKeys bounds the memory of a SigV4. There is one key a day, region and service for each secret in use.
const maxSigningKeys = 1024

func (s *SigV4) signingKey(scope signingScope) *signingKey {
	s.mu.RLock()
	key, ok := s.keys[scope]
	s.mu.RUnlock()
	if ok {
		return key
	}
	key = &signingKey{}
	step := []byte("AWS4" + scope.secret)
	for _, part := range []string{scope.date, scope.region, scope.service, sigv4Terminator} {
		h := hmac.New(sha256.New, step)
		h.Write([]byte(part))
		step = h.Sum(nil)
	}
	copy(key.bytes[:], step)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil || len(s.keys) >= maxSigningKeys {
		s.keys = map[signingScope]*signingKey{} // those still in use come back at once
	}
	s.keys[scope] = key
	return key
}

// signingKey is a derived key. It is safe for concurrent use.
type signingKey struct {
	bytes [sha256.Size]byte
	macs  sync.Pool // of *keyedMAC, which have taken the key in: half of what a short text costs
}

type keyedMAC struct {
	hash.Hash

	sum [sha256.Size]byte
}

// appendMAC appends the MAC of a text in hex.
func (k *signingKey) appendMAC(dst, text []byte) []byte {
	m, ok := k.macs.Get().(*keyedMAC)
	if ok {
		m.Reset()
	} else {
		m = &keyedMAC{Hash: hmac.New(sha256.New, k.bytes[:])}
	}
	_, _ = m.Write(text) // never fails (hash.Hash)
	dst = hex.AppendEncode(dst, m.Sum(m.sum[:0]))
	k.macs.Put(m)
	return dst
}

// appendStringToSign appends what is signed of a canonical request. scope's date begins date, which is the whole time.
func appendStringToSign(b, canonical []byte, date string, scope signingScope) []byte {
	b = append(b, sigv4Algorithm+"\n"...)
	b = append(b, date...)
	b = append(b, '\n')
	b = scope.append(b)
	b = append(b, '\n')
	sum := sha256.Sum256(canonical)
	return hex.AppendEncode(b, sum[:])
}

// append appends the credential scope, without the access key.
func (s signingScope) append(b []byte) []byte {
	for _, part := range []string{s.date, s.region, s.service} {
		b = append(b, part...)
		b = append(b, '/')
	}
	return append(b, sigv4Terminator...)
}

// hexHash is the SHA-256 of a body as signatures show it.
func hexHash(body []byte) string { return string(appendHexHash(nil, body)) }

func appendHexHash(dst, body []byte) []byte {
	if len(body) == 0 {
		return append(dst, emptyHash...)
	}
	sum := sha256.Sum256(body)
	return hex.AppendEncode(dst, sum[:])
}

// unreserved are the bytes that AWS never encodes.
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

func appendEncoded(dst []byte, c byte) []byte {
	const digits = "0123456789ABCDEF"
	return append(dst, '%', digits[c>>4], digits[c&15])
}

// appendCanonicalPath encodes every byte of a path but slashes and the unreserved ones. A path that is encoded already is
// thereby encoded twice, as all services but S3 want it. No path is the path "/".
func appendCanonicalPath(dst []byte, path string) []byte {
	if path == "" {
		return append(dst, '/')
	}
	for i := range len(path) {
		if c := path[i]; c == '/' || unreserved(c) {
			dst = append(dst, c)
		} else {
			dst = appendEncoded(dst, c)
		}
	}
	return dst
}

// pair is where a parameter lies in a buffer: name in [start, middle), value in [middle, end).
type pair struct{ start, middle, end int }

// appendCanonicalQuery sorts a raw query string's parameters and encodes them anew, leaving out those whose raw name is skip:
// another spelling of it would be a parameter that nobody signed. A parameter without "=" has an empty value. plus is what a raw "+" means: a blank in forms, itself in URIs.
func appendCanonicalQuery(dst []byte, raw, skip string, plus byte) []byte {
	if raw == "" {
		return dst
	}
	var room [32]pair // more parameters cost an allocation
	pairs := room[:0]
	text := make([]byte, 0, len(raw)+len(raw)/2)
	for part := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(part, "=")
		if part == "" || skip != "" && name == skip {
			continue
		}
		p := pair{start: len(text)}
		text = appendReencoded(text, name, plus)
		p.middle = len(text)
		text = appendReencoded(text, value, plus)
		p.end = len(text)
		pairs = append(pairs, p)
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(
			slices.Compare(text[a.start:a.middle], text[b.start:b.middle]),
			slices.Compare(text[a.middle:a.end], text[b.middle:b.end]))
	})
	for i, p := range pairs {
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = append(dst, text[p.start:p.middle]...)
		dst = append(dst, '=')
		dst = append(dst, text[p.middle:p.end]...)
	}
	return dst
}

// appendReencoded decodes s and encodes it in the one canonical way. A "%" that begins no escape stands for itself.
func appendReencoded(dst []byte, s string, plus byte) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch c {
		case '+':
			c = plus
		case '%':
			if escaped, ok := percent.Byte(s, i); ok {
				c = escaped
				i += percent.Len - 1
			}
		}
		if unreserved(c) {
			dst = append(dst, c)
		} else {
			dst = appendEncoded(dst, c)
		}
	}
	return dst
}

// appendCanonicalHeader appends the line of one header: its name in lower case, and its values in the order they came,
// joined by commas, without blanks at the ends and with one blank for several.
func appendCanonicalHeader(dst []byte, name string, headers apigw.Fields) []byte {
	dst = appendLower(dst, name)
	dst = append(dst, ':')
	first := true
	for _, f := range headers {
		if !strings.EqualFold(f.Name, name) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = appendTrimmed(dst, f.Value)
	}
	return append(dst, '\n')
}

func appendLower(dst []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

func appendTrimmed(dst []byte, s string) []byte {
	s = strings.Trim(s, " \t\r\n")
	blank := false
	for i := range len(s) {
		switch c := s[i]; c {
		case ' ', '\t', '\r', '\n':
			blank = true
		default:
			if blank {
				dst = append(dst, ' ')
			}
			blank = false
			dst = append(dst, c)
		}
	}
	return dst
}
