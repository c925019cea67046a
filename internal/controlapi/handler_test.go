package controlapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/controlapi"
)

// node is a handler with the services of the test, and what its hooks heard.
type node struct {
	handler *controlapi.Handler
	log     bytes.Buffer
	asked   []controlapi.Access
	audit   []controlapi.Entry
}

// echo answers with what it was given.
func echo(c *controlapi.Call) (controlapi.Answer, error) {
	return controlapi.OK(map[string]string{"id": c.Path("id"), "body": string(c.Body), "q": c.Query("q"), "name": c.Form.Get("Name"), "caller": c.Caller.ARN}), nil
}

func at(resource string) func(*controlapi.Call) string {
	return func(c *controlapi.Call) string {
		return "arn:" + c.Partition + ":s:" + c.Region + ":" + c.Account + ":" + c.Expand(resource)
	}
}

func newNode(t *testing.T, authorize func(*http.Request, func() ([]byte, error), controlapi.Access) (controlapi.Caller, error)) *node {
	t.Helper()
	n := &node{}
	o := controlapi.Options{
		Log: slog.New(slog.NewTextHandler(&n.log, nil)), Region: "cn-north-1", Account: "111111111111",
		Audit:    func(e controlapi.Entry) { n.audit = append(n.audit, e) },
		SourceIP: func(*http.Request) string { return "192.0.2.1" },
		Services: []controlapi.Service{
			{Name: "s", Operations: []controlapi.Operation{
				{Name: "Get", Method: "GET", Path: "/things/{id}", Action: "s:Get", Resource: at("thing/{id}"), Do: echo},
				{Name: "Put", Method: "PUT", Path: "/things/{id}", Action: "s:Put", Resource: at("thing/{id}"), Changes: true, MaxBody: 10, Do: echo},
				{Name: "Make", Method: "POST", Path: "/things", Action: "s:Make", Resource: at("thing"), Changes: true, Do: func(*controlapi.Call) (controlapi.Answer, error) {
					return controlapi.Answer{Status: 201, Body: []byte("raw"), Header: http.Header{"Content-Type": {"text/plain"}, "Location": {"/things/1"}}, Made: "arn:made"}, nil
				}},
				{Name: "Remove", Method: "DELETE", Path: "/things/{id}", Action: "s:Remove", Resource: at("thing/{id}"), Changes: true, Do: func(c *controlapi.Call) (controlapi.Answer, error) {
					if _, ok := c.Context.Deadline(); !ok || c.Context.Err() != nil {
						return controlapi.Answer{}, errors.New("a change ends with its sender, or never")
					}
					return controlapi.NoContent(), nil
				}},
				{Name: "Fail", Method: "POST", Path: "/fail", Action: "s:Fail", Resource: at("fail"), Changes: true, Do: func(c *controlapi.Call) (controlapi.Answer, error) {
					var request struct{ Kind, Deep string }
					if err := c.JSON(&request); err != nil {
						return controlapi.Answer{}, err
					}
					switch request.Kind {
					case "panic":
						panic("the secret")
					case "marshal":
						return controlapi.OK(func() {}), nil
					case "conflict":
						return controlapi.Answer{}, fmt.Errorf("wrapped: %w", &apigw.Error{Kind: apigw.KindConflict, Message: "taken"})
					}
					return controlapi.Answer{}, errors.New("the secret")
				}},
			}},
			{Name: "q", Operations: []controlapi.Operation{
				{Name: "Say", Action: "q:Say", Resource: at("said"), Changes: true, Do: echo},
				{Name: "Hear", Action: "q:Hear", Resource: at("heard"), Do: echo},
			}, WriteError: func(w http.ResponseWriter, err error, _ apigw.RequestID) {
				w.WriteHeader(http.StatusTeapot)
				_, _ = io.WriteString(w, "<Error>"+err.Error()+"</Error>")
			}},
		},
	}
	if authorize != nil {
		o.Authorize = func(r *http.Request, body func() ([]byte, error), a controlapi.Access) (controlapi.Caller, error) {
			n.asked = append(n.asked, a)
			return authorize(r, body, a)
		}
	}
	n.handler = controlapi.New(o)
	return n
}

