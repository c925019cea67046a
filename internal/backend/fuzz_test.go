package backend_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/backend"
)

// FuzzInvocationAnswer is a stand-in for Lambda that answers anything.
func FuzzInvocationAnswer(f *testing.F) {
	f.Add(200, "", "", "", []byte(`{"statusCode":200}`))
	f.Add(200, "Unhandled", "bG9n", "", []byte(`{"errorMessage":"m","errorType":"E","trace":["E: m","at f"]}`))
	f.Add(404, "", "", "ResourceNotFoundException:http://x", []byte(`{"Message":"no"}`))
	f.Add(500, "", "%", "", []byte(`{"__type":"a#b","message":1}`))
	f.Add(302, "x", "=", "\x01", []byte("<html>"))
	var answer http.HandlerFunc
	s := newTestServer(f, func(w http.ResponseWriter, r *http.Request) { answer(w, r) })
	l, err := backend.NewRemoteLambda(f.Context(), backend.RemoteLambdaOptions{Endpoint: s.URL, Unsigned: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(l.Close)
	f.Fuzz(func(t *testing.T, status int, function, tail, kind string, body []byte) {
		status = 200 + (status%400+400)%400
		answer = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Function-Error", function)
			w.Header().Set("X-Amz-Log-Result", tail)
			w.Header().Set("X-Amzn-Errortype", kind)
			w.WriteHeader(status)
			_, _ = w.Write(body)
		}
		out, err := l.Invoke(t.Context(), awsapi.Invocation{Function: "f", Payload: []byte("{}")})
		if err != nil {
			var e *apigw.Error
			if !errors.As(err, &e) && status != http.StatusNoContent && status != http.StatusNotModified {
				t.Errorf("status %d: %v has no kind", status, err)
			}
			return
		}
		if strings.ContainsAny(out.Cause, "\r\n") && !strings.ContainsAny(string(body), "\r\n\\") {
			t.Errorf("cause %q is not one line", out.Cause)
		}
	})
}
