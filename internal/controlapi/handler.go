package controlapi

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
)

// Access is what a request asks for.
type Access struct {
	Service  string // in whose scope it must be signed
	Action   string // empty: no policy has to allow it
	Resource string // empty: the sender's own ARN
}

// Entry is one line of the audit log: who did what, when, and how it ended. It has no body of a request, for bodies hold
// secrets.
type Entry struct {
	Time      time.Time
	RequestID apigw.RequestID
	Caller    Caller // of refused calls zero, where nothing is known of the sender
	SourceIP  string
	UserAgent string
	Service   string
	Operation string
	Resource  string // the ARN
	Status    int
	Error     string // empty: it was done
}

// Options are what the services need of the node.
type Options struct {
	Log      *slog.Logger
	Region   string // empty: awsapi.DefaultRegion
	Account  string // empty: awsapi.DefaultAccount
	Services []Service
	// Authorize decides whether the sender of a request may have what it asks for, and says who that is. body returns the
	// request's body; it should be called only once everything but the signature is in order. The error is an *apigw.Error
	// of the kinds of signatures, or KindAccessDenied. Nil: anybody may do anything, as in "cleat dev".
	Authorize func(r *http.Request, body func() ([]byte, error), a Access) (Caller, error)
	// Audit hears of every call of an operation that changes something, refused ones included, before the answer is sent.
	// Nil: nobody does.
	Audit func(Entry)
	// SourceIP is the address of a request's sender. Nil: that of the socket.
	SourceIP func(*http.Request) string
}

// Handler answers the requests of all services. It is safe for concurrent use.
type Handler struct {
	o     Options
	mux   *http.ServeMux
	query map[string]map[string]*operation // by service and Action
	names map[string]bool                  // of the services

	bodies bodies
}

// operation is an Operation with its service.
type operation struct {
	*Operation
	service *Service
}

// New returns the handler of the given services. It panics where two operations claim the same requests, for the tables
// are part of the program.
func New(o Options) *Handler {
	if o.Region == "" {
		o.Region = awsapi.DefaultRegion
	}
	if o.Account == "" {
		o.Account = awsapi.DefaultAccount
	}
	if o.SourceIP == nil {
		o.SourceIP = socketIP
	}
	h := &Handler{
		o: o, mux: http.NewServeMux(), query: map[string]map[string]*operation{}, names: map[string]bool{},
	}
	for i := range o.Services {
		s := &h.o.Services[i]
		h.names[s.Name] = true
		for j := range s.Operations {
			h.add(&operation{&s.Operations[j], s})
		}
	}
	return h
}

// socketIP is the address at the other end of a request's socket; that of a Unix socket is empty.
func socketIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}

func (h *Handler) add(op *operation) {
	if op.Path != "" {
		h.mux.HandleFunc(op.Method+" "+op.Path, func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, op, nil) })
		return
	}
	byAction := h.query[op.service.Name]
	if byAction == nil {
		byAction = map[string]*operation{}
		h.query[op.service.Name] = byAction
	}
	if byAction[op.Name] != nil {
		panic(fmt.Sprintf("controlapi: %s has %s twice", op.service.Name, op.Name))
	}
	byAction[op.Name] = op
}

// Wants tells whether a request is signed for one of the services, so that it is meant for this handler whatever its path
// looks like. Whether the signature is right is another matter.
func (h *Handler) Wants(r *http.Request) bool { return h.names[signedService(r)] }

// signedService is the service in the scope of a request's signature, empty when it has none.
func signedService(r *http.Request) string {
	_, credential, ok := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if !ok {
		credential = r.URL.Query().Get("X-Amz-Credential")
	}
	credential, _, _ = strings.Cut(credential, ",")
	parts := strings.Split(credential, "/") // key, date, region, service, "aws4_request"
	if len(parts) < 5 {
		return ""
	}
	return parts[len(parts)-2]
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if byAction := h.query[signedService(r)]; byAction != nil && r.URL.Path == "/" {
		h.serveQuery(w, r, byAction)
		return
	}
	if _, pattern := h.mux.Handler(r); pattern == "" {
		// AWS's words for a path that none of its services has.
		awsapi.WriteError(w, &apigw.Error{Kind: apigw.KindAccessDenied, Message: "Unable to determine service/operation name to be authorized"}, apigw.NewRequestID())
		return
	}
	h.mux.ServeHTTP(w, r)
}

// maxForm bounds the requests of the query protocol, whose operation is known only once they have been read.
const maxForm = 256 << 10

// serveQuery finds the operation in the form that the request has for a body.
func (h *Handler) serveQuery(w http.ResponseWriter, r *http.Request, byAction map[string]*operation) {
	var one *operation // to answer for the service
	for _, op := range byAction {
		one = op
		break
	}
	id := apigw.NewRequestID()
	release, err := h.bodies.reserve(r, h.o.SourceIP(r), maxForm)
	if err != nil {
		one.service.fail(w, err, id)
		return
	}
	defer release()
	body, err := readBody(w, r, maxForm)
	if err != nil {
		one.service.fail(w, err, id)
		return
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		one.service.fail(w, &apigw.Error{Kind: apigw.KindBadRequest, Message: "The request's body is not a form", Err: err}, id)
		return
	}
	action := form.Get("Action")
	if action == "" { // a GET may have it in its query string
		form = r.URL.Query()
		action = form.Get("Action")
	}
	op := byAction[action]
	if op == nil {
		one.service.fail(w, &apigw.Error{Kind: apigw.KindInvalidAction, Message: fmt.Sprintf("Could not find operation %.64s", action)}, id)
		return
	}
	if op.Changes && r.Method != http.MethodPost { // what a link or an image can make a browser send must change nothing
		one.service.fail(w, &apigw.Error{Kind: apigw.KindBadRequest, Message: action + " must be sent by POST"}, id)
		return
	}
	h.run(w, op, &Call{Request: r, Form: form, RequestID: id}, func() ([]byte, error) { return body, nil })
}

