package listen

import (
	"crypto/sha1" //nolint:gosec // RFC 6455 §4.2.2 prescribes SHA-1; no secret depends on it
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"cleat/internal/apigw"
)

// Upgrade is what a handshake asked for.
type Upgrade struct {
	// Key is Sec-WebSocket-Key as it came; AppendSwitching answers it.
	Key string
	// Protocols are the offered subprotocols in the client's order; nil when it offered none. The gateway never picks
	// one by itself (spec data-plane §2.1).
	Protocols []string
	// Deflate is for AgreeDeflate to fill in, where compression is on.
	Deflate Deflate
}

// acceptGUID is the constant of RFC 6455 §1.3.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// keySize is the length of a decoded Sec-WebSocket-Key (RFC 6455 §4.1 item 7).
const keySize = 16

// maxProtocols bounds the offered subprotocols that are read. The header limit bounds their bytes.
const maxProtocols = 64

// CheckUpgrade checks a request against RFC 6455 §4.2.1. Its errors are *apigw.Error:
//
//   - KindRequestURITooLong: the URL has more than apigw.QuotaHandshakeURL characters;
//   - KindHeaderTooLarge: the head has more than apigw.QuotaHandshakeHeader bytes, as headSize counts them;
//   - KindUpgradeRequired: not an upgrade to WebSocket at all, or a version other than 13. The answer needs the headers
//     that SetUpgradeHeaders sets;
//   - KindBadRequest: an upgrade to WebSocket with something wrong about it.
//
// Offered extensions are not looked at (spec data-plane §2.2): see AgreeDeflate.
func CheckUpgrade(r *http.Request) (Upgrade, error) {
	if len("wss://")+len(r.Host)+len(r.RequestURI) > apigw.QuotaHandshakeURL {
		return Upgrade{}, &apigw.Error{Kind: apigw.KindRequestURITooLong}
	}
	if headSize(r) > apigw.QuotaHandshakeHeader {
		return Upgrade{}, &apigw.Error{Kind: apigw.KindHeaderTooLarge}
	}
	if !hasToken(r.Header, "Upgrade", "websocket") {
		return Upgrade{}, upgradeRequired("no upgrade to websocket")
	}
	if r.Method != http.MethodGet {
		return Upgrade{}, badUpgrade("A WebSocket handshake must be a GET request")
	}
	if !r.ProtoAtLeast(1, 1) {
		return Upgrade{}, badUpgrade("A WebSocket handshake must be HTTP/1.1")
	}
	if r.Host == "" {
		return Upgrade{}, badUpgrade("A WebSocket handshake must have a Host header")
	}
	if !hasToken(r.Header, "Connection", "upgrade") {
		return Upgrade{}, badUpgrade("The Connection header must have the token Upgrade")
	}
	if v := r.Header["Sec-Websocket-Version"]; len(v) != 1 || v[0] != "13" {
		return Upgrade{}, upgradeRequired(fmt.Sprintf("WebSocket version %q", v))
	}
	keys := r.Header["Sec-Websocket-Key"]
	if len(keys) != 1 {
		return Upgrade{}, badUpgrade("There must be one Sec-WebSocket-Key header")
	}
	if !isKey(keys[0]) {
		return Upgrade{}, badUpgrade("Sec-WebSocket-Key must be 16 bytes in base64")
	}
	protocols, err := offered(r.Header["Sec-Websocket-Protocol"])
	if err != nil {
		return Upgrade{}, err
	}
	if r.ContentLength != 0 {
		// What follows the head are frames, so a body could not be told from them.
		return Upgrade{}, badUpgrade("A WebSocket handshake must not have a body")
	}
	return Upgrade{Key: keys[0], Protocols: protocols}, nil
}

// isKey tells whether a text is keySize bytes in base64 (RFC 6455 §4.2.1 item 5).
func isKey(text string) bool {
	var in [24]byte // which is how many characters they take
	if len(text) != len(in) {
		// Line ends may stand between them as far as the decoder is concerned, but not in a header.
		return false
	}
	copy(in[:], text)
	var key [keySize + 2]byte // as much as the decoder may write
	n, err := base64.StdEncoding.Decode(key[:], in[:])
	return err == nil && n == keySize
}

