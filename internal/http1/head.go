package http1

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// Field is one header line, in its sender's spelling.
type Field struct{ Name, Value string }

// Head is the head of a plain request. Its strings share one piece of memory.
type Head struct {
	Method string
	Target string // in origin-form (RFC 9112 §3.2.1)
	Host   string
	// Fields are all header lines in order, Host included.
	Fields []Field
	// ContentLength is the length of the body, zero without one.
	ContentLength int64
	// Close says that the client wants the connection to end with the answer.
	Close bool
	// Line is the length of the request line in bytes, without its end.
	Line int

	url url.URL
}

// Verdict is what Parse finds.
type Verdict int

// Verdicts.
const (
	// Plain is a whole head that Serve serves.
	Plain Verdict = iota
	// Partial is the beginning of what may become a plain head.
	Partial
	// Odd is anything else: unusual, or wrong, or no HTTP at all.
	Odd
)

const (
	// MaxBody bounds the body of a plain request. It lies below the 256 KB that net/http reads of a body which a handler
	// left unread, so that what becomes of a larger remainder is never the question here.
	MaxBody = 256<<10 - 1

	maxFields = 64
	maxDigits = 6 // of a Content-Length: MaxBody has as many
)

// Parse reads the head at the beginning of b, and says how many bytes it has, its empty line included. It is meant to
// be stricter than any other reader of HTTP that stands in front of or behind this one, so that nobody reads a message
// differently (RFC 9112 §11.2):
//
//   - every line ends in CR LF, and neither of them occurs elsewhere;
//   - one blank between the parts of the request line, a method of everyday use, a target in origin-form whose path does
//     not begin with two slashes, of the characters of RFC 3986 and sound escapes alone, HTTP/1.1;
//   - names are tokens with a colon right behind, values are printable ASCII with blanks and tabs, no line continues
//     another, and there are at most 64;
//   - one Host, which is not empty and has nothing but a name or address and a port;
//   - at most one Content-Length, of digits alone, up to MaxBody; no Transfer-Encoding, Trailer or Expect;
//   - Connection is a list of tokens;
//   - no Pragma without Cache-Control, of which net/http would make one.
//
// Beginnings are judged line by line: b is Odd as soon as a whole line is.
func Parse(b []byte) (h Head, n int, v Verdict) {
	n, v = h.parse(b)
	if v != Plain {
		h = Head{}
	}
	return h, n, v
}

// parse is Parse into memory that is there. What h is otherwise than with Plain means nothing.
func (h *Head) parse(b []byte) (n int, v Verdict) {
	*h = Head{Fields: h.Fields[:0]}
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		// The last piece may be a part of a line.
		whole := bytes.LastIndexByte(b, '\n') + 1
		if bytes.HasPrefix(b, []byte("\r\n")) || !h.read(string(b[:whole]), false) {
			return 0, Odd
		}
		return 0, Partial
	}
	if !h.read(string(b[:end+len("\r\n")]), true) {
		return 0, Odd
	}
	return end + len("\r\n\r\n"), Plain
}

// read reads lines; whole says that they are all there are.
func (h *Head) read(lines string, whole bool) bool {
	line, rest, ok := strings.Cut(lines, "\r\n")
	if !ok {
		return !whole && lines == ""
	}
	if !h.readLine(line) {
		return false
	}
	h.Line = len(line)
	if strings.Count(rest, "\n") > maxFields {
		return false
	}
	var seen special
	for rest != "" {
		if line, rest, ok = strings.Cut(rest, "\r\n"); !ok || !h.readField(line, &seen) {
			return false
		}
	}
	return !whole || h.Host != "" && (!seen.pragma || seen.cacheControl)
}

// readLine reads the request line.
func (h *Head) readLine(line string) bool {
	method, rest, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(rest, " ")
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodOptions:
	default:
		return false
	}
	if version != "HTTP/1.1" || !isOriginForm(target) {
		return false
	}
	h.Method, h.Target = method, target
	return h.readTarget(target)
}

// readTarget is url.ParseRequestURI of a target in origin-form, which has neither scheme nor authority.
func (h *Head) readTarget(target string) bool {
	path, query, asks := strings.Cut(target, "?")
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return false
	}
	h.url = url.URL{Path: decoded, RawQuery: query, ForceQuery: asks && query == ""}
	if h.url.EscapedPath() != path {
		h.url.RawPath = path // an escaping other than the one that url.URL would choose
	}
	return true
}

// special is what was seen of the fields that may come once or mean something.
type special struct{ length, pragma, cacheControl bool }

