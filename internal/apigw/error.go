package apigw

import "errors"

// Kind is the closed set of ways in which a request can fail. Package awsapi alone maps a Kind to a status, an error
// type and a body; data-plane §2 and §6 and management-api §4 of the spec say which is which.
type Kind int

// The kinds. KindInternal is also what an error without a kind counts as.
const (
	KindInternal Kind = iota
	KindBadRequest
	KindUnauthorized
	KindForbidden
	KindAccessDenied
	KindMissingAuthenticationToken
	KindNotFound
	KindConflict
	KindGone
	KindPayloadTooLarge
	KindInvalidRequestBody
	KindUnsupportedMediaType
	KindTooManyRequests     // throttled
	KindLimitExceeded       // a quota is used up, or a connection's output buffer is full
	KindQuotaExceeded       // one more of something than the control plane allows
	KindIntegrationFailure  // the backend failed: 502 at $connect
	KindIntegrationConfig   // the integration cannot work as it is set up: 500 at $connect
	KindIntegrationTimeout  // the backend was slower than timeoutInMillis: 504 at $connect
	KindUpgradeRequired     // a plain GET where a handshake belongs
	KindRequestURITooLong   // a handshake URL over QuotaHandshakeURL
	KindFunctionNotFound    // Lambda: ResourceNotFoundException
	KindFunctionConcurrency // Lambda: TooManyRequestsException
	KindInvalidContent      // Lambda: InvalidRequestContentException
	KindHeaderTooLarge      // a handshake head over QuotaHandshakeHeader
	KindAuthorizerConfig    // a Lambda authorizer answered what no authorizer may: 500 at $connect
	KindAuthorizerFailure   // a Lambda authorizer failed or could not be called: 500 at $connect
	KindInvalidSignature    // SigV4: the signature does not match, or its time is off
	KindIncompleteSignature // SigV4: the authorization is malformed
	KindUnrecognizedClient  // SigV4: nobody has this access key or session token
	KindExpiredToken        // SigV4: the session token has expired
	KindInvalidAction       // an operation that the service does not have, or Cleat does not
	KindPreconditionFailed  // a resource is not at the revision that the request names
	KindInvalidAPIKey       // an API key that is absent, unknown, off, or in no usage plan for the stage
)

// Error is a failure of a known kind. Message is fit for the client's eyes; Err, which is for the log, is not.
type Error struct {
	Kind    Kind
	Message string // empty: the kind's own text
	Err     error  // may be nil
}

func (e *Error) Error() string {
	switch {
	case e.Err == nil:
		return e.Message
	case e.Message == "":
		return e.Err.Error()
	}
	return e.Message + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of an error, KindInternal when it has none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindInternal
}
