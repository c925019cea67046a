package scenario

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Unescape reads the escapes of a text that stands for bytes: \r \n \t \\ \" and \xNN. Placeholders are left alone.
func Unescape(text string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			b.WriteByte(text[i])
			continue
		}
		if i++; i == len(text) {
			return "", errors.New("a backslash at the end escapes nothing")
		}
		switch text[i] {
		case 'r':
			b.WriteByte('\r')
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case '\\', '"':
			b.WriteByte(text[i])
		case 'x':
			if i+2 >= len(text) {
				return "", errors.New(`\x needs two hexadecimal digits`)
			}
			n, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
			if err != nil {
				return "", fmt.Errorf(`\x%s is not a byte in hexadecimal`, text[i+1:i+3])
			}
			b.WriteByte(byte(n))
			i += 2
		default:
			return "", fmt.Errorf(`unknown escape \%c: there are \r \n \t \\ \" and \xNN`, text[i])
		}
	}
	return b.String(), nil
}

// Escape is the reverse of Unescape, for messages: printable ASCII and valid UTF-8 stay.
func Escape(b string) string {
	q := strconv.Quote(b)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

// Frame is a WebSocket frame as a script's "frame" describes it, right or wrong.
type Frame struct {
	Final   bool
	Opcode  byte
	RSV     byte // the three reserved bits, as a number of 0 to 7
	Masked  bool
	Length  int64  // what the header says; -1: the payload's
	Payload string // placeholders are still in it
}

// opcodes are RFC 6455 §5.2's.
var opcodes = map[string]byte{"continuation": 0, "text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10}

// ParseFrame reads "[more] [unmasked] [rsv N] [length N] OPCODE [PAYLOAD]". OPCODE is a name or a number; the payload has
// escapes.
func ParseFrame(text string) (Frame, error) {
	f := Frame{Final: true, Masked: true, Length: -1}
	for {
		word, rest, _ := strings.Cut(text, " ")
		number := func() (n int64, err error) {
			var digits string
			digits, rest, _ = strings.Cut(rest, " ")
			if n, err = strconv.ParseInt(digits, 10, 63); err != nil || n < 0 {
				return 0, fmt.Errorf("%s needs a number, not %q", word, digits)
			}
			return n, nil
		}
		switch word {
		case "more":
			f.Final = false
		case "unmasked":
			f.Masked = false
		case "rsv":
			n, err := number()
			if err != nil || n > 7 {
				return f, errors.New("rsv is the three reserved bits as a number from 0 to 7")
			}
			f.RSV = byte(n) //nolint:gosec // G115: at most 7
		case "length":
			n, err := number()
			if err != nil {
				return f, err
			}
			f.Length = n
		default:
			op, ok := opcodes[word]
			if n, err := strconv.ParseUint(word, 10, 4); err == nil {
				op, ok = byte(n), true
			}
			if !ok {
				return f, fmt.Errorf("%q is not an opcode: continuation, text, binary, close, ping, pong or a number up to 15", word)
			}
			var err error
			f.Opcode = op
			f.Payload, err = Unescape(rest)
			return f, err
		}
		text = rest
	}
}
