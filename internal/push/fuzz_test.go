package push_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/push"
)

// FuzzServe sends management requests of any method, path, query and body: every answer is one of the API's, and nothing
// is done to a connection that the path does not name.
func FuzzServe(f *testing.F) {
	for _, rest := range []string{"/@connections", "/@connections/Qyi07eCbtjMCJKw%3D", "/%40connections/%zz", "/@connectionsx", "/@connections/a/b", "/@connections/LAST"} {
		f.Add(http.MethodPost, rest, "", []byte("text"))
	}
	f.Add(http.MethodGet, "/@connections", "maxResults=2&nextToken=x%3D", []byte(nil))
	f.Add(http.MethodGet, "/@connections", "maxResults=-1", []byte(nil))
	f.Add(http.MethodDelete, "/@connections/%51yi07eCbtjMCJKw=", "a=;b", []byte("\xff"))
	f.Fuzz(func(t *testing.T, method, rest, query string, body []byte) {
		h := newTestHub(t, 3)
		own := h.ids[2]
		if rest == "/@connections/LAST" {
			rest = "/@connections/" + url.PathEscape(string(own))
		}
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		r.Method, r.URL = method, &url.URL{Path: "/prod" + rest, RawQuery: query}
		w := httptest.NewRecorder()
		o := push.New(h, apigw.LimitsAWS, func(*http.Request, push.Call) error { return nil }).Serve(w, r, "a1", "prod", rest)
		if o.Status != w.Code || !slices.Contains([]int{200, 204, 400, 403, 410, 413}, w.Code) {
			t.Errorf("status %d, told as %d", w.Code, o.Status)
		}
		if b := w.Body.Bytes(); len(b) > 0 && !json.Valid(b) {
			t.Errorf("answer %q is not JSON", b)
		}
		for id := range h.sent {
			if id != o.ConnectionID {
				t.Errorf("%s was sent to by way of %q", id, rest)
			}
		}
		for id := range h.closed {
			if id != o.ConnectionID {
				t.Errorf("%s was closed by way of %q", id, rest)
			}
		}
	})
}
