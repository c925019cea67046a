package controlapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
)

// Service is the API of one service: a table of operations.
type Service struct {
	// Name is the service's in the scope of signatures, such as "apigateway". Several Services may have the same.
	Name       string
	Operations []Operation
	// WriteError answers a failed call as the service does. Nil: awsapi.WriteError.
	WriteError func(w http.ResponseWriter, err error, id apigw.RequestID)
}

// Operation is one operation of a service. It is never changed after New was given it.
type Operation struct {
	Name string // AWS's: "CreateApi"
	// Method and Path are how a request of it looks. Path is a pattern of http.ServeMux, such as "/v2/apis/{apiId}"; the values
	// of its wildcards are decoded. Without a Path the operation is one of AWS's query protocol: a POST to / whose form has
	// the Name as its Action.
	Method, Path string
	// Action is what policies call it: "apigateway:POST". Empty: no policy has to allow it.
	Action string
	// Resource is the ARN that the call is about; empty stands for the caller's own. It sees the call before its sender is known,
	// and so must not read its Body.
	Resource func(c *Call) string
	// Named is the ARN of what the body names, for operations whose path says nothing of it: policies must allow the Action on
	// it instead of the Resource. It is called once the sender is known. An empty one stands for the Resource. Nil: there is none.
	Named func(c *Call) string
	// Changes tells that the operation is not a mere read: each call of it is audited.
	Changes bool
	// MaxBody bounds the request's body in bytes. Zero: DefaultMaxBody.
	MaxBody int64
	// Do carries the call out. Its error is an *apigw.Error where the sender may know what is wrong.
	Do func(c *Call) (Answer, error)
}

// DefaultMaxBody is the bound of a request's body where its operation has none of its own.
const DefaultMaxBody = 4 << 20

// Call is one request of an operation.
type Call struct {
	Context   context.Context //nolint:containedctx // a Call is an argument: it lives as long as its request
	Request   *http.Request   // whose body has been read
	Body      []byte          // empty until Do
	Form      url.Values      // of the query protocol, else nil
	Caller    Caller
	RequestID apigw.RequestID
	// Region, Account and Partition are what this node poses to be in.
	Region, Account, Partition string
}

// Caller is who signed a request. Nobody had to where it is zero.
type Caller struct {
	ARN         string // "arn:aws:iam::000000000000:user/admin"
	Account     string
	UserID      string // "AIDA…"
	AccessKeyID string
}

// Answer is what a call that went well is answered with.
type Answer struct {
	Status int
	// Body is marshalled to JSON; a []byte is sent as it is, nil is no body at all.
	Body any
	// Stream writes the body of an answer that is too large to be held. It comes after everything else of the call, audit
	// included; when it fails the connection is cut, so that nobody takes half of it for the whole. Body is nil then.
	Stream func(ctx context.Context, w io.Writer) error
	Header http.Header // further fields; a Content-Type here comes before application/json
	// Made is the ARN of what the call has made, for the audit log; empty: the operation's Resource says it all.
	Made string
}

// OK is 200 with a body.
func OK(body any) Answer { return Answer{Status: http.StatusOK, Body: body} }

// Created is 201 with what was made.
func Created(body any) Answer { return Answer{Status: http.StatusCreated, Body: body} }

// NoContent is 204.
func NoContent() Answer { return Answer{Status: http.StatusNoContent} }

// Path is the decoded value of a wildcard of the operation's Path.
func (c *Call) Path(name string) string { return c.Request.PathValue(name) }

var wildcard = regexp.MustCompile(`\{(\w+)\}`)

// Expand puts the values of the Path's wildcards into the path of an ARN, such as "/apis/{apiId}". A slash in a value is
// encoded: "a/routes/b" for an apiId must not look to policies like a route.
func (c *Call) Expand(text string) string {
	return wildcard.ReplaceAllStringFunc(text, func(w string) string {
		return strings.ReplaceAll(c.Path(w[1:len(w)-1]), "/", "%2F")
	})
}

// Query is a parameter of the query string, empty when it is absent.
func (c *Call) Query(name string) string { return c.Request.URL.Query().Get(name) }

// JSON reads the body into v, a pointer to a struct with JSON tags. Unknown members are ignored (spec control-plane §1). An
// empty body is an empty object. The error is KindBadRequest and names the member.
func (c *Call) JSON(v any) error {
	if len(c.Body) == 0 {
		return nil
	}
	err := json.Unmarshal(c.Body, v)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return &apigw.Error{Kind: apigw.KindBadRequest, Message: "Invalid request body: " + wrong.Field + " must not be a JSON " + wrong.Value, Err: err}
	}
	if err != nil {
		return &apigw.Error{Kind: apigw.KindBadRequest, Message: "Invalid request body: it is not a JSON object", Err: err}
	}
	return nil
}

// write answers a call that went well.
func write(w http.ResponseWriter, a Answer, id apigw.RequestID) error {
	body, raw := a.Body.([]byte)
	if !raw && a.Body != nil {
		var err error
		if body, err = json.Marshal(a.Body); err != nil {
			return err
		}
	}
	h := w.Header()
	awsapi.SetRequestIDs(h, id)
	if a.Body != nil {
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	maps.Copy(h, a.Header)
	w.WriteHeader(a.Status)
	_, _ = w.Write(body) // the client may be gone; nothing is left to tell it
	return nil
}
