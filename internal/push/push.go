// Package push serves the management API of a stage: POST, GET and DELETE on @connections/{connectionId}, as AWS does
// (spec management-api), and, which AWS lacks, GET on @connections itself: the list of live connections. It is told
// which API and stage a request addresses and who may call is decided before it; it knows no routes.
package push

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/conn"
	"cleat/internal/listen"
)

// Hub is the part of conn.Hub that pushes need.
type Hub interface {
	Send(id apigw.ConnectionID, payload []byte) error
	SendBinary(id apigw.ConnectionID, payload []byte) error
	Disconnect(id apigw.ConnectionID, r conn.CloseReason) error
	Info(id apigw.ConnectionID) (conn.Info, error)
	List(after apigw.ConnectionID, most int, keep func(attachment any) bool) ([]conn.Info, bool)
	Absence(id apigw.ConnectionID) conn.Absence
}

// Connection is what push must know of a connection's attachment. Package gateway attaches one to each.
type Connection interface {
	Stage() (apigw.APIID, string)
	Client() (sourceIP netip.Addr, userAgent string)
	ConnectedAt() time.Time
}

// Call is what a request asks for, for who decides whether it may.
type Call struct {
	// API and Stage are those of the connection. They are empty where the address left them open and there is no such
	// connection, and for the list of all stages.
	API          apigw.APIID
	Stage        string
	ConnectionID apigw.ConnectionID // empty for the list
	// Body reads the request's body, up to the size of a message; a larger one is an error that is an answer. What it
	// returns is good until Authorize returns.
	Body func() ([]byte, error)
}

// Authorize decides whether a request may go on. Its error is the answer.
type Authorize func(*http.Request, Call) error

// Handler answers management requests. It is safe for concurrent use.
type Handler struct {
	hub       Hub
	limits    func() apigw.Limits
	authorize Authorize
}

// New returns a Handler over a hub. limits gives the limits of the moment: MessageSize bounds a POST, and Binary lets a
// body that is not UTF-8 through as a binary message, which AWS has none of. authorize is asked before anything is done;
// nil lets everybody do everything.
func New(hub Hub, limits func() apigw.Limits, authorize Authorize) *Handler {
	if authorize == nil {
		authorize = func(*http.Request, Call) error { return nil }
	}
	return &Handler{hub, limits, authorize}
}

// Outcome says what a request came to, for the log.
type Outcome struct {
	Operation string // "post", "get", "delete", "list" or the refused method
	// API and Stage are those that the address names; what it leaves open is the connection's, empty where that is not to
	// be found.
	API          apigw.APIID
	Stage        string
	ConnectionID apigw.ConnectionID
	Status       int
	Bytes        int   // of the pushed message
	Binary       bool  // the pushed message went as a binary one
	Err          error // nil when the request succeeded
}

// split takes the escaped path below a stage apart: the connection ID behind "/@connections/", or "" for the list.
// Both spellings of "@" are accepted, and any escaping of the ID (spec management-api §1). ok is false for a path that
// is none of the management API's. whole is the request's path, unescaped.
func split(rest, whole string) (id apigw.ConnectionID, ok bool) {
	path, err := listen.Unescape(rest, whole)
	if err != nil {
		return "", false
	}
	path, ok = strings.CutPrefix(path, "/@connections")
	if !ok || path == "" || path == "/" {
		return "", ok
	}
	if path[0] != '/' {
		return "", false
	}
	return apigw.ConnectionID(path[1:]), true
}

// address is what a request is about.
type address struct {
	api   apigw.APIID // empty, as the stage: left open, and no connection tells it
	stage string
	id    apigw.ConnectionID // empty: the list
	// absent is why the connection does not tell what was left open; nil when it did or nothing was.
	absent error
}

// resolve fills in what an address leaves open. ok is as in split.
func (h *Handler) resolve(r *http.Request, api apigw.APIID, stage, rest string) (a address, ok bool) {
	a = address{api: api, stage: stage}
	if a.id, ok = split(rest, r.URL.Path); a.id == "" || api != "" && stage != "" {
		return a, ok
	}
	_, c, err := h.find(a)
	if err != nil {
		a.absent = err
		return a, ok
	}
	a.api, a.stage = c.Stage()
	return a, ok
}

func (a *address) outcome(r *http.Request) Outcome {
	return Outcome{Operation: operation(r.Method), API: a.api, Stage: a.stage, ConnectionID: a.id}
}

// operation is what a method is called in the log.
func operation(method string) string {
	switch method {
	case http.MethodPost:
		return "post"
	case http.MethodGet:
		return "get"
	case http.MethodDelete:
		return "delete"
	}
	return strings.ToLower(method)
}

