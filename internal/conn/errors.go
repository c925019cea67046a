package conn

import (
	"errors"
	"fmt"

	"cleat/internal/apigw"
)

var (
	// ErrGone says that no such connection is open here: it ended, was never there, or belongs to another life of
	// this node.
	ErrGone error = &apigw.Error{Kind: apigw.KindGone, Err: errors.New("the connection is gone")}
	// ErrPending says that the connection's handshake is not answered yet. It is an ErrGone too, for that is what
	// AWS answers (spec data-plane §3).
	ErrPending error = &apigw.Error{Kind: apigw.KindGone, Err: fmt.Errorf("the handshake is not finished: %w", ErrGone)}
	// ErrBufferFull says that the client does not read as fast as it is sent to; nothing was sent.
	ErrBufferFull error = &apigw.Error{Kind: apigw.KindLimitExceeded, Err: errors.New("the connection's write queue is full")}
	// ErrTooLarge says that the payload is over Limits.MessageSize; nothing was sent.
	ErrTooLarge error = &apigw.Error{Kind: apigw.KindPayloadTooLarge, Err: errors.New("the message is too large")}
	// ErrFull says that this Hub holds as many connections as it may.
	ErrFull error = &apigw.Error{Kind: apigw.KindLimitExceeded, Err: errors.New("this node holds all the connections it may")}
	// ErrLost says that the client was gone before its handshake was answered.
	ErrLost = errors.New("the client was gone before its handshake was answered")
	// ErrShutdown says that this Hub takes no new connections any more.
	ErrShutdown = errors.New("the hub is shutting down")
)
