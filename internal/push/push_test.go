package push_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/conn"
	"cleat/internal/push"
)

// client is a connection's attachment.
type client struct {
	api   apigw.APIID
	stage string
}

func (c client) Stage() (apigw.APIID, string) { return c.api, c.stage }
func (c client) Client() (netip.Addr, string) { return netip.MustParseAddr("192.0.2.7"), "demo/1.0" }
func (c client) ConnectedAt() time.Time       { return time.UnixMilli(1710277042123) }

// hub holds connections in a list and keeps what was done to them.
type hub struct {
	ids    []apigw.ConnectionID
	of     map[apigw.ConnectionID]client
	sent   map[apigw.ConnectionID]string
	closed map[apigw.ConnectionID]conn.CloseReason
	err    error // of Send
	absent conn.Absence
}

func (h *hub) Absence(apigw.ConnectionID) conn.Absence { return h.absent }

func (h *hub) Send(id apigw.ConnectionID, payload []byte) error {
	if h.err == nil {
		h.sent[id] = string(payload)
	}
	return h.err
}

func (h *hub) SendBinary(id apigw.ConnectionID, payload []byte) error {
	h.sent[id] = "binary:" + string(payload)
	return nil
}

func (h *hub) Disconnect(id apigw.ConnectionID, r conn.CloseReason) error {
	h.closed[id] = r
	return nil
}

func (h *hub) Info(id apigw.ConnectionID) (conn.Info, error) {
	c, ok := h.of[id]
	if !ok {
		return conn.Info{}, conn.ErrGone
	}
	return conn.Info{ID: id, Attachment: c, LastActiveAt: time.UnixMilli(1710277082410)}, nil
}

func (h *hub) List(after apigw.ConnectionID, most int, keep func(any) bool) (infos []conn.Info, more bool) {
	started := after == ""
	for _, id := range h.ids {
		if started && keep(h.of[id]) {
			if len(infos) == most {
				return infos, true
			}
			info, _ := h.Info(id)
			infos = append(infos, info)
		}
		started = started || id == after
	}
	return infos, false
}

// newTestHub has n connections on stage prod of API a1, and one on stage dev.
func newTestHub(tb testing.TB, n int) *hub {
	tb.Helper()
	// It makes well-formed IDs and never runs: the other engine would keep its descriptors.
	maker, err := conn.New(nobody{}, conn.Options{Engine: conn.EnginePortable, Limits: apigw.LimitsAWS()})
	if err != nil {
		tb.Fatal(err)
	}
	h := &hub{of: map[apigw.ConnectionID]client{}, sent: map[apigw.ConnectionID]string{}, closed: map[apigw.ConnectionID]conn.CloseReason{}}
	for i := range n + 1 {
		id, err := maker.Reserve(nil)
		if err != nil {
			tb.Fatal(err)
		}
		h.ids, h.of[id] = append(h.ids, id), client{"a1", "prod"}
		if i == n {
			h.of[id] = client{"a1", "dev"}
		}
	}
	return h
}

func serve(h *hub, method, rest string, body io.Reader) (*httptest.ResponseRecorder, push.Outcome) {
	w := httptest.NewRecorder()
	path, query, _ := strings.Cut(rest, "?")
	r := httptest.NewRequest(method, "/prod"+path+"?"+query, body)
	return w, push.New(h, apigw.LimitsAWS, nil).Serve(w, r, "a1", "prod", path)
}