func (h *Head) readField(line string, seen *special) bool {
	name, value, ok := strings.Cut(line, ":")
	if !ok || !isName(name) {
		return false
	}
	value = strings.Trim(value, " \t")
	if !isValue(value) {
		return false
	}
	h.Fields = append(h.Fields, Field{name, value})
	switch len(name) {
	case len("Host"):
		if strings.EqualFold(name, "Host") {
			if h.Host != "" || !isHost(value) {
				return false
			}
			h.Host = value
		}
	case len("Expect"): // and Pragma
		seen.pragma = seen.pragma || strings.EqualFold(name, "Pragma")
		return !strings.EqualFold(name, "Expect")
	case len("Trailer"):
		return !strings.EqualFold(name, "Trailer")
	case len("Connection"):
		return !strings.EqualFold(name, "Connection") || h.readConnection(value)
	case len("Cache-Control"):
		seen.cacheControl = seen.cacheControl || strings.EqualFold(name, "Cache-Control")
	case len("Content-Length"):
		if strings.EqualFold(name, "Content-Length") {
			if seen.length || !h.readLength(value) {
				return false
			}
			seen.length = true
		}
	case len("Transfer-Encoding"):
		return !strings.EqualFold(name, "Transfer-Encoding")
	}
	return true
}

func (h *Head) readLength(digits string) bool {
	if digits == "" || len(digits) > maxDigits {
		return false
	}
	for i := range len(digits) {
		c := digits[i]
		if c < '0' || c > '9' {
			return false
		}
		h.ContentLength = h.ContentLength*10 + int64(c-'0')
	}
	return h.ContentLength <= MaxBody
}

func (h *Head) readConnection(list string) bool {
	for item := range strings.SplitSeq(list, ",") {
		token := strings.Trim(item, " \t")
		if !isName(token) {
			return false
		}
		if strings.EqualFold(token, "close") {
			h.Close = true
		}
	}
	return true
}

// Sets of bytes.
const (
	inName   = 1 << iota // tchar (RFC 9110 §5.6.2)
	inValue              // VCHAR, blank and tab
	inTarget             // what may stand in a path and a query (RFC 3986 §3.3, §3.4), escapes apart
	inHost               // what may stand in a Host (RFC 3986 §3.2.2), as far as anybody uses it
)

var sets = func() (t [256]byte) {
	add := func(set byte, chars string) {
		for i := range len(chars) {
			t[chars[i]] |= set
		}
	}
	const alnum = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	add(inName, alnum+"!#$%&'*+-.^_`|~")
	add(inTarget, alnum+"-._~!$&'()*+,;=:@/?%")
	add(inHost, alnum+"-._:[]")
	add(inValue, "\t")
	for c := byte(' '); c < 0x7f; c++ {
		t[c] |= inValue
	}
	return t
}()

func all(s string, set byte) bool {
	for i := range len(s) {
		if sets[s[i]]&set == 0 {
			return false
		}
	}
	return true
}

func isName(s string) bool  { return s != "" && all(s, inName) }
func isValue(s string) bool { return all(s, inValue) }
func isHost(s string) bool  { return s != "" && all(s, inHost) }
func isOriginForm(s string) bool {
	return strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//") && all(s, inTarget)
}

// canonical are the canonical forms of names as clients spell them: net/textproto would make each anew.
var canonical = func() map[string]string {
	m := map[string]string{}
	for _, name := range []string{
		"Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control", "Connection", "Content-Length", "Content-Type",
		"Cookie", "Host", "Origin", "Pragma", "Upgrade", "User-Agent", "Sec-WebSocket-Extensions", "Sec-WebSocket-Key",
		"Sec-WebSocket-Protocol", "Sec-WebSocket-Version", "X-Amz-Date", "X-Amz-Content-Sha256", "X-Amz-Security-Token",
		"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port",
		"amz-sdk-invocation-id", "amz-sdk-request", "x-amz-user-agent",
	} {
		c := textproto.CanonicalMIMEHeaderKey(name)
		m[name], m[strings.ToLower(name)], m[c] = c, c, c
	}
	return m
}()

// fill fills in the header as net/http has it: without Host. values are room for as many values as there are fields.
func (h *Head) fill(out http.Header, values []string) {
	for i, f := range h.Fields {
		name, ok := canonical[f.Name]
		if !ok {
			name = textproto.CanonicalMIMEHeaderKey(f.Name)
		}
		if name == "Host" {
			continue
		}
		if old, ok := out[name]; ok {
			out[name] = append(old, f.Value)
			continue
		}
		values[i] = f.Value
		out[name] = values[i : i+1 : i+1]
	}
}
