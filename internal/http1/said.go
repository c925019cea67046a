package http1

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// said is what an answer's header said when WriteHeader was called. Its lines are written down at once, for the handler
// may change its header afterwards and must not change the answer; those that framing may take away again are marked.
type said struct {
	connection, contentLength, kind, coding line

	date      bool // there is a Date
	encoded   bool // there is a Content-Encoding
	saysClose bool // Connection lists close
	switches  bool // it is the answer to a successful Upgrade
}

// line is a header line, or several of one name.
type line struct {
	there    bool
	value    string // of the first
	from, to int    // of the bytes that hold them all
}

// dropped are the lines that framing takes away.
type dropped struct{ connection, contentLength, kind, coding bool }

// appendHead appends the status line and the header lines, sorted by name.
func (s *said) appendHead(out []byte, status int, header http.Header) []byte {
	out = appendStatus(out, status)
	var room [16]string
	names := room[:0]
	for name := range header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		values, from := header[name], len(out)
		if isName(name) {
			for _, value := range values {
				out = append(append(append(append(out, name...), ": "...), oneLine(value)...), "\r\n"...)
			}
		}
		first := ""
		if len(values) > 0 {
			first = values[0]
		}
		l := line{true, first, from, len(out)}
		switch name {
		case "Connection":
			s.connection = l
			s.saysClose = isListed(first, "close")
		case "Content-Length":
			s.contentLength = l
		case "Content-Type":
			s.kind = l
		case "Transfer-Encoding":
			s.coding = l
		case "Date":
			s.date = true
		case "Content-Encoding":
			s.encoded = first != ""
		}
	}
	s.switches = status == http.StatusSwitchingProtocols && header.Get("Upgrade") != "" && isListed(strings.Join(header["Connection"], ","), "upgrade")
	return out
}

// drop takes lines away. They stand in the order of their names, so the last goes first.
func (s *said) drop(out []byte, d dropped) []byte {
	cut := func(yes bool, l line) {
		if yes && l.there {
			out = slices.Delete(out, l.from, l.to)
		}
	}
	cut(d.coding, s.coding)
	cut(d.kind, s.kind)
	cut(d.contentLength, s.contentLength)
	cut(d.connection, s.connection)
	return out
}

// oneLine is a value that cannot begin another line.
func oneLine(v string) string {
	if strings.ContainsAny(v, "\r\n") {
		v = lineEnds.Replace(v)
	}
	return strings.Trim(v, " \t")
}

var lineEnds = strings.NewReplacer("\n", " ", "\r", " ")

func appendStatus(out []byte, status int) []byte {
	out = strconv.AppendInt(append(out, "HTTP/1.1 "...), int64(status), 10)
	if text := http.StatusText(status); text != "" {
		out = append(append(out, ' '), text...)
	} else {
		out = strconv.AppendInt(append(out, " status code "...), int64(status), 10)
	}
	return append(out, "\r\n"...)
}

// second is a Date and the second that it says.
type second struct {
	at   int64
	text string
}

var lastSecond atomic.Pointer[second]

// dateNow is the value of Date (RFC 9110 §6.6.1), formatted once a second.
func dateNow() string {
	now := time.Now()
	at := now.Unix()
	if s := lastSecond.Load(); s != nil && s.at == at {
		return s.text
	}
	s := &second{at, now.UTC().Format(http.TimeFormat)}
	lastSecond.Store(s)
	return s.text
}
