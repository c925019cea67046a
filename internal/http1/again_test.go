package http1_test

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"cleat/internal/http1"
)

// Requests in one conversation: the first leaves all it can in its memory, the second has nothing.
const (
	much = "POST /a/%2Fb?x=secret HTTP/1.1\r\nHost: much\r\nCookie: secret\r\nX-A: 1\r\nX-A: 2\r\nContent-Type: application/x-www-form-urlencoded\r\n" +
		"Content-Length: 8\r\n\r\ny=secret"
	last = "GET /b HTTP/1.1\r\nHost: last\r\nConnection: close\r\n\r\n"
)

// What a request may be made of again, and what not: only of one whose handler keeps nothing, and that nobody waits for the end of.
func TestKeepsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		first func(http.ResponseWriter, *http.Request)
		want  bool
	}{
		"nothing is said":        {func(http.ResponseWriter, *http.Request) {}, false},
		"it keeps nothing":       {func(w http.ResponseWriter, _ *http.Request) { http1.KeepsNothing(w) }, true},
		"it says so by wrappers": {func(w http.ResponseWriter, _ *http.Request) { http1.KeepsNothing(wrapped{wrapped{w}}) }, true},
		"it asks for the end": {func(w http.ResponseWriter, r *http.Request) {
			http1.KeepsNothing(w)
			r.Context().Done()
		}, false},
		"somebody waits for the end": {func(w http.ResponseWriter, r *http.Request) {
			http1.KeepsNothing(w)
			context.AfterFunc(r.Context(), func() {})
		}, false},
		"its answer has a large header": {func(w http.ResponseWriter, _ *http.Request) {
			http1.KeepsNothing(w)
			for i := range 100 {
				w.Header().Set(fmt.Sprintf("X-%d", i), "x")
			}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var seen []*http.Request
				s := &http1.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if len(seen) == 0 {
						c.first(w, r)
					}
					seen = append(seen, r)
				})}
				if got, _ := converse(t, s, nil, much+last); strings.Count(got, "HTTP/1.1 200") != 2 {
					t.Fatal(got)
				}
				if got := seen[0] == seen[1]; got != c.want {
					t.Errorf("used again: %v, want %v", got, c.want)
				}
			})
		})
	}
}

type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Nothing of a request is left in the memory that the next one gets: neither what came with it nor what its handlers put there,
// nor what net/http itself keeps in a Request.
func TestNothingIsLeftToSee(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		serve := func(t *testing.T, dirty bool, sent string) (seen http.Request, url, header string) {
			t.Helper()
			mux := http.NewServeMux()
			mux.HandleFunc("POST /a/{secret...}", func(w http.ResponseWriter, r *http.Request) {
				http1.KeepsNothing(w)
				if !dirty {
					return
				}
				if err := r.ParseForm(); err != nil || r.Form.Get("y") != "secret" || r.PathValue("secret") != "/b" {
					t.Error(err, r.Form, r.PathValue("secret"))
				}
				r.SetPathValue("other", "secret")
				r.SetBasicAuth("secret", "secret")
				r.Header.Set("X-Secret", "secret")
				r.URL.Fragment, r.URL.Host, r.Pattern, r.Method = "secret", "secret", "secret", "SECRET"
				r.TransferEncoding, r.Trailer, r.Close = []string{"secret"}, http.Header{"Secret": nil}, true
				w.Header().Set("X-Secret", "secret")
				w.WriteHeader(http.StatusTeapot)
			})
			mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
				if len(w.Header()) > 0 || r.PathValue("secret") != "" || r.PathValue("other") != "" || hasAuth(r) {
					t.Errorf("the answer begins with %v, the path values are %q, %q", w.Header(), r.PathValue("secret"), r.PathValue("other"))
				}
				seen, url, header = *r, fmt.Sprintf("%#v", *r.URL), fmt.Sprint(r.Header)
			})
			got, _ := converse(t, &http1.Server{Handler: mux}, nil, sent)
			if i := strings.LastIndex(got, "HTTP/1.1 "); strings.Contains(got[i:], "secret") || strings.Contains(got[i:], "Secret") {
				t.Errorf("the last answer is %q", got[i:])
			}
			return seen, url, header
		}
		got, gotURL, gotHeader := serve(t, true, much+last)
		want, wantURL, wantHeader := serve(t, false, last)
		if gotURL != wantURL || gotHeader != wantHeader {
			t.Errorf("got %s %s, want %s %s", gotURL, gotHeader, wantURL, wantHeader)
		}
		a, b := reflect.ValueOf(&got).Elem(), reflect.ValueOf(&want).Elem()
		for i := range a.NumField() {
			// The others are pointers into the memory itself; what they point to was compared, or is a context of its own.
			if name := a.Type().Field(i).Name; !slices.Contains([]string{"URL", "ctx", "Header"}, name) {
				if x, y := fmt.Sprint(a.Field(i)), fmt.Sprint(b.Field(i)); x != y {
					t.Errorf("%s is %s, want %s", name, x, y)
				}
			}
		}
	})
}

func hasAuth(r *http.Request) bool {
	_, _, ok := r.BasicAuth()
	return ok
}