func (n *node) send(service, method, target, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1"+target, strings.NewReader(body))
	if service != "" {
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=K/20260101/cn-north-1/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	}
	rec := httptest.NewRecorder()
	n.handler.ServeHTTP(rec, r)
	return rec
}

// raw is a header field by AWS's spelling, which is not Go's.
func raw(rec *httptest.ResponseRecorder, name string) []string {
	return map[string][]string(rec.Result().Header)[name]
}

// TestRouting: which operation a request is of, and what it is told of the request.
func TestRouting(t *testing.T) {
	n := newNode(t, nil)
	for name, tt := range map[string]struct {
		service, method, target, body string
		status                        int
		want                          string
	}{
		"path":             {"", "GET", "/things/a?q=1", "", 200, `{"body":"","caller":"","id":"a","name":"","q":"1"}`},
		"encoded":          {"s", "GET", "/things/a%2Fb%24%20%2A", "", 200, `{"body":"","caller":"","id":"a/b$ *","name":"","q":""}`},
		"method":           {"", "PUT", "/things/a", "x", 200, `{"body":"x","caller":"","id":"a","name":"","q":""}`},
		"form":             {"q", "POST", "/", "Action=Say&Name=a+b", 200, `{"body":"","caller":"","id":"","name":"a b","q":""}`},
		"form in a GET":    {"q", "GET", "/?Action=Hear&Name=x", "", 200, `{"body":"","caller":"","id":"","name":"x","q":""}`},
		"a change by GET":  {"q", "GET", "/?Action=Say&Name=x", "", 418, "<Error>Say must be sent by POST</Error>"},
		"unknown action":   {"q", "POST", "/", "Action=Cry", 418, "<Error>Could not find operation Cry</Error>"},
		"no action":        {"q", "POST", "/", "", 418, "<Error>Could not find operation </Error>"},
		"no form":          {"q", "POST", "/", "%zz", 418, `<Error>The request's body is not a form: invalid URL escape "%zz"</Error>`},
		"unknown path":     {"s", "GET", "/nothing", "", 403, `{"Message":"Unable to determine service/operation name to be authorized"}`},
		"unknown method":   {"s", "PATCH", "/things/a", "", 403, `{"Message":"Unable to determine service/operation name to be authorized"}`},
		"root, other form": {"s", "POST", "/", "Action=Say", 403, `{"Message":"Unable to determine service/operation name to be authorized"}`},
	} {
		t.Run(name, func(t *testing.T) {
			rec := n.send(tt.service, tt.method, tt.target, tt.body)
			got := rec.Body.String()
			if strings.HasPrefix(tt.want, `{"body"`) {
				var all map[string]string
				if err := json.Unmarshal(rec.Body.Bytes(), &all); err != nil {
					t.Fatalf("%v in %s", err, got)
				}
				if all["body"] != "" && tt.service == "q" {
					all["body"] = "" // the form itself
				}
				b, err := json.Marshal(all)
				if err != nil {
					t.Fatal(err)
				}
				got = string(b)
			}
			if rec.Code != tt.status || got != tt.want {
				t.Errorf("got %d %s, want %d %s", rec.Code, got, tt.status, tt.want)
			}
		})
	}
}

// TestWants: the scope of a signature, in the header or in the query string, says for whom a request is.
func TestWants(t *testing.T) {
	n := newNode(t, nil)
	for scope, want := range map[string]bool{"s": true, "q": true, "execute-api": false, "": false} {
		credential := "K/20260101/eu-west-1/" + scope + "/aws4_request"
		header := httptest.NewRequest("GET", "/anything", nil)
		header.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+credential+", SignedHeaders=host, Signature=0")
		query := httptest.NewRequest("GET", "/anything?X-Amz-Credential="+strings.ReplaceAll(credential, "/", "%2F"), nil)
		if got := [2]bool{n.handler.Wants(header), n.handler.Wants(query)}; got != [2]bool{want, want} {
			t.Errorf("%q: got %v, want %v", scope, got, want)
		}
	}
	if n.handler.Wants(httptest.NewRequest("GET", "/things/a", nil)) {
		t.Error("an unsigned request is wanted")
	}
}