// Refuse answers a request that may not go on, for a reason that was found before it came here. The rest is as in Serve.
func (h *Handler) Refuse(w http.ResponseWriter, r *http.Request, api apigw.APIID, stage, rest string, err error) Outcome {
	a, _ := h.resolve(r, api, stage, rest)
	o := a.outcome(r)
	o.Status, o.Err = awsapi.Status(err), err
	awsapi.WriteError(w, err, apigw.NewRequestID())
	return o
}

// Serve answers one request for a stage. rest is the escaped path below the stage, "/@connections/…". An empty api
// or stage is one that the address left open: the connection ID tells it (design: addresses).
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, api apigw.APIID, stage, rest string) Outcome {
	a, ok := h.resolve(r, api, stage, rest)
	o := a.outcome(r)
	var err error
	switch {
	case !ok:
		err = &apigw.Error{Kind: apigw.KindForbidden}
	case !offered(r.Method, a.id):
		// AWS answers other methods as it answers unsigned ones (spec management-api §3).
		err = &apigw.Error{Kind: apigw.KindMissingAuthenticationToken}
	default:
		err = h.do(w, r, a, &o)
	}
	o.Status, o.Err = successStatus(o.Operation), err
	if err != nil {
		o.Status = awsapi.Status(err)
		if o.Status == http.StatusGone {
			gone := h.absence(a.id, err)
			w.Header().Set(headerGone, gone)
			o.Err = fmt.Errorf("%w (%s)", err, gone)
		}
		awsapi.WriteError(w, err, apigw.NewRequestID())
	}
	return o
}

// offered tells whether the management API has a method: on a connection, or on the list.
func offered(method string, id apigw.ConnectionID) bool {
	switch method {
	case http.MethodGet:
		return true
	case http.MethodPost, http.MethodDelete:
		return id != ""
	}
	return false
}

// do does what the request asks for, if its sender may.
func (h *Handler) do(w http.ResponseWriter, r *http.Request, a address, o *Outcome) error {
	if a.id == "" {
		o.Operation = "list"
	}
	body := h.contentOf(r)
	defer body.release()
	if err := h.authorize(r, Call{API: a.api, Stage: a.stage, ConnectionID: a.id, Body: body.get}); err != nil {
		return err
	}
	if a.absent != nil {
		return a.absent // even if it has come meanwhile: what was decided was not about it
	}
	switch {
	case a.id == "":
		return h.list(w, r, a)
	case r.Method == http.MethodPost:
		var err error
		o.Bytes, o.Binary, err = h.post(w, a, body.get)
		return err
	case r.Method == http.MethodDelete:
		return h.remove(w, a)
	}
	return h.get(w, a)
}

func successStatus(operation string) int {
	if operation == "delete" {
		return http.StatusNoContent
	}
	return http.StatusOK
}

// find returns a live connection of an address. The ID must be well-formed (else 400), alive and of this API and stage
// (else 410, spec management-api §1 and §4).
func (h *Handler) find(a address) (conn.Info, Connection, error) {
	if _, err := conn.ParseID(string(a.id)); err != nil {
		return conn.Info{}, nil, err
	}
	info, err := h.hub.Info(a.id)
	if err != nil {
		return conn.Info{}, nil, worded(err)
	}
	c, ok := info.Attachment.(Connection)
	if !ok || !a.has(c) {
		return conn.Info{}, nil, &apigw.Error{Kind: apigw.KindGone, Err: errForeign}
	}
	return info, c, nil
}

// has tells whether a connection is below the address, which may leave API and stage open.
func (a *address) has(c Connection) bool {
	api, stage := c.Stage()
	return (a.api == "" || a.api == api) && (a.stage == "" || a.stage == stage)
}

// worded gives the hub's errors the words that a caller may read.
func worded(err error) error {
	if errors.Is(err, conn.ErrBufferFull) {
		return &apigw.Error{Kind: apigw.KindLimitExceeded, Message: "The client's output buffer is full", Err: err}
	}
	return err // the hub's other errors have their kinds: 410 for a connection that is gone or still pending
}