func TestPost(t *testing.T) {
	big := strings.Repeat("x", apigw.QuotaMessageSize)
	for name, test := range map[string]struct {
		id      func(h *hub) string
		body    string
		err     error
		status  int
		errType string
		answer  string
	}{
		"sent":                          {body: "hello", status: 200},
		"empty":                         {body: "", status: 200},
		"as large as may be":            {body: big, status: 200},
		"too large":                     {body: big + "x", status: 413, errType: "PayloadTooLargeException"},
		"not UTF-8 (open-questions 30)": {body: "\xff\xfe", status: 400, errType: "BadRequestException"},
		"ID with %3D":                   {id: func(h *hub) string { return strings.ReplaceAll(string(h.ids[0]), "=", "%3D") }, body: "x", status: 200},
		"ID not decodable":              {id: func(*hub) string { return "abc" }, status: 400, errType: "BadRequestException", answer: `{"message":"Invalid connectionId: abc"}`},
		"unknown ID": {id: func(h *hub) string {
			id := h.ids[0]
			delete(h.of, id)
			return string(id)
		}, status: 410, errType: "GoneException"},
		"ID of another stage": {id: func(h *hub) string { return string(h.ids[len(h.ids)-1]) }, status: 410, errType: "GoneException"},
		"gone meanwhile":      {err: conn.ErrGone, status: 410, errType: "GoneException"},
		"buffer full":         {err: conn.ErrBufferFull, status: 429, errType: "LimitExceededException"},
		"internal":            {err: errors.New("secret cause"), status: 500, errType: "InternalServerErrorException", answer: `{"message":"Internal server error"}`},
	} {
		t.Run(name, func(t *testing.T) {
			h := newTestHub(t, 1)
			id := string(h.ids[0])
			if test.id != nil {
				id = test.id(h)
			}
			h.err = test.err
			w, o := serve(h, http.MethodPost, "/@connections/"+id, strings.NewReader(test.body))
			if w.Code != test.status || o.Status != test.status {
				t.Fatalf("got %d (outcome %d), want %d: %s", w.Code, o.Status, test.status, w.Body)
			}
			errType, requestID, extended := "x-amzn-ErrorType", "x-amzn-RequestId", "x-amz-apigw-id" // AWS's spelling
			if got := w.Header()[errType]; test.errType != "" && (len(got) != 1 || got[0] != test.errType) {
				t.Errorf("got error type %v, want %s", got, test.errType)
			}
			if test.answer != "" && w.Body.String() != test.answer {
				t.Errorf("got body %s, want %s", w.Body, test.answer)
			}
			if (test.status == 200 || test.status == 410) && w.Body.Len() != 0 { // spec management-api §3.1 and §4
				t.Errorf("got body %q, want none", w.Body)
			}
			if test.status == 200 && h.sent[h.ids[0]] != test.body {
				t.Errorf("sent %q", h.sent[h.ids[0]])
			}
			if w.Header()[requestID] == nil || w.Header()[extended] == nil {
				t.Errorf("request IDs are missing: %v", w.Header())
			}
		})
	}
}

// Profile "open" has binary messages.
func TestPostBinary(t *testing.T) {
	h := newTestHub(t, 1)
	for body, want := range map[string]string{"\xff\xfe": "binary:\xff\xfe", "text": "text"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		o := push.New(h, apigw.LimitsOpen, nil).Serve(w, r, "a1", "prod", "/@connections/"+string(h.ids[0]))
		if got := h.sent[h.ids[0]]; o.Status != 200 || got != want {
			t.Errorf("got %d, sent %q, want %q", o.Status, got, want)
		}
	}
}