// TestAnswers: header fields, bodies of bytes, no body.
func TestAnswers(t *testing.T) {
	n := newNode(t, nil)
	rec := n.send("s", "POST", "/things", "")
	h := rec.Result().Header
	if rec.Code != 201 || rec.Body.String() != "raw" || h.Get("Content-Type") != "text/plain" || h.Get("Location") != "/things/1" || h.Get("Content-Length") != "3" {
		t.Errorf("got %d %v %s", rec.Code, h, rec.Body)
	}
	if id := raw(rec, "x-amzn-RequestId"); len(id) != 1 || len(id[0]) != 36 || len(raw(rec, "x-amz-apigw-id")) != 1 || raw(rec, "x-amzn-ErrorType") != nil {
		t.Errorf("header %v", h)
	}
	rec = n.send("s", "DELETE", "/things/a", "")
	if rec.Code != 204 || rec.Body.Len() > 0 || rec.Result().Header.Get("Content-Type") != "" {
		t.Errorf("got %d %v %s", rec.Code, rec.Result().Header, rec.Body)
	}
}

// TestChangesOutliveTheirSender: what has begun to change is not given up because the client hung up.
func TestChangesOutliveTheirSender(t *testing.T) {
	n := newNode(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rec := httptest.NewRecorder()
	n.handler.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, "DELETE", "/things/a", nil))
	if rec.Code != http.StatusNoContent {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
}

// TestErrors: a client hears of its own faults, the log of the node's; the audit log of both.
func TestErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		method, target, body string
		status               int
		kind, want           string
		logged               string
		audited              string
	}{
		"kind":          {"POST", "/fail", `{"kind":"conflict"}`, 409, "ConflictException", `{"message":"taken"}`, "", "wrapped: taken"},
		"no kind":       {"POST", "/fail", ``, 500, "InternalServerErrorException", `{"message":"Internal server error"}`, "the secret", "Internal server error: the secret"},
		"panic":         {"POST", "/fail", `{"kind":"panic"}`, 500, "InternalServerErrorException", `{"message":"Internal server error"}`, "handler_test.go", "Internal server error: panic: the secret"},
		"no JSON":       {"POST", "/fail", `{`, 400, "BadRequestException", `{"message":"Invalid request body: it is not a JSON object"}`, "", "Invalid request body: it is not a JSON object: unexpected end of JSON input"},
		"wrong type":    {"POST", "/fail", `{"kind":1}`, 400, "BadRequestException", `{"message":"Invalid request body: Kind must not be a JSON number"}`, "", "json: cannot unmarshal"},
		"too large":     {"PUT", "/things/a", strings.Repeat("x", 11), 413, "PayloadTooLargeException", `{"message":"Request body is larger than 10 bytes"}`, "", "larger than 10 bytes"},
		"cannot answer": {"POST", "/fail", `{"kind":"marshal"}`, 500, "InternalServerErrorException", `{"message":"Internal server error"}`, "unsupported type", ""},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, nil)
			rec := n.send("s", tt.method, tt.target, tt.body)
			if rec.Code != tt.status || rec.Body.String() != tt.want || raw(rec, "x-amzn-ErrorType")[0] != tt.kind {
				t.Errorf("got %d %v %s, want %d %s %s", rec.Code, raw(rec, "x-amzn-ErrorType"), rec.Body, tt.status, tt.kind, tt.want)
			}
			if log := n.log.String(); tt.logged == "" && log != "" || !strings.Contains(log, tt.logged) {
				t.Errorf("logged %q, want %q", log, tt.logged)
			}
			if len(n.audit) != 1 || !strings.Contains(n.audit[0].Error, tt.audited) {
				t.Errorf("audited %+v", n.audit)
			}
		})
	}
}