// post delivers the body as one message, a text unless limits allow others (spec management-api §3.1).
func (h *Handler) post(w http.ResponseWriter, a address, read func() ([]byte, error)) (bytes int, binary bool, err error) {
	if _, _, err := h.find(a); err != nil {
		return 0, false, err
	}
	body, err := read()
	if err != nil {
		return 0, false, err
	}
	binary = !utf8.Valid(body)
	if binary && !h.limits().Binary {
		// A text message that is not UTF-8 would end the client's connection (spec open-questions 30).
		return len(body), false, &apigw.Error{Kind: apigw.KindBadRequest, Message: "The message is not valid UTF-8 text"}
	}
	if err := h.send(a.id, body, binary); err != nil {
		return len(body), binary, err
	}
	awsapi.SetRequestIDs(w.Header(), apigw.NewRequestID())
	w.Header()["Content-Length"] = noBytes
	w.WriteHeader(http.StatusOK)
	return len(body), binary, nil
}

// noBytes is the Content-Length of an answer without a body. It is not changed.
var noBytes = []string{"0"}

func (h *Handler) send(id apigw.ConnectionID, body []byte, binary bool) error {
	var err error
	if binary {
		err = h.hub.SendBinary(id, body)
	} else {
		err = h.hub.Send(id, body)
	}
	if err != nil {
		return worded(err)
	}
	return nil
}

func tooLarge(l apigw.Limits) error {
	return &apigw.Error{Kind: apigw.KindPayloadTooLarge, Message: fmt.Sprintf("Message too long: at most %d bytes", l.MessageSize)}
}

// view is a connection as GET shows it (spec management-api §3.2); the list adds who it is.
type view struct {
	ConnectionID apigw.ConnectionID `json:"connectionId,omitempty"`
	APIID        apigw.APIID        `json:"apiId,omitempty"`
	Stage        string             `json:"stage,omitempty"`
	ConnectedAt  string             `json:"connectedAt"`
	Identity     identity           `json:"identity"`
	LastActiveAt string             `json:"lastActiveAt"`
}

type identity struct {
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

const isoMillis = "2006-01-02T15:04:05.000Z"

func viewOf(info conn.Info, c Connection) view {
	ip, agent := c.Client()
	return view{
		ConnectedAt:  c.ConnectedAt().UTC().Format(isoMillis),
		Identity:     identity{ip.String(), agent},
		LastActiveAt: info.LastActiveAt.UTC().Format(isoMillis),
	}
}

func (h *Handler) get(w http.ResponseWriter, a address) error {
	info, c, err := h.find(a)
	if err != nil {
		return err
	}
	return writeJSON(w, viewOf(info, c))
}

// remove closes a connection with 1000 (spec management-api §3.3).
func (h *Handler) remove(w http.ResponseWriter, a address) error {
	if _, _, err := h.find(a); err != nil {
		return err
	}
	if err := h.hub.Disconnect(a.id, conn.ReasonDeleted); err != nil {
		return worded(err)
	}
	awsapi.SetRequestIDs(w.Header(), apigw.NewRequestID())
	w.WriteHeader(http.StatusNoContent)
	return nil
}

const (
	defaultPage = 100
	maxPage     = 1000
)

// list answers GET @connections?maxResults=&nextToken=: the live connections of the stage, or of every stage that the
// address left open, a page at a time in a stable order. A connection that comes or goes meanwhile may be missed or
// shown; no other is skipped or repeated.
func (h *Handler) list(w http.ResponseWriter, r *http.Request, a address) error {
	q := r.URL.Query()
	page := defaultPage
	if s := q.Get("maxResults"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxPage {
			return &apigw.Error{Kind: apigw.KindBadRequest, Message: fmt.Sprintf("maxResults must be a whole number from 1 to %d, not %q", maxPage, s)}
		}
		page = n
	}
	after := apigw.ConnectionID(q.Get("nextToken"))
	if _, err := conn.ParseID(string(after)); after != "" && err != nil {
		return &apigw.Error{Kind: apigw.KindBadRequest, Message: "Invalid nextToken: pass the value that the page before gave, URL-encoded"}
	}
	infos, more := h.hub.List(after, page, func(attachment any) bool {
		c, ok := attachment.(Connection)
		return ok && a.has(c)
	})
	out := struct {
		Connections []view             `json:"connections"`
		NextToken   apigw.ConnectionID `json:"nextToken,omitempty"`
	}{Connections: make([]view, 0, len(infos))}
	for _, info := range infos {
		c, ok := info.Attachment.(Connection)
		if !ok {
			continue
		}
		v := viewOf(info, c)
		v.ConnectionID = info.ID
		v.APIID, v.Stage = c.Stage()
		out.Connections = append(out.Connections, v)
	}
	if more && len(infos) > 0 {
		out.NextToken = infos[len(infos)-1].ID
	}
	return writeJSON(w, out)
}

func writeJSON(w http.ResponseWriter, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	h := w.Header()
	awsapi.SetRequestIDs(h, apigw.NewRequestID())
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // a client that is gone needs no answer
	return nil
}
