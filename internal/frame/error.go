package frame

import "strconv"

// Close codes of RFC 6455 §7.4.1 that this package decides on or that never travel.
const (
	CodeNormal          = 1000
	CodeGoingAway       = 1001
	CodeProtocolError   = 1002
	CodeUnsupportedData = 1003
	CodeNoStatus        = 1005 // the close frame had no code; never on the wire
	CodeAbnormal        = 1006 // there was no close frame; never on the wire
	CodeInvalidPayload  = 1007
	CodeMessageTooBig   = 1009
	CodeInternalError   = 1011
)

// Error is what a client did wrong, with the code to close its connection with. The package returns the same values
// each time, so an Error allocates nothing and may be compared.
type Error struct {
	Code int
	Text string
}

func (e *Error) Error() string { return "websocket " + strconv.Itoa(e.Code) + ": " + e.Text }

var (
	errReserved        = &Error{CodeProtocolError, "reserved bit set"}
	errOpcode          = &Error{CodeProtocolError, "unknown opcode"}
	errUnmasked        = &Error{CodeProtocolError, "frame is not masked"}
	errControlFragment = &Error{CodeProtocolError, "fragmented control frame"}
	errControlSize     = &Error{CodeProtocolError, "control frame longer than 125 bytes"}
	errLength          = &Error{CodeProtocolError, "length not in its shortest form"}
	errNoStart         = &Error{CodeProtocolError, "continuation without a message"}
	errNoEnd           = &Error{CodeProtocolError, "new message before the end of the last"}
	errCloseSize       = &Error{CodeProtocolError, "close payload of one byte"}
	errCloseCode       = &Error{CodeProtocolError, "close code not allowed"}
	errCloseText       = &Error{CodeInvalidPayload, "close reason is not UTF-8"}
	errText            = &Error{CodeInvalidPayload, "text is not UTF-8"}
	errDeflate         = &Error{CodeInvalidPayload, "compressed message cannot be inflated"}
	errBinary          = &Error{CodeUnsupportedData, "binary message"}
	errFrameSize       = &Error{CodeMessageTooBig, "frame too long"}
	errMessageSize     = &Error{CodeMessageTooBig, "message too long"}
)

// ValidCloseCode reports whether a peer may send this code in a close frame: those that RFC 6455 §7.4 and the IANA
// registry define for the wire, and the two ranges left to libraries and applications.
func ValidCloseCode(code int) bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014, code >= 3000 && code <= 4999:
		return true
	}
	return false
}