// TestAuthorize: the hook is asked before anything is done, and may read the body; who it says is the caller.
func TestAuthorize(t *testing.T) {
	admin := controlapi.Caller{ARN: "arn:admin", Account: "111111111111", UserID: "U", AccessKeyID: "K"}
	n := newNode(t, func(r *http.Request, body func() ([]byte, error), a controlapi.Access) (controlapi.Caller, error) {
		if r.Header.Get("X-Deny") != "" {
			return controlapi.Caller{}, &apigw.Error{Kind: apigw.KindAccessDenied, Message: "not authorized to perform: " + a.Action}
		}
		if b, err := body(); err != nil || string(b) == "forged" {
			return controlapi.Caller{}, &apigw.Error{Kind: apigw.KindInvalidSignature, Err: err}
		}
		return admin, nil
	})
	rec := n.send("s", "PUT", "/things/a%2Fb", "x")
	if rec.Code != 200 || !strings.Contains(rec.Body.String(), `"body":"x"`) || !strings.Contains(rec.Body.String(), `"caller":"arn:admin"`) {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
	want := controlapi.Access{Service: "s", Action: "s:Put", Resource: "arn:aws-cn:s:cn-north-1:111111111111:thing/a%2Fb"} // one thing, and nothing below a thing a
	if len(n.asked) != 1 || n.asked[0] != want {
		t.Errorf("asked for %+v, want %+v", n.asked, want)
	}
	if len(n.audit) != 1 || n.audit[0].Caller != admin || n.audit[0].Resource != want.Resource || n.audit[0].SourceIP != "192.0.2.1" || n.audit[0].Service != "s" || n.audit[0].Operation != "Put" || n.audit[0].Status != 200 || n.audit[0].Error != "" || n.audit[0].Time.IsZero() || n.audit[0].RequestID == "" {
		t.Errorf("audited %+v", n.audit)
	}

	n.audit = nil
	if rec := n.send("s", "PUT", "/things/a", "forged"); rec.Code != http.StatusForbidden || len(n.audit) != 1 || n.audit[0].Status != http.StatusForbidden || n.audit[0].Caller != (controlapi.Caller{}) {
		t.Errorf("got %d %s, audited %+v", rec.Code, rec.Body, n.audit)
	}
	r := httptest.NewRequest("DELETE", "/things/a", nil)
	r.Header.Set("X-Deny", "1")
	rec = httptest.NewRecorder()
	n.handler.ServeHTTP(rec, r)
	if rec.Code != http.StatusForbidden || rec.Body.String() != `{"Message":"not authorized to perform: s:Remove"}` {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
	if rec := n.send("q", "POST", "/", "Action=Say"); rec.Code != 200 || n.asked[len(n.asked)-1] != (controlapi.Access{Service: "q", Action: "q:Say", Resource: "arn:aws-cn:s:cn-north-1:111111111111:said"}) {
		t.Errorf("got %d %s, asked for %+v", rec.Code, rec.Body, n.asked)
	}
}

// TestAudit: changes are told, with what they made, and reads are not.
func TestAudit(t *testing.T) {
	n := newNode(t, nil)
	n.send("s", "GET", "/things/a", "")
	n.send("q", "POST", "/", "Action=Hear")
	if len(n.audit) != 0 {
		t.Errorf("reads are audited: %+v", n.audit)
	}
	n.send("s", "POST", "/things", "")
	if len(n.audit) != 1 || n.audit[0].Resource != "arn:made" || n.audit[0].Status != 201 {
		t.Errorf("audited %+v", n.audit)
	}
	n.audit = nil
	n.send("q", "POST", "/", "Action=Say")
	if len(n.audit) != 1 || n.audit[0].Operation != "Say" {
		t.Errorf("audited %+v", n.audit)
	}
}

// TestTablesAreChecked: two operations that claim the same requests are a fault of the program.
func TestTablesAreChecked(t *testing.T) {
	one := controlapi.Operation{Name: "A", Method: "GET", Path: "/a", Resource: at("a"), Do: echo}
	query := controlapi.Operation{Name: "A", Resource: at("a"), Do: echo}
	for name, operations := range map[string][]controlapi.Operation{"paths": {one, one}, "actions": {query, query}} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			controlapi.New(controlapi.Options{Services: []controlapi.Service{{Name: "s", Operations: operations}}})
		})
	}
}