// IsUpgrade tells whether a request means to be a WebSocket handshake, well formed or not.
func IsUpgrade(r *http.Request) bool {
	return r.Method == http.MethodGet && hasToken(r.Header, "Upgrade", "websocket") && hasToken(r.Header, "Connection", "upgrade")
}

// SetUpgradeHeaders sets what an answer of KindUpgradeRequired must bear: the protocol and version to come back with
// (RFC 9110 §15.5.22, RFC 6455 §4.2.2).
func SetUpgradeHeaders(h http.Header) {
	h["Sec-WebSocket-Version"] = []string{"13"}
	h["Upgrade"] = []string{"websocket"}
	h["Connection"] = []string{"Upgrade"}
}

func upgradeRequired(cause string) error {
	return &apigw.Error{Kind: apigw.KindUpgradeRequired, Err: errors.New(cause)}
}

func badUpgrade(message string) error {
	return &apigw.Error{Kind: apigw.KindBadRequest, Message: message}
}

// offered reads the Sec-WebSocket-Protocol lines: tokens, each at most once (RFC 6455 §4.1 item 10).
func offered(lines []string) ([]string, error) {
	var out []string
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			p := strings.Trim(part, " \t")
			switch {
			case p == "":
				continue // RFC 9110 §5.6.1: empty list elements are ignored
			case !isToken(p):
				return nil, badUpgrade("Sec-WebSocket-Protocol must be a list of tokens")
			case slices.Contains(out, p):
				return nil, badUpgrade("Sec-WebSocket-Protocol must not name a subprotocol twice")
			case len(out) == maxProtocols:
				return nil, badUpgrade("Sec-WebSocket-Protocol names too many subprotocols")
			}
			out = append(out, p)
		}
	}
	return out, nil
}

// hasToken tells whether a list header has a token, without regard to the case of ASCII letters: the signs beyond that fold
// to them are longer.
func hasToken(h http.Header, name, token string) bool {
	for _, line := range h[name] {
		for part := range strings.SplitSeq(line, ",") {
			if part = strings.Trim(part, " \t"); len(part) == len(token) && strings.EqualFold(part, token) {
				return true
			}
		}
	}
	return false
}

// isToken tells whether s is a token of RFC 9110 §5.6.2.
func isToken(s string) bool {
	return s != "" && strings.IndexFunc(s, notInToken) < 0
}

func notInToken(c rune) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return false
	}
	return !strings.ContainsRune("!#$%&'*+-.^_`|~", c)
}

// isFieldValue tells whether s can stand in a header line without beginning another one (RFC 9110 §5.5).
func isFieldValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == 0x7f || (c < ' ' && c != '\t') {
			return false
		}
	}
	return true
}

// AppendSwitching appends the 101 answer to a handshake: the upgrade headers, Sec-WebSocket-Accept for the key, and
// Sec-WebSocket-Protocol unless subprotocol is empty. extra lines come last. Of all that a $connect integration
// returns, the subprotocol alone reaches the client (spec data-plane §2.1), and it comes from outside: one that is not
// a token is an error, as is an extra field that would break out of its line; dst is then returned as it was.
func AppendSwitching(dst []byte, key, subprotocol string, extra ...apigw.Field) ([]byte, error) {
	if subprotocol != "" && !isToken(subprotocol) {
		return dst, fmt.Errorf("subprotocol %q is not a token", subprotocol)
	}
	for _, f := range extra {
		if !isToken(f.Name) || !isFieldValue(f.Value) {
			return dst, fmt.Errorf("header %q with value %q cannot be sent", f.Name, f.Value)
		}
	}
	var room [64]byte
	sum := sha1.Sum(append(append(room[:0], key...), acceptGUID...)) //nolint:gosec // as at the import
	dst = slices.Grow(dst, 192)
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: "...)
	dst = base64.StdEncoding.AppendEncode(dst, sum[:])
	if subprotocol != "" {
		dst = append(append(dst, "\r\nSec-WebSocket-Protocol: "...), subprotocol...)
	}
	for _, f := range extra {
		dst = append(append(append(append(dst, "\r\n"...), f.Name...), ": "...), f.Value...)
	}
	return append(dst, "\r\n\r\n"...), nil
}
