package awsapi

import (
	"context"
	"net/http"

	"cleat/internal/apigw"
)

// InvocationType is the X-Amz-Invocation-Type of a Lambda call.
type InvocationType string

// The invocation types (spec lambda §1).
const (
	InvokeRequestResponse InvocationType = "RequestResponse"
	InvokeEvent           InvocationType = "Event"
	InvokeDryRun          InvocationType = "DryRun"
)

// Invocation is one call of a Lambda function (spec lambda §1).
type Invocation struct {
	Function      string // name, partial ARN or ARN, with or without a qualifier
	Type          InvocationType
	Payload       []byte // JSON; empty means null
	TraceID       string // X-Amzn-Trace-Id; may be empty
	ClientContext []byte // JSON; may be nil
	LogTail       bool   // ask for the last 4 KB of the log
}

// InvocationResult is what a call gave. A function that failed is a result with FunctionError set, not an error.
type InvocationResult struct {
	Payload         []byte
	FunctionError   string // "Unhandled" when the function failed
	RequestID       string
	ExecutedVersion string
	LogTail         []byte
	// Cause says in words why FunctionError is set, with file and line where they are known; for the log.
	Cause string
}

// Invoker calls Lambda functions. Invoke returns when the function has answered or ctx has ended; it fails with an
// *apigw.Error of kind KindFunctionNotFound, KindFunctionConcurrency, KindInvalidContent, KindAccessDenied,
// KindPayloadTooLarge or KindInternal when the function could not be run. It is safe for concurrent use.
type Invoker interface {
	Invoke(ctx context.Context, call Invocation) (InvocationResult, error)
}

// InvokeStatus is the HTTP status of a call of Invoke that ended with err, as Lambda's API answers it. It is zero when
// nobody answered.
func InvokeStatus(t InvocationType, err error) int {
	switch {
	case err != nil && apigw.KindOf(err) == apigw.KindInternal:
		return 0
	case err != nil:
		return Status(err)
	case t == InvokeEvent:
		return http.StatusAccepted
	case t == InvokeDryRun:
		return http.StatusNoContent
	}
	return http.StatusOK
}
