package vtl

import (
	"encoding/base64"
	"net/url"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"cleat/internal/jsonpath"
)

// utilities is $util (spec mapping-templates §7).
type utilities struct{}

var utilMethods = map[string]method[utilities]{
	"escapeJavaScript": {1, 1, utility(func(_ call, s string) any { return escapeJavaScript(s) })},
	"parseJson": {1, 1, utility(func(c call, s string) any {
		v, err := jsonpath.Parse(s)
		if err != nil {
			c.fail("the text is not JSON: %v", err)
		}
		return v
	})},
	"urlEncode": {1, 1, utility(func(_ call, s string) any { return urlEncode(s) })},
	"urlDecode": {1, 1, utility(func(c call, s string) any {
		out, err := url.QueryUnescape(s)
		if err != nil {
			c.fail("%v", err)
		}
		return strings.ToValidUTF8(out, "\ufffd")
	})},
	"base64Encode": {1, 1, utility(func(_ call, s string) any { return base64.StdEncoding.EncodeToString([]byte(s)) })},
	"base64Decode": {1, 1, utility(func(c call, s string) any {
		out, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			if out, err = base64.RawStdEncoding.DecodeString(s); err != nil {
				c.fail("the text is not base64: %v", err)
			}
		}
		return strings.ToValidUTF8(string(out), "\ufffd")
	})},
}

// utility makes a function of one text; of null it makes null. Other values go in as they print.
func utility(do func(c call, s string) any) func(call, utilities) any {
	return func(c call, _ utilities) any {
		if c.args[0] == nil {
			return nil
		}
		s := c.r.string(c.link.at, c.args[0])
		c.r.made(c.link.at, 3*len(s))
		return do(c, s)
	}
}

const hexDigits = "0123456789ABCDEF"

// nothingToEscape reports whether a text has only characters that escapeJavaScript leaves alone, as most have.
func nothingToEscape(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > 0x7f || c == '"' || c == '\'' || c == '\\' || c == '/' {
			return false
		}
	}
	return true
}

// escapeJavaScript is that of commons-lang 2.6.
func escapeJavaScript(s string) string {
	if nothingToEscape(s) {
		return s
	}
	var out strings.Builder
	out.Grow(len(s) + len(s)/8 + 8)
	unicode := func(u uint16) {
		out.Write([]byte{'\\', 'u', hexDigits[u>>12], hexDigits[u>>8&0xf], hexDigits[u>>4&0xf], hexDigits[u&0xf]})
	}
	for i, r := range s {
		switch {
		case r == '"', r == '\'', r == '\\', r == '/' && escapesSlash:
			out.WriteByte('\\')
			out.WriteRune(r)
		case r == '\b':
			out.WriteString(`\b`)
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\t':
			out.WriteString(`\t`)
		case r == '\f':
			out.WriteString(`\f`)
		case r == '\r':
			out.WriteString(`\r`)
		case r < ' ' || r > 0x7f && escapesNonASCII && r <= 0xffff:
			unicode(uint16(r)) //nolint:gosec // G115: the case says so
		case r > 0x7f && escapesNonASCII:
			high, low := utf16.EncodeRune(r)
			unicode(uint16(high)) //nolint:gosec // G115: a surrogate
			unicode(uint16(low))  //nolint:gosec // G115: a surrogate
		default:
			_, size := utf8.DecodeRuneInString(s[i:])
			out.WriteString(s[i : i+size])
		}
	}
	return out.String()
}

// urlEncode is Java's URLEncoder: a blank is +, and letters, digits and . - * _ stay.
func urlEncode(s string) string {
	out := make([]byte, 0, len(s)+len(s)/4)
	for i := range len(s) {
		switch c := s[i]; {
		case letter(c), c >= '0' && c <= '9', c == '.', c == '-', c == '*', c == '_':
			out = append(out, c)
		case c == ' ':
			out = append(out, '+')
		default:
			out = append(out, '%', hexDigits[c>>4], hexDigits[c&0xf])
		}
	}
	return string(out)
}
