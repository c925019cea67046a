package lambda_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"cleat/internal/apigw"
	"cleat/internal/lambda"
)

func FuzzOutput(f *testing.F) {
	f.Add([]byte("a\nb"), 1)
	f.Add([]byte("left\x00id\nnext\r\n"), 3)
	f.Add([]byte(strings.Repeat("ü", 20000)+"\x00id\n"), 7)
	f.Add([]byte("\xff\x00\n\x00init\n\x00id"), 2)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		cut = min(max(cut, 0), len(b))
		lines := lambda.CutLines("id", b[:cut], b[cut:])
		whole := lambda.CutLines("id", b)
		if lines == nil != (whole == nil) || len(lines) != len(whole) {
			t.Fatalf("cut at %d: %d lines, in one piece: %d", cut, len(lines), len(whole))
		}
		for i, l := range lines {
			switch {
			case l.Text != whole[i].Text:
				t.Errorf("line %d: %q, in one piece %q", i, l.Text, whole[i].Text)
			case strings.Contains(l.Text, "\n"), !utf8.ValidString(l.Text):
				t.Errorf("line %d: %q", i, l.Text)
			case len(l.Text) > 3*32<<10: // bytes that are no text grow
				t.Errorf("line %d has %d bytes", i, len(l.Text))
			}
		}
	})
}

func FuzzErrorReport(f *testing.F) {
	def := apigw.Function{Name: "f", Runtime: "python3.12", CodeDir: "/nonexistent", Place: "serverless.yml:7"}
	f.Add([]byte(`{"errorType":"E","errorMessage":"m","trace":["E: m","    at f (/nonexistent/a.js:3:4)"]}`), "E")
	f.Add([]byte(`{"errorMessage":"\n","stackTrace":["  File \"/nonexistent/a.py\", line 3, in h\n"]}`), "")
	f.Add([]byte(`[]`), "x")
	f.Add([]byte(`{"errorType":1}`), "x")
	f.Add([]byte("a\r\nb\xff"), "x")
	f.Fuzz(func(t *testing.T, body []byte, errType string) {
		payload, cause := lambda.CauseOf(body, errType, def)
		if !json.Valid(payload) {
			t.Errorf("payload %q is not JSON", payload)
		}
		if cause == "" || strings.ContainsAny(cause, "\r\n") || len(cause) > 2000 {
			t.Errorf("cause %q is not one line", cause)
		}
	})
}

// FuzzRuntimeAPI is a worker that says anything: its process is the user's, and anybody on the machine may knock.
func FuzzRuntimeAPI(f *testing.F) {
	const secret = "5ec2e7"
	f.Add("GET", "/5ec2e7/2018-06-01/runtime/invocation/next", "", []byte(nil))
	f.Add("POST", "/5ec2e7/2018-06-01/runtime/invocation/8f5b3c1e/response", "", []byte("{}"))
	f.Add("POST", "/5ec2e7/2018-06-01/runtime/invocation/8f5b3c1e/error", "Runtime.Error", []byte(`{"errorMessage":"m"}`))
	f.Add("POST", "/5ec2e7/2018-06-01/runtime/init/error", "", []byte(`[`))
	f.Add("DELETE", "/5ec2e7/2018-06-01/runtime//response", "", []byte("x"))
	f.Add("POST", "/other/2018-06-01/runtime/init/error", "", []byte(nil))
	f.Fuzz(func(t *testing.T, method, path, errType string, body []byte) {
		api := lambda.RuntimeAPI(secret)
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(body)))
		r.Method, r.URL = method, &url.URL{Path: path}
		r.Header["Lambda-Runtime-Function-Error-Type"] = []string{errType}
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		known := strings.HasPrefix(strings.TrimPrefix(path, "/")+"/", secret+"/")
		switch {
		case !slices.Contains([]int{200, 202, 400, 403, 404, 413}, w.Code):
			t.Errorf("status %d", w.Code)
		case !known && w.Code != http.StatusForbidden:
			t.Errorf("who does not know the secret got %d", w.Code)
		case w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()):
			t.Errorf("answer %q is not JSON", w.Body)
		}
	})
}

// FuzzChannel is a worker of our own runtimes that says anything: what is heard does not depend on how it arrives.
func FuzzChannel(f *testing.F) {
	f.Add([]byte("next\nresponse 8f5b3c1e 2\n{}next\nbye\n"))
	f.Add([]byte("error 8f5b3c1e 20 Runtime.Error of a kind\n{\"errorMessage\":\"m\"}next\n"))
	f.Add([]byte("error init 2 \n[]bye\nnext\n"))
	f.Add([]byte("response other 1\n1response 8f5b3c1e 0\n"))
	f.Add([]byte("response 8f5b3c1e 99999999\nx"))
	f.Add([]byte("response 8f5b3c1e -1\n"))
	f.Add([]byte("next \n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		want, wantErr := lambda.Listen(bytes.NewReader(said), "8f5b3c1e")
		got, err := lambda.Listen(iotest.OneByteReader(bytes.NewReader(said)), "8f5b3c1e")
		if !reflect.DeepEqual(got, want) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Errorf("byte by byte %+v, %v; at once %+v, %v", got, err, want, wantErr)
		}
		switch {
		case want.Payload != nil && !want.Failed && !bytes.Contains(said, append([]byte("\n"), want.Payload...)):
			t.Errorf("payload %q is not what was said", want.Payload)
		case want.Failed && !json.Valid(want.Payload):
			t.Errorf("error report %q is not JSON", want.Payload)
		case want.Parked && !bytes.Contains(said, []byte("next\n")):
			t.Error("an event was asked for by nobody")
		}
	})
}