// serve carries out a request whose operation its path has told.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, op *operation, form url.Values) {
	atMost := op.MaxBody
	if atMost == 0 {
		atMost = DefaultMaxBody
	}
	var body []byte
	var err error
	read, release := false, func() {}
	defer func() { release() }()
	h.run(w, op, &Call{Request: r, Form: form, RequestID: apigw.NewRequestID()}, func() ([]byte, error) {
		if read {
			return body, err
		}
		read = true
		var room func()
		if room, err = h.bodies.reserve(r, h.o.SourceIP(r), atMost); err != nil {
			return nil, err
		}
		release = room
		body, err = readBody(w, r, atMost)
		return body, err
	})
}

// run authorizes a call, carries it out, has it audited and answers it, in this order.
func (h *Handler) run(w http.ResponseWriter, op *operation, c *Call, body func() ([]byte, error)) {
	c.Context = c.Request.Context()
	c.Region, c.Account, c.Partition = h.o.Region, h.o.Account, awsapi.Partition(h.o.Region)
	resource := op.Resource(c)
	answer, err := h.do(op, c, &resource, body)
	if resource == "" {
		resource = c.Caller.ARN
	}
	if err != nil {
		h.audit(op, c, resource, awsapi.Status(err), awsapi.Reason(err))
		if apigw.KindOf(err) == apigw.KindInternal {
			h.o.Log.Error("a call of the control plane failed", "operation", op.Name, "resource", resource, "request_id", string(c.RequestID), "err", err)
		}
		op.service.fail(w, err, c.RequestID)
		return
	}
	if answer.Made != "" {
		resource = answer.Made
	}
	h.audit(op, c, resource, answer.Status, "")
	if answer.Stream != nil {
		h.stream(w, op, answer, c)
		return
	}
	if err := write(w, answer, c.RequestID); err != nil {
		h.o.Log.Error("an answer of the control plane could not be written", "operation", op.Name, "err", err)
		op.service.fail(w, err, c.RequestID)
	}
}

// do sets resource to what the body names, where the operation has such a thing.
func (h *Handler) do(op *operation, c *Call, resource *string, body func() ([]byte, error)) (_ Answer, err error) {
	defer func() { // a fault of one operation is answered like any other, and audited
		if v := recover(); v != nil {
			h.o.Log.Error("an operation of the control plane panicked", "operation", op.Name, "request_id", string(c.RequestID), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	if err := h.authorize(op, c, resource, body); err != nil {
		return Answer{}, err
	}
	if c.Body, err = body(); err != nil {
		return Answer{}, err
	}
	if op.Changes {
		// What has begun to change is not given up because its sender hung up.
		var cancel context.CancelFunc
		defer func(request context.Context) { c.Context = request }(c.Context) // which is what a stream has
		c.Context, cancel = context.WithTimeout(context.WithoutCancel(c.Context), changeTimeout)
		defer cancel()
	}
	return op.Do(c)
}

// authorize finds out who sent a call and whether they may have it. What a body names is looked at only once its sender is
// known, which takes a second look at the signature.
func (h *Handler) authorize(op *operation, c *Call, resource *string, body func() ([]byte, error)) (err error) {
	if h.o.Authorize == nil {
		return nil
	}
	a := Access{Service: op.service.Name, Action: op.Action, Resource: *resource}
	if op.Named == nil {
		c.Caller, err = h.o.Authorize(c.Request, body, a)
		return err
	}
	if c.Caller, err = h.o.Authorize(c.Request, body, Access{Service: a.Service}); err != nil {
		return err
	}
	if c.Body, err = body(); err != nil {
		return err
	}
	if named := op.Named(c); named != "" {
		*resource, a.Resource = named, named
	}
	c.Caller, err = h.o.Authorize(c.Request, body, a)
	return err
}

// changeTimeout bounds a change. It is what AWS's own tools wait for an answer.
const changeTimeout = time.Minute

func (h *Handler) audit(op *operation, c *Call, resource string, status int, failure string) {
	if h.o.Audit == nil || !op.Changes {
		return
	}
	h.o.Audit(Entry{
		Time: time.Now().UTC(), RequestID: c.RequestID, Caller: c.Caller, SourceIP: h.o.SourceIP(c.Request), UserAgent: c.Request.UserAgent(),
		Service: op.service.Name, Operation: op.Name, Resource: resource, Status: status, Error: failure,
	})
}

func (s *Service) fail(w http.ResponseWriter, err error, id apigw.RequestID) {
	if s.WriteError != nil {
		s.WriteError(w, err, id)
		return
	}
	awsapi.WriteError(w, err, id)
}