// A body without a declared length is bounded as well.
func TestPostStreamed(t *testing.T) {
	h := newTestHub(t, 1)
	endless := io.MultiReader(bytes.NewReader(make([]byte, apigw.QuotaMessageSize)), zeros{})
	w, _ := serve(h, http.MethodPost, "/@connections/"+string(h.ids[0]), endless)
	if w.Code != 413 {
		t.Errorf("got %d, want 413", w.Code)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// Spec management-api §3.2.
func TestGet(t *testing.T) {
	h := newTestHub(t, 1)
	w, _ := serve(h, http.MethodGet, "/%40connections/"+string(h.ids[0]), nil)
	want := `{"connectedAt":"2024-03-12T20:57:22.123Z","identity":{"sourceIp":"192.0.2.7","userAgent":"demo/1.0"},"lastActiveAt":"2024-03-12T20:58:02.410Z"}`
	if w.Code != 200 || w.Body.String() != want {
		t.Errorf("got %d %s\nwant %s", w.Code, w.Body, want)
	}
}

// Spec management-api §3.3.
func TestDelete(t *testing.T) {
	h := newTestHub(t, 1)
	w, _ := serve(h, http.MethodDelete, "/@connections/"+string(h.ids[0]), nil)
	if w.Code != 204 || w.Body.Len() != 0 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if r := h.closed[h.ids[0]]; r.Code != 1000 || r.Text != "Connection Closed Normally" {
		t.Errorf("closed with %+v", r)
	}
}

// Spec management-api §3, last line.
func TestOtherMethods(t *testing.T) {
	h := newTestHub(t, 1)
	for method, path := range map[string]string{"PUT": "/@connections/" + string(h.ids[0]), "PATCH": "/@connections/" + string(h.ids[0]), "POST": "/@connections"} {
		w, _ := serve(h, method, path, nil)
		if w.Code != 403 || !strings.Contains(w.Body.String(), "Missing Authentication Token") {
			t.Errorf("%s %s: got %d %s", method, path, w.Code, w.Body)
		}
	}
}

// What AWS lacks: the list, by pages that together show each connection of the stage once.
func TestList(t *testing.T) {
	h := newTestHub(t, 25)
	seen := map[apigw.ConnectionID]bool{}
	pages, next := 0, ""
	for {
		w, _ := serve(h, http.MethodGet, "/@connections?maxResults=10"+next, nil)
		if w.Code != 200 {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
		var page struct {
			Connections []struct {
				ConnectionID apigw.ConnectionID
				APIID, Stage string
				ConnectedAt  time.Time
				LastActiveAt time.Time
				Identity     struct{ SourceIP, UserAgent string }
			}
			NextToken string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
			t.Fatal(err)
		}
		pages++
		for _, c := range page.Connections {
			if seen[c.ConnectionID] || c.Stage != "prod" || c.APIID != "a1" || c.Identity.SourceIP != "192.0.2.7" || c.ConnectedAt.IsZero() || c.LastActiveAt.IsZero() {
				t.Errorf("got %+v (seen before: %v)", c, seen[c.ConnectionID])
			}
			seen[c.ConnectionID] = true
		}
		if page.NextToken == "" {
			break
		}
		next = "&nextToken=" + strings.ReplaceAll(page.NextToken, "=", "%3D")
	}
	if len(seen) != 25 || pages != 3 {
		t.Errorf("saw %d connections on %d pages, want 25 on 3", len(seen), pages)
	}
	for _, query := range []string{"maxResults=0", "maxResults=1001", "maxResults=x", "nextToken=zzz"} {
		if w, _ := serve(h, http.MethodGet, "/@connections?"+query, nil); w.Code != 400 {
			t.Errorf("%s: got %d, want 400", query, w.Code)
		}
	}
}

func TestSplit(t *testing.T) {
	for rest, want := range map[string]struct {
		id apigw.ConnectionID
		ok bool
	}{
		"/@connections/Ab-C_d%3D":   {"Ab-C_d=", true},
		"/%40connections/Ab-C_d%3D": {"Ab-C_d=", true},
		"/@connections/Ab-C_d=":     {"Ab-C_d=", true},
		"/@connections":             {"", true},
		"/@connections/":            {"", true},
		"/@connectionsx":            {"", false},
		"/elsewhere":                {"", false},
		"/@connections/%zz":         {"", false},
	} {
		// Whatever the whole path is: it only tells where the result may be found.
		for _, whole := range []string{"", "/dev/@connections/Ab-C_d=", "/dev/@connections/Xb-C_d=", "/@connections/zz", "="} {
			if id, ok := push.Split(rest, whole); id != want.id || ok != want.ok {
				t.Errorf("%s of %s: got %q %v, want %q %v", rest, whole, id, ok, want.id, want.ok)
			}
		}
	}
}

// nobody is a conn.Handler for a hub that only makes IDs.
type nobody struct{}

func (nobody) Message(apigw.ConnectionID, any, conn.Message)            {}
func (nobody) Closed(apigw.ConnectionID, any, conn.CloseReason, func()) {}

// A 410 says in a header of ours what became of the connection; its body stays empty as on AWS.
func TestGoneHeader(t *testing.T) {
	at := time.Date(2024, 3, 12, 20, 57, 22, 0, time.UTC)
	for name, test := range map[string]struct {
		absent conn.Absence
		other  bool // the ID is another stage's
		want   string
	}{
		"never existed":    {conn.Absence{Presence: conn.PresenceNever}, false, "never-existed"},
		"not open yet":     {conn.Absence{Presence: conn.PresencePending}, false, "not-open-yet"},
		"refused":          {conn.Absence{Presence: conn.PresenceRefused, At: at}, false, "refused; at=2024-03-12T20:57:22Z"},
		"closed":           {conn.Absence{Presence: conn.PresenceClosed, At: at, Code: 1001}, false, "closed; at=2024-03-12T20:57:22Z; code=1001"},
		"forgotten":        {conn.Absence{Presence: conn.PresenceForgotten}, false, "unknown"},
		"of another node":  {conn.Absence{Presence: conn.PresenceElsewhere}, false, "other-node"},
		"on its way out":   {conn.Absence{Presence: conn.PresenceOpen}, false, "closing"},
		"of another stage": {conn.Absence{Presence: conn.PresenceOpen}, true, "never-existed"},
	} {
		h := newTestHub(t, 1)
		h.absent = test.absent
		id := h.ids[0]
		if test.other {
			id = h.ids[len(h.ids)-1]
		} else {
			delete(h.of, id)
		}
		w, o := serve(h, http.MethodPost, "/@connections/"+string(id), strings.NewReader("x"))
		if got := w.Header().Get("X-Cleat-Gone"); w.Code != 410 || got != test.want || w.Body.Len() != 0 || !strings.Contains(o.Err.Error(), test.want) {
			t.Errorf("%s: got %d, %q, body %q, %v, want %q", name, w.Code, got, w.Body, o.Err, test.want)
		}
	}
}

// Whoever decides is asked before anything is done, and is told whose connection it is about, even where the address left
// that open (spec management-api §2).
func TestAuthorize(t *testing.T) {
	h := newTestHub(t, 1)
	id := string(h.ids[0])
	for name, test := range map[string]struct {
		method, path string
		api          apigw.APIID
		stage        string
		want         push.Call
		asked        bool
	}{
		"post":                {"POST", "/@connections/" + id, "a1", "prod", push.Call{API: "a1", Stage: "prod", ConnectionID: h.ids[0]}, true},
		"get, all left open":  {"GET", "/@connections/" + id, "", "", push.Call{API: "a1", Stage: "prod", ConnectionID: h.ids[0]}, true},
		"API left open":       {"DELETE", "/@connections/" + id, "", "prod", push.Call{API: "a1", Stage: "prod", ConnectionID: h.ids[0]}, true},
		"of another stage":    {"GET", "/@connections/" + id, "a1", "dev", push.Call{API: "a1", Stage: "dev", ConnectionID: h.ids[0]}, true},
		"gone, all left open": {"GET", "/@connections/AAAAAAAAAAAAAAA=", "", "", push.Call{ConnectionID: "AAAAAAAAAAAAAAA="}, true},
		"list":                {"GET", "/@connections", "a1", "", push.Call{API: "a1"}, true},
		"no such method":      {"PUT", "/@connections/" + id, "a1", "prod", push.Call{}, false},
		"no such path":        {"GET", "/@connection", "a1", "prod", push.Call{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var got push.Call
			var body []byte
			asked := false
			handler := push.New(h, apigw.LimitsAWS, func(_ *http.Request, c push.Call) error {
				body, _ = c.Body()
				got, asked = c, true
				return &apigw.Error{Kind: apigw.KindAccessDenied}
			})
			w := httptest.NewRecorder()
			o := handler.Serve(w, httptest.NewRequest(test.method, "/x", strings.NewReader("hello")), test.api, test.stage, test.path)
			if asked != test.asked || got.API != test.want.API || got.Stage != test.want.Stage || got.ConnectionID != test.want.ConnectionID {
				t.Errorf("asked %v about %+v, want %v about %+v", asked, got, test.asked, test.want)
			}
			if asked && (string(body) != "hello" || w.Code != 403 || o.Err == nil) {
				t.Errorf("got body %q, %d, %v", body, w.Code, o.Err)
			}
		})
	}
	if len(h.sent)+len(h.closed) > 0 {
		t.Errorf("something was done all the same: %v %v", h.sent, h.closed)
	}
}

// A connection that was not there when it was decided is not there, even if it has come meanwhile.
func TestAuthorizeRace(t *testing.T) {
	h := newTestHub(t, 1)
	id := h.ids[0]
	c := h.of[id]
	delete(h.of, id)
	handler := push.New(h, apigw.LimitsAWS, func(*http.Request, push.Call) error {
		h.of[id] = c
		return nil
	})
	w := httptest.NewRecorder()
	handler.Serve(w, httptest.NewRequest("POST", "/x", strings.NewReader("hello")), "", "", "/@connections/"+string(id))
	if w.Code != 410 || len(h.sent) > 0 {
		t.Errorf("got %d, sent %v", w.Code, h.sent)
	}
}

// slowly gives its bytes in pieces, and tells of the largest room that it was given for one.
type slowly struct {
	left, piece, room int
}

func (s *slowly) Read(p []byte) (int, error) {
	s.room = max(s.room, len(p))
	n := min(len(p), s.piece, s.left)
	if n == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	for i := range n {
		p[i] = 'x'
	}
	s.left -= n
	return n, nil
}

// Who announces a long body holds memory for what has come of it alone: nobody knows yet who that is.
func TestBodyIsReadAsItComes(t *testing.T) {
	for name, c := range map[string]struct{ announced, comes, piece, status, room int }{
		"nothing comes": {128 << 10, 0, 1, 400, 16 << 10},
		"some comes":    {128 << 10, 20 << 10, 1000, 400, 16 << 10},
		"all comes":     {100 << 10, 100 << 10, 7000, 200, 100 << 10},
		"a short one":   {10, 10, 3, 200, 10},
		"an empty one":  {0, 0, 1, 200, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := newTestHub(t, 1)
			from := &slowly{left: c.comes, piece: c.piece}
			r := httptest.NewRequest(http.MethodPost, "/", from)
			r.ContentLength = int64(c.announced)
			w := httptest.NewRecorder()
			limits := func() apigw.Limits { l := apigw.LimitsAWS(); l.MessageSize = 128 << 10; return l }
			push.ForgetBuffers()
			push.New(h, limits, nil).Serve(w, r, "a1", "prod", "/@connections/"+url.PathEscape(string(h.ids[0])))
			if w.Code != c.status || from.room > c.room {
				t.Errorf("status %d, room for %d bytes; want %d, %d at most", w.Code, from.room, c.status, c.room)
			}
			if got := h.sent[h.ids[0]]; c.status == 200 && got != strings.Repeat("x", c.announced) {
				t.Errorf("%d bytes were sent", len(got))
			}
		})
	}
}
