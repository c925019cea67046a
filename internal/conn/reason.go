package conn

import "cleat/internal/frame"

// CloseReason is how a connection ended, as its $disconnect event shows it (spec data-plane §3.3) and, where it was
// this side that ended it, as its close frame says it.
type CloseReason struct {
	Code  int    // disconnectStatusCode
	Text  string // disconnectReason
	Label string // for metrics: one of a bounded set
}

// The reasons of the Hub itself (spec data-plane §3.1 to §3.3). A client's own close frame makes a reason with its code
// and text and the label "client_close". Texts that nobody has seen on AWS (open-questions 21, 22) are all here.
var (
	reasonNoStatus    = CloseReason{frame.CodeNoStatus, "Client-side close frame status not set", "client_close"}
	reasonLost        = CloseReason{frame.CodeAbnormal, "Connection Closed Abnormally", "lost"}
	reasonSlow        = CloseReason{frame.CodeAbnormal, "Connection Closed Abnormally", "slow_reader"}
	reasonSilent      = CloseReason{frame.CodeAbnormal, "Connection Closed Abnormally", "ping_timeout"}
	reasonIdle        = CloseReason{frame.CodeGoingAway, "Going away", "idle"}
	reasonMaxDuration = CloseReason{frame.CodeGoingAway, "Going away", "max_duration"}
	reasonPanic       = CloseReason{frame.CodeInternalError, "Internal server error", "panic"}
	reasonEnded       = CloseReason{frame.CodeGoingAway, "Going away", "shutdown"}
)

// The reasons that callers give to Disconnect and Shutdown.
var (
	// ReasonDeleted belongs to DELETE @connections/{id}.
	ReasonDeleted = CloseReason{frame.CodeNormal, "Connection Closed Normally", "deleted"}
	// ReasonShutdown belongs to the node's orderly end, and to the end of a stage or an API.
	ReasonShutdown = reasonEnded
)

// reasonOf is the reason of a client's own close frame.
func reasonOf(ev frame.Event) CloseReason {
	if ev.Code == frame.CodeNoStatus {
		return reasonNoStatus
	}
	return CloseReason{ev.Code, ev.Reason, "client_close"}
}

// reasonFor is the reason of a connection that is closed for what its client sent.
func reasonFor(err *frame.Error) CloseReason {
	switch err.Code {
	case frame.CodeUnsupportedData:
		return CloseReason{err.Code, "Binary payloads unsupported", "binary"}
	case frame.CodeInvalidPayload:
		return CloseReason{err.Code, "Invalid frame payload data", "invalid_payload"}
	case frame.CodeMessageTooBig:
		return CloseReason{err.Code, "Message Too Big", "too_big"}
	}
	return CloseReason{frame.CodeProtocolError, "Protocol error", "protocol_error"}
}
